"""The decoder-only model's graphs, from its weights; the mirror of `training.models.decoder_only`.

The source's keys and values are memory, once a sentence; each cell attends to them and to its own
cache in one softmax.
"""

import math
from collections.abc import Iterable
from functools import partial
from typing import cast

import numpy as np
import onnx

from mt import graph_signature as names
from training.export.graph import Ranges
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.export.transformer import cache_names, memory_names
from training.export.transformer_parts import Parts
from training.models.attention import SelfAttention
from training.models.decoder_only import DecoderOnly, Layer


def decoder_only_graphs(model: DecoderOnly, ranges: Ranges, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    return GraphPair(_Source(model, ranges, limits).build(), _Step(model, ranges, limits).build())


class _Stack(Parts):
    """What reading the source and writing the target have in common."""

    def __init__(self, name: str, model: DecoderOnly, ranges: Ranges, limits: Limits) -> None:
        super().__init__(name, model.config, ranges, limits.max_positions)
        self.model = model
        self.layers = list(cast(Iterable[Layer], model.layers))

    def through(self, i: int, x: str, attention: "partial[str]") -> str:
        """Pass x (n, d_model) through layer i, whose attention is given."""
        layer = self.layers[i]
        x = self.residual(layer.self_attention_residual, x, attention)
        feed_forward = partial(self.feed_forward, layer.feed_forward)
        return self.residual(layer.feed_forward_residual, x, feed_forward)

    def qkv(self, layer: SelfAttention, x: str, shape: str, positions: str) -> list[str]:
        """Queries, keys and values (batch, n_heads, length, d_head) of x (n, d_model)."""
        graph = self.graph
        packed = graph.reshape(graph.linear(x, layer.qkv), shape, 3 * self.config.d_model)
        query, keys, values = graph.ops("Split", packed, outputs=3, axis=2, num_outputs=3)
        if layer.is_rotary:
            query, keys = self.rotate(query, positions), self.rotate(keys, positions)
        return [self.heads(part, shape) for part in (query, keys, values)]

    def scores(self, query: str, keys: str) -> str:
        """(batch, n_heads, n_queries, n_keys)."""
        graph, scale = self.graph, self.graph.constant(1 / math.sqrt(self.d_head), np.float32)
        product = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        return graph.op("Mul", product, scale)

    def merged(self, context: str) -> str:
        """(batch, n_heads, length, d_head) -> (batch * length, d_model)."""
        by_length = self.graph.op("Transpose", context, perm=[0, 2, 1, 3])
        return self.graph.reshape(by_length, -1, self.config.d_model)


class _Source(_Stack):
    """src_ids -> the keys and values of every layer."""

    def __init__(self, model: DecoderOnly, ranges: Ranges, limits: Limits) -> None:
        super().__init__("encoder", model, ranges, limits)
        graph = self.graph
        self.src_ids, src_mask = source(graph)
        self.shape = graph.op("Shape", self.src_ids)  # batch, src_len
        self.length = graph.size(self.src_ids, 1)
        mask = graph.op("Unsqueeze", src_mask, graph.constant([1, 2]))  # (batch, 1, 1, src_len)
        if model.config.source_mask == "causal":
            mask = graph.op("And", mask, self.causal())
        self.seen = self.bias(mask)

    def build(self) -> onnx.ModelProto:
        graph = self.graph
        x = self.embed(self.model.embedding, self.src_ids)
        table, zero = self.encodings(self.model.places), graph.constant([0])
        if table is not None:
            x = graph.op("Add", x, graph.op("Slice", table, zero, self.length, zero))
        x = graph.reshape(x, -1, self.config.d_model)
        for i, layer in enumerate(self.layers):
            attention = partial(self.attention, layer.self_attention, i)
            x = self.through(i, x, attention)
        return graph.model()

    def causal(self) -> str:
        """(src_len, src_len), True at a key no later than the query."""
        graph = self.graph
        end = graph.op("Squeeze", self.length)
        places = graph.op("Range", graph.constant(0), end, graph.constant(1))
        queries = graph.op("Unsqueeze", places, graph.constant([1]))
        return graph.op("LessOrEqual", places, queries)

    def attention(self, layer: SelfAttention, i: int, x: str) -> str:
        """(batch * src_len, d_model) -> the same shape; keys and values are handed out."""
        graph = self.graph
        query, *pair = self.qkv(layer, x, self.shape, graph.constant([0]))
        for part, name in zip(pair, memory_names(i + 1)[-2:], strict=True):
            graph.op("Identity", part, name=name)
            graph.output(name, np.float32, ["batch", self.n_heads, names.SRC_LEN, self.d_head])
        keys, values = pair
        scores = graph.op("Add", self.scores(query, keys), self.seen)
        context = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), values)
        return graph.linear(self.merged(context), layer.output)


class _Step(_Stack):
    """One decoding step: each cell attends to its sentence and to its own cache."""

    def __init__(self, model: DecoderOnly, ranges: Ranges, limits: Limits) -> None:
        super().__init__("step", model, ranges, limits)
        graph, self.limits = self.graph, limits
        self.last_ids = step_input(graph, names.LAST_IDS)
        self.grid = graph.op("Shape", self.last_ids)  # sentences, width
        self.written = step_input(graph, names.POSITIONS)  # sentences, width
        self.parents = step_input(graph, names.PARENTS)
        self.live = step_input(graph, names.LIVE)
        self.src_mask = step_input(graph, names.SRC_MASK)
        self.cells = graph.op("Concat", graph.size(self.parents, 0), graph.constant([1]), axis=0)

    def build(self) -> onnx.ModelProto:
        graph, n_layers = self.graph, len(self.layers)
        memory = [self.memory(name) for name in memory_names(n_layers)]
        caches = [self.cache(name, self.parents) for name in cache_names(n_layers)]
        self.source_bias = self.bias(graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2])))
        self.own_bias = self.bias(self.is_written(caches[0], self.written))
        self.positions = self.places_in_sequence()
        x = self.embed(self.model.embedding, graph.reshape(self.last_ids, -1))
        table = self.encodings(self.model.places)
        if table is not None:
            x = graph.op("Add", x, graph.op("Gather", table, graph.reshape(self.positions, -1)))
        for i, layer in enumerate(self.layers):
            attention = partial(
                self.attention, layer.self_attention, i, memory[2 * i :], caches[2 * i :]
            )
            x = self.through(i, x, attention)
        hidden = graph.norm(x, self.model.norm)
        choose_best(graph, hidden, self.live, self.model.output, self.limits.never_emitted)
        return graph.model()

    def places_in_sequence(self) -> str:
        """Position of each cell's token (cells, 1): the target goes on where its source ends."""
        graph = self.graph
        tokens = graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT64)
        lengths = graph.op("ReduceSum", tokens, graph.constant([1]))  # (sentences, 1)
        return graph.reshape(graph.op("Add", self.written, lengths), -1, 1)

    def attention(
        self, layer: SelfAttention, i: int, memory: list[str], caches: list[str], x: str
    ) -> str:
        """(cells, d_model) -> the same shape."""
        graph = self.graph
        query, *new = self.qkv(layer, x, self.cells, self.positions)
        grown = [names.NEXT + name for name in cache_names(i + 1)[-2:]]
        keys, values = (
            graph.op("Concat", old, one, axis=2, name=name)
            for old, one, name in zip(caches, new, grown, strict=False)
        )
        by_sentence = self.by_sentence(query)
        of_source = graph.op("Add", self.scores(by_sentence, memory[0]), self.source_bias)
        if i == len(self.layers) - 1:
            self.hand_out_attention(of_source)
        of_own = graph.op("Add", self.scores(query, keys), self.own_bias)
        scores = graph.op("Concat", self.by_cell(of_source), of_own, axis=3)
        weights = graph.op("Softmax", scores, axis=-1)
        sizes = graph.op("Concat", graph.size(memory[0], 2), graph.size(keys, 2), axis=0)
        to_source, to_own = graph.ops("Split", weights, sizes, outputs=2, axis=3)
        context = graph.op("MatMul", self.by_sentence(to_source), memory[1])
        context = graph.op("Add", self.by_cell(context), graph.op("MatMul", to_own, values))
        return graph.linear(self.merged(context), layer.output)

    def by_sentence(self, x: str) -> str:
        """(cells, n_heads, 1, d) -> (sentences, n_heads, width, d)."""
        split = self.graph.reshape(x, self.grid, self.n_heads, self.graph.size(x, 3))
        return self.graph.op("Transpose", split, perm=[0, 2, 1, 3])

    def by_cell(self, x: str) -> str:
        """(sentences, n_heads, width, d) -> (cells, n_heads, 1, d)."""
        by_width = self.graph.op("Transpose", x, perm=[0, 2, 1, 3])
        return self.graph.reshape(by_width, -1, self.n_heads, 1, self.graph.size(x, 3))

    def hand_out_attention(self, of_source: str) -> None:
        """Weights over the source alone of the live cells, the mean over heads, where asked for."""
        condition = step_input(self.graph, names.WITH_ATTENTION)

        def weights() -> str:
            graph = self.graph
            each_head = graph.op("Softmax", of_source, axis=-1)
            mean = graph.op("ReduceMean", each_head, graph.constant([1]), keepdims=0)
            flat = graph.reshape(mean, -1, graph.size(self.src_mask, 1))
            return graph.op("Gather", flat, self.live)

        self.graph.when(condition, weights, names.ATTENTION)
        self.graph.output(names.ATTENTION, np.float32, ["rows", names.SRC_LEN])
