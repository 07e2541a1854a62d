"""The Transformer's graphs, from its weights; the mirror of `training.models.transformer`."""

import math
from collections.abc import Iterable
from functools import cached_property, partial
from typing import Protocol, cast

import numpy as np
import onnx
from torch import nn

from mt import graph_signature as names
from training.export.graph import MICROSOFT, Arithmetic
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.export.transformer_parts import Parts
from training.models.attention import CrossAttention, SelfAttention
from training.models.positions import InputPositions, RecurrentPositions
from training.models.transformer import Encoder, Transformer
from training.models.transformer_config import EncoderConfig
from training.models.transformer_layers import DecoderLayer, EncoderLayer

READ = "read"  # the state of recurrent positions


def transformer_graphs(model: Transformer, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    encoder, step = _Encoder(model, arithmetic, limits), _Step(model, arithmetic, limits)
    return GraphPair(encoder.build(), step.build())


class EncodingModel(Protocol):
    """A model whose encoder is a Transformer's."""

    @property
    def config(self) -> EncoderConfig:
        """Its sizes and choices."""

    src_embedding: nn.Embedding
    src_positions: InputPositions
    encoder: Encoder


class EncoderStack(Parts):
    """The encoder graph of any such model, as far as the states of its last layer."""

    def __init__(self, model: EncodingModel, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__("encoder", model.config, arithmetic, limits.max_positions)
        self.model = model
        self.src_ids, self.src_mask = source(self.graph)
        self.mask = self.graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT32)

    def states(self) -> str:
        """What the last layer makes of all tokens (batch, src_len, d_model)."""
        model = self.model
        x = self.add_positions(self.embed(model.src_embedding, self.src_ids))
        for layer in cast(Iterable[EncoderLayer], model.encoder.layers):
            attention = partial(self.self_attention, layer.self_attention)
            x = self.residual(layer.self_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        return self.graph.norm(x, model.encoder.norm)

    def add_positions(self, x: str) -> str:
        """Where each token of x (batch, src_len, d_model) stands, as far as x says so."""
        graph, places = self.graph, self.model.src_positions
        if isinstance(places, RecurrentPositions):

            def step(state: str, word: str) -> str:
                return self.read(places, word, state)

            return graph.op("Add", x, graph.scan(step, self.first_state(), x, axis=1))
        table = self.encodings(places)
        if table is None:
            return x
        zero, length = graph.constant([0]), graph.size(self.src_ids, 1)
        return graph.op("Add", x, graph.op("Slice", table, zero, length, zero))

    def first_state(self, name: str = "") -> str:
        """Zeros (batch, d_model), from which recurrent positions start."""
        graph, d_model = self.graph, self.config.d_model
        shape = graph.op("Concat", graph.size(self.src_ids, 0), graph.constant([d_model]), axis=0)
        return graph.zeros(shape, name)

    def self_attention(self, layer: SelfAttention, x: str) -> str:
        """(batch, src_len, d_model) -> the same shape, sections 3.2.2 and 3.2.3."""
        graph = self.graph
        qkv = graph.ops("Split", self.linear(x, layer.qkv), outputs=3, axis=2, num_outputs=3)
        query, keys, values = qkv
        if layer.is_rotary:
            start = graph.constant([0])
            query, keys = self.rotate(query, start), self.rotate(keys, start)
        if layer.relative is not None:
            rows = self.rows(layer.relative, self.distances())
            mask = graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2]))
            heads = [self.heads(part) for part in (query, keys, values)]
            context = self.attend_by_distance(layer.relative, heads, self.bias(mask), rows)
        else:
            context = graph.op(
                "MultiHeadAttention",
                *(query, keys, values, "", self.mask),
                domain=MICROSOFT,
                num_heads=layer.n_heads,
            )
        return self.linear(context, layer.output)

    def distances(self) -> str:
        """Of every key from every query (1, src_len, src_len)."""
        graph = self.graph
        length = graph.op("Squeeze", graph.size(self.src_ids, 1))
        places = graph.op("Range", graph.constant(0), length, graph.constant(1))
        places = graph.op("Unsqueeze", places, graph.constant([0]))
        return graph.op("Sub", places, graph.op("Unsqueeze", places, graph.constant([2])))


class _Encoder(EncoderStack):
    """src_ids -> the cross-attention keys and values of every decoder layer."""

    def __init__(self, model: Transformer, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__(model, arithmetic, limits)
        self.decoder, self.tgt_positions = model.decoder, model.tgt_positions

    def build(self) -> onnx.ModelProto:
        self.keys_values(self.states())
        if isinstance(self.tgt_positions, RecurrentPositions):
            start = self.first_state(name=names.START + READ)
            self.graph.output(start, self.graph.floats, ["batch", self.config.d_model])
        return self.graph.model()

    def keys_values(self, x: str) -> None:
        """Project encoder states for all decoder layers at once and hand them out."""
        graph, n_heads = self.graph, self.config.n_heads
        decoder = cast(Iterable[DecoderLayer], self.decoder.layers)
        layers = [layer.cross_attention.key_value for layer in decoder]
        n_parts, d_head = 2 * len(layers), self.config.d_model // n_heads
        packed = graph.reshape(self.linear(x, *layers), 0, 0, n_parts, n_heads, d_head)
        heads = graph.op("Transpose", packed, perm=[2, 0, 3, 1, 4])
        parts = graph.ops("Split", heads, outputs=n_parts, axis=0, num_outputs=n_parts)
        for part, name in zip(parts, memory_names(len(layers)), strict=True):
            graph.op("Squeeze", part, graph.constant([0]), name=name)
            graph.output(name, graph.floats, ["batch", n_heads, names.SRC_LEN, d_head])


class _Step(Parts):
    """One decoding step: each cell writes an entry into the caches and attends to what it sees."""

    def __init__(self, model: Transformer, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__("step", model.config, arithmetic, limits.max_positions)
        graph, self.model, self.limits = self.graph, model, limits
        self.last_ids = step_input(graph, names.LAST_IDS)
        self.live = step_input(graph, names.LIVE)
        self.entries, self.seen = self.cache_places(), self.cache_bias()
        self.src_mask = step_input(graph, names.SRC_MASK)
        self.source_mask = graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT32)

    @cached_property
    def positions(self) -> str:
        """Tokens that each cell has decoded (sentences, width)."""
        return step_input(self.graph, names.POSITIONS)

    @cached_property
    def distances(self) -> str:
        """Of every entry from every cell (sentences, width, cache_len)."""
        graph = self.graph
        entries = step_input(graph, names.CACHE_POSITIONS)
        entries = graph.op("Unsqueeze", entries, graph.constant([1]))
        return graph.op("Sub", entries, graph.op("Unsqueeze", self.positions, graph.constant([2])))

    def build(self) -> onnx.ModelProto:
        graph, model = self.graph, self.model
        layers = cast(Iterable[DecoderLayer], model.decoder.layers)
        memory = [self.memory(name) for name in memory_names(len(model.decoder.layers))]
        x = self.add_positions(self.embed(model.tgt_embedding, self.last_ids))
        for i, layer in enumerate(layers):
            attention = partial(self.self_attention, layer.self_attention, i)
            x = self.residual(layer.self_attention_residual, x, attention)
            attention = partial(self.cross_attention, layer.cross_attention, memory[2 * i :])
            x = self.residual(layer.cross_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        self.attention_weights(memory[-2])
        hidden = graph.reshape(graph.norm(x, model.decoder.norm), -1, self.config.d_model)
        choose_best(graph, hidden, self.live, model.output, self.limits)
        return graph.model()

    def add_positions(self, x: str) -> str:
        """Where each cell of x (sentences, width, d_model) stands, as far as x says so."""
        graph, places, d_model = self.graph, self.model.tgt_positions, self.config.d_model
        if isinstance(places, RecurrentPositions):
            before = graph.input(names.STATE + READ, graph.floats, ["entries", d_model])
            before = graph.op("Gather", before, step_input(graph, names.PARENTS))
            read = self.read(places, graph.reshape(x, -1, d_model), before, names.NEXT + READ)
            graph.output(read, graph.floats, ["cells", d_model])
            return graph.op("Add", x, graph.op("Reshape", read, graph.op("Shape", x)))
        table = self.encodings(places)
        return x if table is None else graph.op("Add", x, graph.op("Gather", table, self.positions))

    def self_attention(self, layer: SelfAttention, i: int, x: str) -> str:
        """(sentences, width, d_model) -> the same shape: the cells' own past, section 3.2.3."""
        graph = self.graph
        qkv = graph.ops("Split", self.linear(x, layer.qkv), outputs=3, axis=2, num_outputs=3)
        query, *new = qkv
        if layer.is_rotary:
            query, new[0] = self.rotate(query, self.positions), self.rotate(new[0], self.positions)
        caches = [
            self.written(name, one, self.entries)
            for name, one in zip(cache_names(i + 1)[-2:], new, strict=True)
        ]
        if layer.relative is not None:
            rows = self.rows(layer.relative, self.distances)
            heads = [self.heads(query), *caches]
            context = self.attend_by_distance(layer.relative, heads, self.seen, rows)
        else:
            context = graph.op(
                "MultiHeadAttention",
                *(query, *caches, "", "", self.seen),
                domain=MICROSOFT,
                num_heads=self.n_heads,
            )
        return self.linear(context, layer.output)

    def cross_attention(self, layer: CrossAttention, memory: list[str], x: str) -> str:
        """(sentences, width, d_model) -> the same shape, over the source."""
        self.query = self.linear(x, layer.query)
        context = self.graph.op(
            "MultiHeadAttention",
            *(self.query, *memory[:2], "", self.source_mask),
            domain=MICROSOFT,
            num_heads=self.n_heads,
        )
        return self.linear(context, layer.output)

    def attention_weights(self, keys: str) -> None:
        """Hand out the last layer's cross-attention weights, the mean over heads, where asked for.

        MultiHeadAttention does not show them, so they are computed a second time.
        """
        condition = step_input(self.graph, names.WITH_ATTENTION)
        self.graph.when(condition, partial(self._weights, keys), names.ATTENTION)
        self.graph.output(names.ATTENTION, self.graph.floats, ["rows", names.SRC_LEN])

    def _weights(self, keys: str) -> str:
        graph = self.graph
        query = self.heads(self.query)
        scores = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        scale = graph.number(1 / math.sqrt(self.d_head))
        lowest = graph.number(-np.inf)
        mask = graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2]))
        scores = graph.op("Where", mask, graph.op("Mul", scores, scale), lowest)
        weights = graph.softmax(scores)
        mean = graph.op("ReduceMean", weights, graph.constant([1]), keepdims=0)
        src_len = graph.size(self.src_mask, 1)
        return graph.op("Gather", graph.reshape(mean, -1, src_len), self.live)


def memory_names(n_layers: int) -> list[str]:
    """Cross-attention keys and values of each layer, in turn."""
    return [names.MEMORY + name for name in cache_names(n_layers)]


def cache_names(n_layers: int) -> list[str]:
    """Keys and values of each layer, in turn."""
    return [f"{part}.{i}" for i in range(n_layers) for part in ("keys", "values")]
