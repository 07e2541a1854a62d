"""The Transformer's graphs, from its weights; the mirror of `training.models.transformer`.

All positions stand in one axis, (n, d_model), so that every linear layer is one matrix product with
its bias inside; sentences come apart only where they attend.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

import numpy as np
import onnx
import torch
from torch import nn

from mt import graph_signature as names
from training.export.graph import MICROSOFT, Axes, GraphBuilder, Ranges
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.models.transformer import (
    CrossAttention,
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    Residual,
    SelfAttention,
    Transformer,
    positional_encoding,
)


def transformer_graphs(model: Transformer, ranges: Ranges, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    return GraphPair(_Encoder(model, ranges, limits).build(), _Step(model, ranges, limits).build())


class _Part:
    """What encoder and decoder have in common: embeddings, residuals, feed-forward layers."""

    def __init__(self, name: str, model: Transformer, ranges: Ranges, max_positions: int) -> None:
        self.graph, self.model, self.config = GraphBuilder(name, ranges), model, model.config
        encodings = positional_encoding(torch.arange(max_positions), self.config.d_model)
        self.encodings = self.graph.weight(encodings)  # (max_positions, d_model)

    def embed(self, embedding: nn.Embedding, ids: str, encodings: str) -> str:
        """Embed ids (...) and add position encodings (..., d_model), sections 3.4 and 3.5."""
        found = self.graph.op("Gather", self.graph.weight(embedding.weight), ids)
        factor = self.graph.constant(math.sqrt(self.config.d_model), np.float32)
        return self.graph.op("Add", self.graph.op("Mul", found, factor), encodings)

    def residual(self, around: Residual, x: str, sublayer: Callable[[str], str]) -> str:
        """Pass x (n, d_model) through a sub-layer, with its addition and norm, section 3.1."""
        y = sublayer(self.graph.layer_norm(x, around.norm) if around.pre else x)
        total = self.graph.op("Add", x, y)
        return total if around.pre else self.graph.layer_norm(total, around.norm)

    def feed_forward(self, layer: FeedForward, x: str) -> str:
        """(n, d_model) -> the same shape, section 3.3."""
        activation = "Relu" if self.config.activation == "relu" else "Gelu"
        inner = self.graph.op(activation, self.graph.linear(x, layer.inner))
        return self.graph.linear(inner, layer.outer)

    def final_norm(self, norm: nn.Module, x: str) -> str:
        """A pre-norm stack ends with one, a post-norm stack with an identity."""
        return self.graph.layer_norm(x, norm) if isinstance(norm, nn.LayerNorm) else x


class _Encoder(_Part):
    """src_ids -> the cross-attention keys and values of every decoder layer."""

    def __init__(self, model: Transformer, ranges: Ranges, limits: Limits) -> None:
        super().__init__("encoder", model, ranges, limits.max_positions)
        src_ids, src_mask = source(self.graph)
        self.mask = self.graph.op("Cast", src_mask, to=onnx.TensorProto.INT32)
        self.src_ids, self.shape = src_ids, self.graph.op("Shape", src_ids)  # batch, src_len

    def build(self) -> onnx.ModelProto:
        graph, model = self.graph, self.model
        zero, length = graph.constant([0]), graph.size(self.src_ids, 1)
        encodings = graph.op("Slice", self.encodings, zero, length, zero)
        embedded = self.embed(model.src_embedding, self.src_ids, encodings)
        x = graph.reshape(embedded, -1, self.config.d_model)
        for layer in cast(Iterable[EncoderLayer], model.encoder.layers):
            attention = partial(self.self_attention, layer.self_attention)
            x = self.residual(layer.self_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        self.keys_values(self.final_norm(model.encoder.norm, x))
        return graph.model()

    def self_attention(self, layer: SelfAttention, x: str) -> str:
        """(batch * src_len, d_model) -> the same shape, sections 3.2.2 and 3.2.3."""
        graph = self.graph
        qkv = graph.reshape(graph.linear(x, layer.qkv), self.shape, 3 * self.config.d_model)
        parts = graph.ops("Split", qkv, outputs=3, axis=2, num_outputs=3)
        context = graph.op(
            "MultiHeadAttention", *parts, "", self.mask, domain=MICROSOFT, num_heads=layer.n_heads
        )
        return graph.linear(graph.reshape(context, -1, self.config.d_model), layer.output)

    def keys_values(self, x: str) -> None:
        """Project encoder states for all decoder layers at once and hand them out."""
        graph, n_heads = self.graph, self.config.n_heads
        decoder = cast(Iterable[DecoderLayer], self.model.decoder.layers)
        layers = [layer.cross_attention.key_value for layer in decoder]
        n_parts, d_head = 2 * len(layers), self.config.d_model // n_heads
        packed = graph.reshape(graph.linear(x, *layers), self.shape, n_parts, n_heads, d_head)
        heads = graph.op("Transpose", packed, perm=[2, 0, 3, 1, 4])
        parts = graph.ops("Split", heads, outputs=n_parts, axis=0, num_outputs=n_parts)
        for part, name in zip(parts, memory_names(len(layers)), strict=True):
            graph.op("Squeeze", part, graph.constant([0]), name=name)
            graph.output(name, np.float32, ["batch", n_heads, names.SRC_LEN, d_head])


class _Step(_Part):
    """One decoding step: caches are reordered, grow by one entry, and are attended to."""

    def __init__(self, model: Transformer, ranges: Ranges, limits: Limits) -> None:
        super().__init__("step", model, ranges, limits.max_positions)
        graph, self.limits = self.graph, limits
        self.n_heads = model.config.n_heads
        self.d_head = model.config.d_model // self.n_heads
        self.last_ids = step_input(graph, names.LAST_IDS)
        self.positions = graph.reshape(step_input(graph, names.POSITIONS), -1)  # (cells)
        self.parents = step_input(graph, names.PARENTS)
        self.live = step_input(graph, names.LIVE)
        self.src_mask = step_input(graph, names.SRC_MASK)
        self.source_mask = graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT32)
        self.grid = graph.op("Shape", self.last_ids)  # sentences, width

    def build(self) -> onnx.ModelProto:
        graph, model = self.graph, self.model
        n_layers = len(model.decoder.layers)
        caches = [self.cache(name) for name in cache_names(n_layers)]
        memory = [self.memory(name) for name in memory_names(n_layers)]
        self.written = self.written_bias(caches[0])
        encodings = graph.op("Gather", self.encodings, self.positions)
        x = self.embed(model.tgt_embedding, graph.reshape(self.last_ids, -1), encodings)
        for i, layer in enumerate(cast(Iterable[DecoderLayer], model.decoder.layers)):
            attention = partial(self.self_attention, layer.self_attention, i, caches[2 * i :])
            x = self.residual(layer.self_attention_residual, x, attention)
            attention = partial(self.cross_attention, layer.cross_attention, memory[2 * i :])
            x = self.residual(layer.cross_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        self.attention_weights(memory[-2])
        hidden = self.final_norm(model.decoder.norm, x)
        choose_best(graph, hidden, self.live, model.output, self.limits.never_emitted)
        return graph.model()

    def cache(self, name: str) -> str:
        """Declare a cache and its new value; returns the entries each cell continues."""
        before: Axes = ["entries", self.n_heads, names.PAST_LEN, self.d_head]
        after: Axes = ["cells", self.n_heads, "next_len", self.d_head]
        past = self.graph.input(names.STATE + name, np.float32, before)
        self.graph.output(names.NEXT + name, np.float32, after)
        return self.graph.op("Gather", past, self.parents)

    def memory(self, name: str) -> str:
        """Declare keys or values of one layer's cross attention."""
        axes: Axes = ["sentences", self.n_heads, names.SRC_LEN, self.d_head]
        return self.graph.input(name, np.float32, axes)

    def written_bias(self, cache: str) -> str:
        """(cells, 1, 1, past_len + 1): 0 at what a cell has written, -inf to the left of it.

        Caches are aligned to the right, so the entry i steps old belongs to a cell where i is at
        most the number of tokens it has decoded.
        """
        graph = self.graph
        past_len = graph.op("Squeeze", graph.size(cache, 2))
        step, end = graph.constant(-1), graph.constant(-1)
        age = graph.op("Range", past_len, end, step)  # past_len, ..., 1, 0
        is_written = graph.op("LessOrEqual", age, graph.reshape(self.positions, -1, 1, 1, 1))
        zero, lowest = graph.constant(0, np.float32), graph.constant(-np.inf, np.float32)
        return graph.op("Where", is_written, zero, lowest)

    def self_attention(self, layer: SelfAttention, i: int, caches: list[str], x: str) -> str:
        """(cells, d_model) -> the same shape: each cell over its own cache, section 3.2.3."""
        graph = self.graph
        qkv = graph.reshape(graph.linear(x, layer.qkv), -1, 1, 3 * self.config.d_model)
        parts = graph.ops("Split", qkv, outputs=3, axis=2, num_outputs=3)
        grown = [names.NEXT + name for name in cache_names(i + 1)[-2:]]
        context, *_ = graph.ops(
            "MultiHeadAttention",
            *(*parts, "", "", self.written, *caches[:2]),
            names=[f"self_context_{i}", *grown],
            domain=MICROSOFT,
            num_heads=self.n_heads,
        )
        return graph.linear(graph.reshape(context, -1, self.config.d_model), layer.output)

    def cross_attention(self, layer: CrossAttention, memory: list[str], x: str) -> str:
        """(cells, d_model) -> the same shape: the cells of a sentence are its queries."""
        graph, d_model = self.graph, self.config.d_model
        self.query = graph.reshape(graph.linear(x, layer.query), self.grid, d_model)
        context = graph.op(
            "MultiHeadAttention",
            *(self.query, *memory[:2], "", self.source_mask),
            domain=MICROSOFT,
            num_heads=self.n_heads,
        )
        return graph.linear(graph.reshape(context, -1, d_model), layer.output)

    def attention_weights(self, keys: str) -> None:
        """Hand out the last layer's cross-attention weights, the mean over heads, where asked for.

        MultiHeadAttention does not show them, so they are computed a second time.
        """
        condition = step_input(self.graph, names.WITH_ATTENTION)
        self.graph.when(condition, partial(self._weights, keys), names.ATTENTION)
        self.graph.output(names.ATTENTION, np.float32, ["rows", names.SRC_LEN])

    def _weights(self, keys: str) -> str:
        graph = self.graph
        query = graph.reshape(self.query, self.grid, self.n_heads, self.d_head)
        query = graph.op("Transpose", query, perm=[0, 2, 1, 3])  # sentences, heads, width, d_head
        scores = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        scale = graph.constant(1 / math.sqrt(self.d_head), np.float32)
        lowest = graph.constant(-np.inf, np.float32)
        mask = graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2]))
        scores = graph.op("Where", mask, graph.op("Mul", scores, scale), lowest)
        weights = graph.op("Softmax", scores, axis=-1)
        mean = graph.op("ReduceMean", weights, graph.constant([1]), keepdims=0)
        src_len = graph.size(self.src_mask, 1)
        return graph.op("Gather", graph.reshape(mean, -1, src_len), self.live)


def memory_names(n_layers: int) -> list[str]:
    """Cross-attention keys and values of each layer, in turn."""
    return [names.MEMORY + name for name in cache_names(n_layers)]


def cache_names(n_layers: int) -> list[str]:
    """Keys and values of each layer, in turn."""
    return [f"{part}.{i}" for i in range(n_layers) for part in ("keys", "values")]
