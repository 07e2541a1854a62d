"""Parts of the graphs of attending layers; the mirror of `training.models.transformer_layers`.

What flows through them is (sentences, length, d_model) everywhere: the encoder's tokens, or the
cells of the step graph.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from mt import graph_signature as names
from training.export.graph import MICROSOFT, Arithmetic, Axes, GraphBuilder
from training.export.gru import next_state
from training.export.signature import step_input
from training.models.positions import (
    InputPositions,
    LearnedPositions,
    RecurrentPositions,
    RelativePositions,
    Sinusoids,
    positional_encoding,
)
from training.models.transformer_config import StackConfig
from training.models.transformer_layers import FeedForward, Residual

ACTIVATIONS = {"relu": "Relu", "gelu": "Gelu"}


class Parts:
    """A graph being written, and what encoder and decoder have in common."""

    def __init__(
        self, name: str, config: StackConfig, arithmetic: Arithmetic, max_positions: int
    ) -> None:
        """Start an empty graph; tables of positions get so many rows."""
        self.graph, self.config = GraphBuilder(name, arithmetic), config
        self.n_heads, self.d_head = config.n_heads, config.d_head
        self.places = torch.arange(max_positions)

    def embed(self, embedding: nn.Embedding, ids: str) -> str:
        """Embed ids (...) -> (..., d_model), section 3.4."""
        found = self.graph.op("Gather", self.graph.weight(embedding.weight), ids)
        factor = self.graph.number(math.sqrt(self.config.d_model))
        return self.graph.op("Mul", found, factor)

    def encodings(self, places: InputPositions) -> str | None:
        """What is added at each position (max_positions, d_model), where that is a table."""
        if isinstance(places, Sinusoids):
            return self.graph.weight(positional_encoding(self.places, self.config.d_model))
        if isinstance(places, LearnedPositions):
            last = places.table.num_embeddings - 1
            return self.graph.weight(places.table.weight[self.places.clamp(max=last)])
        return None

    def residual(self, around: Residual, x: str, sublayer: Callable[[str], str]) -> str:
        """Pass x through a sub-layer, with its addition and norm, section 3.1."""
        y = sublayer(self.graph.norm(x, around.norm) if around.pre else x)
        total = self.graph.op("Add", x, y)
        return total if around.pre else self.graph.norm(total, around.norm)

    def feed_forward(self, layer: FeedForward, x: str) -> str:
        """Two layers with an activation between them, section 3.3.

        Behind a ReLU, 8 unsigned bits begin at 0: they cut what is negative, and need no ReLU.
        """
        graph, inner = self.graph, self.linear(x, layer.inner)
        if self.config.activation == "swiglu":
            gate, value = graph.ops("Split", inner, outputs=2, axis=2, num_outputs=2)
            gate = graph.op("Mul", gate, graph.op("Sigmoid", gate))
            return self.linear(graph.op("Mul", gate, value), layer.outer)
        if self.config.activation == "relu" and graph.cuts_negative(layer.outer):
            return self.linear(inner, layer.outer)
        return self.linear(graph.op(ACTIVATIONS[self.config.activation], inner), layer.outer)

    def linear(self, x: str, *layers: nn.Linear) -> str:
        """Layers that read the same x, side by side."""
        return self.graph.linear(x, *layers, flat=False)

    def read(self, places: RecurrentPositions, x: str, state: str, name: str = "") -> str:
        """One step of the input layer's GRU: the state (n, d_model) after x (n, d_model)."""
        graph, gru = self.graph, places.gru
        inputs, recurrent = (
            graph.op(
                "Gemm",
                value,
                graph.weight(gru.get_parameter(f"weight_{side}_l0")),
                graph.weight(gru.get_parameter(f"bias_{side}_l0")),
                transB=1,
            )
            for value, side in ((x, "ih"), (state, "hh"))
        )
        return next_state(graph, inputs, recurrent, state, gru.hidden_size, name)

    def memory(self, name: str) -> str:
        """Declare keys or values of the source of one layer."""
        axes: Axes = ["sentences", self.n_heads, names.SRC_LEN, self.d_head]
        return self.graph.input(name, self.graph.floats, axes)

    def cache_places(self) -> str:
        """Declare where each cell's new entries go."""
        axes: Axes = ["sentences", "width", self.n_heads, 3]
        return self.graph.input(names.CACHE_PLACES, np.int64, axes)

    def cache_bias(self) -> str:
        """Declare what says which entries each cell sees."""
        return self.graph.narrow(step_input(self.graph, names.CACHE_BIAS))

    def written(self, name: str, new: str, places: str) -> str:
        """Declare a cache and put the new entries (sentences, width, d_model) into it."""
        axes: Axes = ["sentences", self.n_heads, names.CACHE_LEN, self.d_head]
        before = self.graph.input(names.STATE + name, self.graph.floats, axes)
        entries = self.graph.reshape(new, 0, 0, self.n_heads, self.d_head)
        self.graph.output(names.NEXT + name, self.graph.floats, axes)
        return self.graph.op("ScatterND", before, places, entries, name=names.NEXT + name)

    def bias(self, mask: str) -> str:
        """0 where a mask holds, -inf elsewhere."""
        zero, lowest = (self.graph.number(x) for x in (0, -np.inf))
        return self.graph.op("Where", mask, zero, lowest)

    def rotate(self, x: str, positions: str) -> str:
        """Turn x (batch, length, d_model) by its positions (batch, length) or from (1) on."""
        half = self.d_head // 2
        rate = torch.exp(torch.arange(half) * (-math.log(10000.0) / half))
        angles = self.places.unsqueeze(1) * rate  # (max_positions, half)
        tables = self.graph.weight(angles.cos()), self.graph.weight(angles.sin())
        return self.graph.op("RotaryEmbedding", x, positions, *tables, domain=MICROSOFT)

    def heads(self, x: str) -> str:
        """(batch, length, d_model) -> (batch, n_heads, length, d_head)."""
        split = self.graph.reshape(x, 0, 0, self.n_heads, self.d_head)
        return self.graph.op("Transpose", split, perm=[0, 2, 1, 3])

    def merged(self, context: str) -> str:
        """(batch, n_heads, length, d_head) -> (batch, length, d_model)."""
        by_length = self.graph.op("Transpose", context, perm=[0, 2, 1, 3])
        return self.graph.reshape(by_length, 0, 0, self.config.d_model)

    def attend_by_distance(
        self, relative: RelativePositions, heads: Sequence[str], bias: str, rows: str
    ) -> str:
        """Context (batch, n_queries, d_model), Shaw et al. 2018, equations 3 and 4.

        heads: query, keys and values (batch, n_heads, length, d_head); bias is added to the scores;
        rows (batch or 1, n_queries, n_keys) of the distances' vectors.
        """
        graph, (query, keys, values) = self.graph, heads
        of_keys = graph.op("Gather", graph.weight(relative.keys), rows)  # ..., n_keys, d_head
        scores = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        by_distance = graph.op("Einsum", query, of_keys, equation="bhid,bijd->bhij")
        scale = graph.number(1 / math.sqrt(self.d_head))
        scores = graph.op("Mul", graph.op("Add", scores, by_distance), scale)
        weights = graph.softmax(graph.op("Add", scores, bias))
        of_values = graph.op("Gather", graph.weight(relative.values), rows)
        by_distance = graph.op("Einsum", weights, of_values, equation="bhij,bijd->bhid")
        return self.merged(graph.op("Add", graph.op("MatMul", weights, values), by_distance))

    def rows(self, relative: RelativePositions, distances: str) -> str:
        """Rows of the distances' vectors, clipped; int64."""
        graph, longest = self.graph, relative.max_distance
        limits = graph.constant(-longest), graph.constant(longest)
        return graph.op("Add", graph.op("Clip", distances, *limits), graph.constant(longest))
