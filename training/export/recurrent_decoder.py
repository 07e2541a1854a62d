"""The stacked recurrent decoder's part of both graphs; mirror of its namesake in `models`.

Cells of the grid stand in one axis, (cells, d), and come apart by sentence only to attend.
"""

import math

import numpy as np
import onnx
from torch import nn

from mt import graph_signature as names
from training.export import cells
from training.export.graph import Arithmetic, GraphBuilder
from training.export.gru import gate_norm
from training.export.signature import Limits, choose_best, step_input
from training.models.luong_attention import AdditiveScore, GeneralScore, Score
from training.models.recurrent_decoder import Decoder
from training.models.seq2seq import Seq2Seq

KEYS, VALUES = names.MEMORY + "keys", names.MEMORY + "values"


def start(
    graph: GraphBuilder, decoder: Decoder, values: str, context: str, firsts: list[str]
) -> None:
    """Hand out what decoding begins with, as `Decoder.start`, from the encoder graph.

    values (batch, src_len, value_size); context (batch, value_size); firsts: of each layer its
    first state (batch, state_size).
    """
    for i, (first, cell) in enumerate(zip(firsts, decoder.layers, strict=True)):
        _hand_out(graph, first, f"hidden.{i}", cell.state_size)
    if decoder.feed is not None:
        size = decoder.feed.in_features
        shape = graph.op("Concat", graph.size(values, 0), graph.constant([size]), axis=0)
        _hand_out(graph, graph.zeros(shape), "fed", size)
    if decoder.score is None:
        _hand_out(graph, context, "context", decoder.value_size)
    else:
        _memory(graph, decoder.score, values, decoder.value_size)


def _hand_out(graph: GraphBuilder, value: str, name: str, size: int) -> None:
    graph.op("Identity", value, name=names.START + name)
    graph.output(names.START + name, graph.floats, ["batch", size])


def _memory(graph: GraphBuilder, score: Score, values: str, value_size: int) -> None:
    """What the attention reads, keys projected once."""
    graph.op("Identity", values, name=VALUES)
    graph.output(VALUES, graph.floats, ["batch", names.SRC_LEN, value_size])
    if isinstance(score, AdditiveScore):
        size = score.key.out_features
        keys = graph.linear(graph.reshape(values, -1, value_size), score.key)
        shape = graph.op("Shape", values, start=0, end=2)  # batch, src_len
        graph.reshape(keys, shape, size, name=KEYS)
        graph.output(KEYS, graph.floats, ["batch", names.SRC_LEN, size])


def embed(graph: GraphBuilder, embedding: nn.Embedding, ids: str) -> str:
    """Embed ids (...) -> (..., d), as `scaled_embedding`."""
    found = graph.op("Gather", graph.weight(embedding.weight), ids)
    factor = graph.number(math.sqrt(embedding.embedding_dim))
    return graph.op("Mul", found, factor)


class DecoderStep:
    """One decoding step: the cells, the attention, the output."""

    def __init__(
        self, model: Seq2Seq, decoder: Decoder, embedding: nn.Embedding, arithmetic: Arithmetic
    ) -> None:
        """Start the step graph of a model with this decoder and the embedding it reads."""
        self.graph, self.model, self.decoder = GraphBuilder("step", arithmetic), model, decoder
        self.embedding = embedding
        self.last_ids = step_input(self.graph, names.LAST_IDS)
        self.parents = step_input(self.graph, names.PARENTS)
        self.live = step_input(self.graph, names.LIVE)
        self.grid = self.graph.op("Shape", self.last_ids)  # sentences, width

    def build(self, limits: Limits) -> onnx.ModelProto:
        """The finished graph."""
        graph, decoder = self.graph, self.decoder
        query = self.layers(self.word())
        both = graph.op("Concat", self.context(query), query, axis=1)
        fed = "" if decoder.feed is None else names.NEXT + "fed"
        hidden = graph.op("Tanh", graph.linear(both, decoder.combine), name=fed)
        choose_best(graph, hidden, self.live, self.model.output, limits)
        return graph.model()

    def word(self) -> str:
        """What the lowest cell reads (cells, gates * size), before any norm."""
        graph, feed = self.graph, self.decoder.feed
        embedded = embed(graph, self.embedding, graph.reshape(self.last_ids, -1))
        word = graph.linear(embedded, self.decoder.layers[0].input)
        if feed is None:
            return word
        return graph.op("Add", word, graph.linear(self.state("fed", feed.in_features), feed))

    def layers(self, word: str) -> str:
        """The top output (cells, decoder_size)."""
        graph, below = self.graph, ""
        for i, cell in enumerate(self.decoder.layers):
            inputs = (
                cells.project(graph, cell, below) if i else gate_norm(graph, word, cell.input_norm)
            )
            before = self.state(f"hidden.{i}", cell.state_size)
            after = cells.step(graph, cell, inputs, before, f"{names.NEXT}hidden.{i}")
            output = cells.output(graph, cell, after)
            below = graph.op("Add", below, output) if i else output
        return below

    def state(self, name: str, size: int) -> str:
        """Declare a state and its new value; returns the entry each cell continues."""
        old = self.graph.input(names.STATE + name, self.graph.floats, ["entries", size])
        self.graph.output(names.NEXT + name, self.graph.floats, ["cells", size])
        return self.graph.op("Gather", old, self.parents)

    def context(self, query: str) -> str:
        """What the decoder reads of the source (cells, value_size): by attention, or fixed."""
        size = self.decoder.value_size
        if self.decoder.score is not None:
            return self.attend(self.decoder.score, query, size)
        return self.graph.op("Identity", self.state("context", size), name=names.NEXT + "context")

    def attend(self, score: Score, query: str, value_size: int) -> str:
        """Global attention, section 3.1: the cells of a sentence share its memory."""
        graph = self.graph
        values = graph.input(VALUES, graph.floats, ["sentences", names.SRC_LEN, value_size])
        energies = self.energies(score, query, values)  # sentences, width, src_len
        mask = graph.op("Unsqueeze", step_input(graph, names.SRC_MASK), graph.constant([1]))
        masked = graph.op("Where", mask, energies, graph.number(-np.inf))
        weights = graph.softmax(masked)
        flat = graph.reshape(weights, -1, graph.size(weights, 2))
        graph.op("Gather", flat, self.live, name=names.ATTENTION)
        graph.output(names.ATTENTION, graph.floats, ["rows", names.SRC_LEN])
        return graph.reshape(graph.op("MatMul", weights, values), -1, value_size)

    def energies(self, score: Score, query: str, values: str) -> str:
        """How well each source position answers (sentences, width, src_len)."""
        graph = self.graph
        if isinstance(score, AdditiveScore):
            return self.additive(score, query)
        if isinstance(score, GeneralScore):
            query = graph.linear(query, score.query)
        query = graph.reshape(query, self.grid, self.decoder.value_size)
        return graph.op("MatMul", query, graph.op("Transpose", values, perm=[0, 2, 1]))

    def additive(self, score: AdditiveScore, query: str) -> str:
        """Bahdanau's energies v . tanh(W h_t + U h_s); U h_s comes from the encoder graph."""
        graph, size = self.graph, score.key.out_features
        keys = graph.input(KEYS, graph.floats, ["sentences", names.SRC_LEN, size])
        keys = graph.op("Unsqueeze", keys, graph.constant([1]))  # sentences, 1, src_len, size
        query = graph.reshape(graph.linear(query, score.query), self.grid, 1, size)
        seen = graph.op("Tanh", graph.op("Add", query, keys))  # sentences, width, src_len, size
        return graph.op("MatMul", seen, graph.weight(score.energy))
