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
from training.export.graph import Arithmetic
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.export.transformer import cache_names, memory_names
from training.export.transformer_parts import Parts
from training.models.attention import SelfAttention
from training.models.decoder_only import DecoderOnly, Layer

VECTOR = 16  # the most numbers that a processor adds up at once, those of AVX-512


def decoder_only_graphs(model: DecoderOnly, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    encoder, step = _Source(model, arithmetic, limits), _Step(model, arithmetic, limits)
    return GraphPair(encoder.build(), step.build())


class _Stack(Parts):
    """What reading the source and writing the target have in common."""

    def __init__(
        self, name: str, model: DecoderOnly, arithmetic: Arithmetic, limits: Limits
    ) -> None:
        super().__init__(name, model.config, arithmetic, limits.max_positions)
        self.model = model
        self.layers = list(cast(Iterable[Layer], model.layers))

    def through(self, i: int, x: str, attention: "partial[str]") -> str:
        """Pass x through layer i, whose attention is given."""
        layer = self.layers[i]
        x = self.residual(layer.self_attention_residual, x, attention)
        feed_forward = partial(self.feed_forward, layer.feed_forward)
        return self.residual(layer.feed_forward_residual, x, feed_forward)

    def qkv(self, layer: SelfAttention, x: str, positions: str) -> list[str]:
        """Queries, keys and values (batch, length, d_model) of x."""
        packed = self.linear(x, layer.qkv)
        query, keys, values = self.graph.ops("Split", packed, outputs=3, axis=2, num_outputs=3)
        if layer.is_rotary:
            query, keys = self.rotate(query, positions), self.rotate(keys, positions)
        return [query, keys, values]

    def scores(self, query: str, keys: str) -> str:
        """(batch, n_heads, n_queries, n_keys)."""
        graph, scale = self.graph, self.graph.number(1 / math.sqrt(self.d_head))
        product = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        return graph.op("Mul", product, scale)


class _Source(_Stack):
    """src_ids -> the keys and values of every layer."""

    def __init__(self, model: DecoderOnly, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__("encoder", model, arithmetic, limits)
        graph = self.graph
        self.src_ids, src_mask = source(graph)
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
        """(batch, src_len, d_model) -> the same shape; keys and values are handed out."""
        graph = self.graph
        query, *pair = (self.heads(part) for part in self.qkv(layer, x, graph.constant([0])))
        for part, name in zip(pair, memory_names(i + 1)[-2:], strict=True):
            graph.op("Identity", part, name=name)
            graph.output(name, graph.floats, ["batch", self.n_heads, names.SRC_LEN, self.d_head])
        keys, values = pair
        scores = graph.op("Add", self.scores(query, keys), self.seen)
        context = graph.op("MatMul", graph.softmax(scores), values)
        return self.linear(self.merged(context), layer.output)


class _Step(_Stack):
    """One decoding step: each cell attends to its sentence and to its own past."""

    def __init__(self, model: DecoderOnly, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__("step", model, arithmetic, limits)
        graph, self.limits = self.graph, limits
        self.last_ids = step_input(graph, names.LAST_IDS)
        self.decoded = step_input(graph, names.POSITIONS)  # sentences, width
        self.live = step_input(graph, names.LIVE)
        self.entries, self.seen = self.cache_places(), self.cache_bias()
        self.src_mask = step_input(graph, names.SRC_MASK)

    def build(self) -> onnx.ModelProto:
        graph = self.graph
        memory = [self.memory(name) for name in memory_names(len(self.layers))]
        self.source_bias = self.bias(graph.op("Unsqueeze", self.src_mask, graph.constant([1, 2])))
        self.positions = self.places_in_sequence()
        self.filling = self.up_to_whole_vectors()
        x = self.embed(self.model.embedding, self.last_ids)
        table = self.encodings(self.model.places)
        if table is not None:
            x = graph.op("Add", x, graph.op("Gather", table, self.positions))
        for i, layer in enumerate(self.layers):
            attention = partial(self.attention, layer.self_attention, i, memory[2 * i :])
            x = self.through(i, x, attention)
        hidden = graph.reshape(graph.norm(x, self.model.norm), -1, self.config.d_model)
        choose_best(graph, hidden, self.live, self.model.output, self.limits)
        return graph.model()

    def places_in_sequence(self) -> str:
        """Where each cell's token stands (sentences, width): behind its source and its past."""
        graph = self.graph
        tokens = graph.op("Cast", self.src_mask, to=onnx.TensorProto.INT64)
        lengths = graph.op("ReduceSum", tokens, graph.constant([1]))  # (sentences, 1)
        return graph.op("Add", self.decoded, lengths)

    def up_to_whole_vectors(self) -> str:
        """Scores of nobody (sentences, n_heads, width, 0 to 15) to put behind the caches'."""
        graph, size = self.graph, self.graph.constant([VECTOR])
        missing = graph.op("Mod", graph.op("Neg", graph.size(self.seen, 3)), size)
        cells = graph.size(self.seen, 0), graph.constant([self.n_heads]), graph.size(self.seen, 2)
        shape = graph.op("Concat", *cells, missing, axis=0)
        return graph.op("Expand", graph.number(-np.inf), shape)

    def attention(self, layer: SelfAttention, i: int, memory: list[str], x: str) -> str:
        """(sentences, width, d_model) -> the same shape.

        A cell's own past stands before its source. However long the caches are, the source begins
        with a new vector, so that its weights are summed in the same order in every batch.
        """
        graph = self.graph
        query, *new = self.qkv(layer, x, self.positions)
        query = self.heads(query)
        keys, values = (
            self.written(name, one, self.entries)
            for name, one in zip(cache_names(i + 1)[-2:], new, strict=True)
        )
        of_source = graph.op("Add", self.scores(query, memory[0]), self.source_bias)
        if i == len(self.layers) - 1:
            self.hand_out_attention(of_source)
        of_own = graph.op("Add", self.scores(query, keys), self.seen)
        parts = of_own, self.filling, of_source
        weights = graph.softmax(graph.op("Concat", *parts, axis=3))
        sizes = graph.op("Concat", *(graph.size(part, 3) for part in parts), axis=0)
        to_own, _, to_source = graph.ops("Split", weights, sizes, outputs=3, axis=3)
        contexts = graph.op("MatMul", to_own, values), graph.op("MatMul", to_source, memory[1])
        return self.linear(self.merged(graph.op("Add", *contexts)), layer.output)

    def hand_out_attention(self, of_source: str) -> None:
        """Weights over the source alone of the live cells, the mean over heads, where asked for."""
        condition = step_input(self.graph, names.WITH_ATTENTION)

        def weights() -> str:
            graph = self.graph
            each_head = graph.softmax(of_source)
            mean = graph.op("ReduceMean", each_head, graph.constant([1]), keepdims=0)
            flat = graph.reshape(mean, -1, graph.size(self.src_mask, 1))
            return graph.op("Gather", flat, self.live)

        self.graph.when(condition, weights, names.ATTENTION)
        self.graph.output(names.ATTENTION, self.graph.floats, ["rows", names.SRC_LEN])
