"""The Transformer's graphs, from its weights; the mirror of `training.models.transformer`.

All positions stand in one axis, (n, d_model), so that every linear layer is one matrix product with
its bias inside; sentences come apart only where they attend.
"""

import math
from collections.abc import Iterable
from functools import partial
from typing import Protocol, cast

import numpy as np
import onnx
from torch import nn

from mt import graph_signature as names
from training.export.graph import MICROSOFT, Axes, Ranges
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.export.transformer_parts import Parts
from training.models.attention import CrossAttention, SelfAttention
from training.models.positions import InputPositions, RecurrentPositions, RelativePositions
from training.models.transformer import Encoder, Transformer
from training.models.transformer_config import EncoderConfig
from training.models.transformer_layers import DecoderLayer, EncoderLayer

READ = "read"  # the state of recurrent positions


def transformer_graphs(model: Transformer, ranges: Ranges, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    return GraphPair(_Encoder(model, ranges, limits).build(), _Step(model, ranges, limits).build())


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

    def __init__(self, model: EncodingModel, ranges: Ranges, limits: Limits) -> None:
        super().__init__("encoder", model.config, ranges, limits.max_positions)
        self.model = model
        self.src_ids, self.src_mask = source(self.graph)
        self.mask = self.graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT32)
        self.shape = self.graph.op("Shape", self.src_ids)  # batch, src_len

    def states(self) -> str:
        """What the last layer makes of all tokens (batch * src_len, d_model)."""
        graph, model = self.graph, self.model
        embedded = self.embed(model.src_embedding, self.src_ids)
        x = graph.reshape(self.add_positions(embedded), -1, self.config.d_model)
        for layer in cast(Iterable[EncoderLayer], model.encoder.layers):
            attention = partial(self.self_attention, layer.self_attention)
            x = self.residual(layer.self_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        return graph.norm(x, model.encoder.norm)

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
        return graph.op("ConstantOfShape", shape, name=name)

    def self_attention(self, layer: SelfAttention, x: str) -> str:
        """(batch * src_len, d_model) -> the same shape, sections 3.2.2 and 3.2.3."""
        graph = self.graph
        qkv = graph.reshape(graph.linear(x, layer.qkv), self.shape, 3 * self.config.d_model)
        query, keys, values = graph.ops("Split", qkv, outputs=3, axis=2, num_outputs=3)
        if layer.is_rotary:
            start = graph.constant([0])
            query, keys = self.rotate(query, start), self.rotate(keys, start)
        if layer.relative is not None:
            heads = [self.heads(part, self.shape) for part in (query, keys, values)]
            rows = self.rows(layer.relative, self.distances())
            mask = graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2]))
            context = self.attend_by_distance(layer.relative, heads, self.bias(mask), rows)
        else:
            context = graph.op(
                "MultiHeadAttention",
                *(query, keys, values, "", self.mask),
                domain=MICROSOFT,
                num_heads=layer.n_heads,
            )
        return graph.linear(graph.reshape(context, -1, self.config.d_model), layer.output)

    def distances(self) -> str:
        """Of every key from every query (src_len, src_len)."""
        graph = self.graph
        length = graph.op("Squeeze", graph.size(self.src_ids, 1))
        places = graph.op("Range", graph.constant(0), length, graph.constant(1))
        return graph.op("Sub", places, graph.op("Unsqueeze", places, graph.constant([1])))


class _Encoder(EncoderStack):
    """src_ids -> the cross-attention keys and values of every decoder layer."""

    def __init__(self, model: Transformer, ranges: Ranges, limits: Limits) -> None:
        super().__init__(model, ranges, limits)
        self.decoder, self.tgt_positions = model.decoder, model.tgt_positions

    def build(self) -> onnx.ModelProto:
        self.keys_values(self.states())
        if isinstance(self.tgt_positions, RecurrentPositions):
            start = self.first_state(name=names.START + READ)
            self.graph.output(start, np.float32, ["batch", self.config.d_model])
        return self.graph.model()

    def keys_values(self, x: str) -> None:
        """Project encoder states for all decoder layers at once and hand them out."""
        graph, n_heads = self.graph, self.config.n_heads
        decoder = cast(Iterable[DecoderLayer], self.decoder.layers)
        layers = [layer.cross_attention.key_value for layer in decoder]
        n_parts, d_head = 2 * len(layers), self.config.d_model // n_heads
        packed = graph.reshape(graph.linear(x, *layers), self.shape, n_parts, n_heads, d_head)
        heads = graph.op("Transpose", packed, perm=[2, 0, 3, 1, 4])
        parts = graph.ops("Split", heads, outputs=n_parts, axis=0, num_outputs=n_parts)
        for part, name in zip(parts, memory_names(len(layers)), strict=True):
            graph.op("Squeeze", part, graph.constant([0]), name=name)
            graph.output(name, np.float32, ["batch", n_heads, names.SRC_LEN, d_head])


class _Step(Parts):
    """One decoding step: caches are reordered, grow by one entry, and are attended to."""

    def __init__(self, model: Transformer, ranges: Ranges, limits: Limits) -> None:
        super().__init__("step", model.config, ranges, limits.max_positions)
        graph, self.model, self.limits = self.graph, model, limits
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
        caches = [self.cache(name, self.parents) for name in cache_names(n_layers)]
        memory = [self.memory(name) for name in memory_names(n_layers)]
        self.written = self.bias(self.is_written(caches[0], self.positions))
        embedded = self.embed(model.tgt_embedding, graph.reshape(self.last_ids, -1))
        x = self.add_positions(embedded)
        for i, layer in enumerate(cast(Iterable[DecoderLayer], model.decoder.layers)):
            attention = partial(self.self_attention, layer.self_attention, i, caches[2 * i :])
            x = self.residual(layer.self_attention_residual, x, attention)
            attention = partial(self.cross_attention, layer.cross_attention, memory[2 * i :])
            x = self.residual(layer.cross_attention_residual, x, attention)
            feed_forward = partial(self.feed_forward, layer.feed_forward)
            x = self.residual(layer.feed_forward_residual, x, feed_forward)
        self.attention_weights(memory[-2])
        hidden = graph.norm(x, model.decoder.norm)
        choose_best(graph, hidden, self.live, model.output, self.limits.never_emitted)
        return graph.model()

    def add_positions(self, x: str) -> str:
        """Where each cell of x (cells, d_model) stands, as far as x says so."""
        graph, places = self.graph, self.model.tgt_positions
        if isinstance(places, RecurrentPositions):
            axes: Axes = ["entries", self.config.d_model]
            before = graph.input(names.STATE + READ, np.float32, axes)
            before = graph.op("Gather", before, self.parents)
            read = self.read(places, x, before, name=names.NEXT + READ)
            graph.output(read, np.float32, ["cells", self.config.d_model])
            return graph.op("Add", x, read)
        table = self.encodings(places)
        return x if table is None else graph.op("Add", x, graph.op("Gather", table, self.positions))

    def self_attention(self, layer: SelfAttention, i: int, caches: list[str], x: str) -> str:
        """(cells, d_model) -> the same shape: each cell over its own cache, section 3.2.3."""
        graph = self.graph
        qkv = graph.reshape(graph.linear(x, layer.qkv), -1, 1, 3 * self.config.d_model)
        query, keys, values = graph.ops("Split", qkv, outputs=3, axis=2, num_outputs=3)
        grown = [names.NEXT + name for name in cache_names(i + 1)[-2:]]
        if layer.is_rotary:
            place = graph.reshape(self.positions, -1, 1)  # cells, 1
            query, keys = self.rotate(query, place), self.rotate(keys, place)
        if layer.relative is not None:
            context = self.by_distance(layer.relative, (query, keys, values), caches, grown)
        else:
            context, *_ = graph.ops(
                "MultiHeadAttention",
                *(query, keys, values, "", "", self.written, *caches[:2]),
                names=[f"self_context_{i}", *grown],
                domain=MICROSOFT,
                num_heads=self.n_heads,
            )
        return graph.linear(graph.reshape(context, -1, self.config.d_model), layer.output)

    def by_distance(
        self, relative: RelativePositions, qkv: tuple[str, ...], caches: list[str], grown: list[str]
    ) -> str:
        """Context (cells, d_model) of relative positions; caches, grown by one, get these names."""
        graph = self.graph
        query, *new = (self.heads(x, graph.op("Shape", x, end=2)) for x in qkv)
        keys, values = (
            graph.op("Concat", old, one, axis=2, name=name)
            for old, one, name in zip(caches, new, grown, strict=False)
        )
        newest = graph.op("Sub", graph.op("Squeeze", graph.size(keys, 2)), graph.constant(1))
        first = graph.op("Neg", newest)
        distances = graph.op("Range", first, graph.constant(1), graph.constant(1))
        rows = self.rows(relative, graph.op("Unsqueeze", distances, graph.constant([0])))
        return self.attend_by_distance(relative, (query, keys, values), self.written, rows)

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
