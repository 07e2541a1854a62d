"""The GRU's graphs, from its weights; the mirror of `training.models.gru`.

Cells stand in one axis, (cells, d), and come apart by sentence only to attend. Where the context is
fixed (no attention), it is a decoder state like any other.
"""

import numpy as np
import onnx
from torch import nn

from mt import graph_signature as names
from training.export.graph import Arithmetic, Floats, GraphBuilder, array_of
from training.export.signature import GraphPair, Limits, choose_best, source, step_input
from training.models.gate_norm import GateNorm
from training.models.gru import GRU, AdditiveAttention, DeepOutput
from training.models.gru_cell import GRUCell

KEYS, VALUES = names.MEMORY + "keys", names.MEMORY + "values"


def gru_graphs(model: GRU, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits, the encoder's GRU never."""
    return GraphPair(_encoder(model, arithmetic), _Step(model, arithmetic, limits).build())


def _encoder(model: GRU, arithmetic: Arithmetic) -> onnx.ModelProto:
    """src_ids -> annotations, their attention keys, and the decoder's first state."""
    graph = GraphBuilder("encoder", arithmetic)
    src_ids, src_mask = source(graph)
    tokens = graph.op("Cast", src_mask, to=onnx.TensorProto.INT32)
    lengths = graph.op("ReduceSum", tokens, graph.constant([1]), keepdims=0)  # (batch)
    if model.config.layer_norm:
        annotations, last = _Cells(graph, model, src_ids, src_mask, lengths).build()
    else:
        annotations, last = _bidirectional(graph, model, src_ids, lengths)
    if model.attention is None:
        summary = graph.op("Identity", last, name=names.START + "context")
        graph.output(summary, graph.floats, ["batch", 2 * model.config.encoder_size])
    else:
        _memory(graph, model.attention, annotations, graph.op("Shape", src_ids))
        summary = _mean(graph, annotations, lengths)
    first = graph.op("Tanh", graph.linear(summary, model.first_state), name=names.START + "hidden")
    graph.output(first, graph.floats, ["batch", model.config.decoder_size])
    return graph.model()


def _bidirectional(graph: GraphBuilder, model: GRU, src_ids: str, lengths: str) -> tuple[str, str]:
    """Annotations (batch, src_len, both), zero at padding; last states (batch, both)."""
    gru, both = model.encoder.gru, 2 * model.config.encoder_size
    by_time = graph.op("Transpose", src_ids, perm=[1, 0])
    states, last = graph.ops(
        "GRU",
        graph.op("Gather", graph.weight(model.src_embedding.weight), by_time),
        *(graph.number(weights) for weights in _onnx_weights(gru)),
        lengths,
        outputs=2,
        direction="bidirectional",
        hidden_size=gru.hidden_size,
        linear_before_reset=1,  # PyTorch's convention: the reset gate comes after U h
    )
    states = graph.op("Transpose", states, perm=[2, 0, 1, 3])  # from (src_len, 2, batch, size)
    last = graph.op("Transpose", last, perm=[1, 0, 2])  # from (2, batch, size)
    return graph.reshape(states, 0, 0, both), graph.reshape(last, 0, both)


class _Cells:
    """The same of cells that the GRU operator does not know: a Scan over both directions at once.

    The second direction reads reversed sentences, so padding comes after all tokens in both.
    """

    def __init__(
        self, graph: GraphBuilder, model: GRU, src_ids: str, src_mask: str, lengths: str
    ) -> None:
        self.graph, self.encoder, self.size = graph, model.encoder, model.config.encoder_size
        self.table = graph.weight(model.src_embedding.weight)
        self.src_ids = graph.op("Transpose", src_ids, perm=[1, 0])  # (src_len, batch)
        tokens = graph.op("Cast", src_mask, to=graph.element)
        self.tokens = graph.op("Unsqueeze", tokens, graph.constant([2]))  # (batch, src_len, 1)
        self.lengths = graph.op("Cast", lengths, to=onnx.TensorProto.INT64)

    def build(self) -> tuple[str, str]:
        """Annotations and last states, as `_bidirectional` has them."""
        graph = self.graph
        states = graph.scan(self.cell, self.start(), self.inputs(), axis=1)
        forth, back = graph.ops("Split", states, outputs=2, axis=0, num_outputs=2)
        forth, back = (graph.op("Squeeze", x, graph.constant([0])) for x in (forth, back))
        by_time = graph.op("Concat", forth, self.reversed(back), axis=-1)
        annotations = graph.op("Transpose", by_time, perm=[1, 0, 2])  # (batch, src_len, both)
        return graph.op("Mul", annotations, self.tokens), self.last(annotations)

    def inputs(self) -> str:
        """W x of every token in both directions (2, src_len, batch, 3 * size)."""
        graph, both = self.graph, (self.src_ids, self.reversed(self.src_ids))
        ids = [graph.op("Unsqueeze", x, graph.constant([0])) for x in both]
        embedded = graph.op("Gather", self.table, graph.op("Concat", *ids, axis=0))
        flat = graph.reshape(embedded, 2, -1, self.encoder.gru.input_size)
        projected = self.project(flat, "ih", self.encoder.input_norm)
        return graph.reshape(projected, 2, graph.op("Shape", self.src_ids), 3 * self.size)

    def cell(self, hidden: str, inputs: str) -> str:
        """The next state of both directions (2, batch, size)."""
        recurrent = self.project(hidden, "hh", self.encoder.hidden_norm)
        return next_state(self.graph, inputs, recurrent, hidden, self.size)

    def project(self, x: str, name: str, norm: nn.Module) -> str:
        """(2, n, d_in) by each direction's weights -> (2, n, 3 * size)."""
        graph, (weights, biases) = self.graph, self.encoder.directions(name)
        product = graph.op("MatMul", x, graph.weight(weights))
        return gate_norm(graph, graph.op("Add", product, graph.weight(biases)), norm)

    def start(self) -> str:
        """Zeros (2, batch, size)."""
        graph, batch = self.graph, self.graph.size(self.lengths, 0)
        shape = graph.op("Concat", graph.constant([2]), batch, graph.constant([self.size]), axis=0)
        return graph.zeros(shape)

    def reversed(self, by_time: str) -> str:
        """Each sentence of (src_len, batch, ...) from its last token to its first."""
        return self.graph.op("ReverseSequence", by_time, self.lengths, time_axis=0, batch_axis=1)

    def last(self, annotations: str) -> str:
        """Where each direction ends: at the last token, and at the first (batch, both)."""
        graph, sizes = self.graph, self.graph.constant([self.size, self.size])
        places = graph.reshape(graph.op("Sub", self.lengths, graph.constant([1])), -1, 1)
        at_last = graph.op("GatherND", annotations, places, batch_dims=1)
        at_first = graph.op("Gather", annotations, graph.constant(0), axis=1)
        forth, _ = graph.ops("Split", at_last, sizes, outputs=2, axis=1)
        _, back = graph.ops("Split", at_first, sizes, outputs=2, axis=1)
        return graph.op("Concat", forth, back, axis=1)


def next_state(
    graph: GraphBuilder, inputs: str, recurrent: str, hidden: str, size: int, name: str = ""
) -> str:
    """One gated recurrent unit (..., size), appendix A.1.1, as in `training.models.gru`."""
    sizes = graph.constant([2 * size, size])
    inputs, x = graph.ops("Split", inputs, sizes, outputs=2, axis=-1)
    recurrent, u = graph.ops("Split", recurrent, sizes, outputs=2, axis=-1)
    gates = graph.op("Sigmoid", graph.op("Add", inputs, recurrent))
    reset, update = graph.ops("Split", gates, outputs=2, axis=-1, num_outputs=2)
    new = graph.op("Tanh", graph.op("Add", x, graph.op("Mul", reset, u)))
    kept = graph.op("Mul", update, graph.op("Sub", hidden, new))
    return graph.op("Add", new, kept, name=name)


def gate_norm(graph: GraphBuilder, x: str, norm: nn.Module) -> str:
    """Each of the gates in the last axis of x normalised by itself, or x as it is."""
    if not isinstance(norm, GateNorm):
        return x
    lead, size = [0] * max(1, norm.weight.dim() - 1), norm.weight.shape[-1] // norm.gates
    gates = graph.reshape(x, *lead, norm.gates, size)
    ones, zeros = (graph.number(np.full(size, value)) for value in (1, 0))
    normal = graph.op("LayerNormalization", gates, ones, zeros, axis=-1)
    scaled = graph.op(
        "Mul", graph.reshape(normal, *lead, norm.gates * size), graph.weight(norm.weight)
    )
    return graph.op("Add", scaled, graph.weight(norm.bias))


def _memory(
    graph: GraphBuilder, attention: AdditiveAttention, annotations: str, shape: str
) -> None:
    """Hand out the annotations, and their keys projected once; shape: batch, src_len."""
    both, size = attention.key.in_features, attention.key.out_features
    keys = graph.linear(graph.reshape(annotations, -1, both), attention.key)
    graph.reshape(keys, shape, size, name=KEYS)
    graph.op("Identity", annotations, name=VALUES)
    graph.output(KEYS, graph.floats, ["batch", names.SRC_LEN, size])
    graph.output(VALUES, graph.floats, ["batch", names.SRC_LEN, both])


def _mean(graph: GraphBuilder, annotations: str, lengths: str) -> str:
    """The mean of each sentence's annotations (batch, both), from which the decoder starts."""
    total = graph.op("ReduceSum", annotations, graph.constant([1]), keepdims=0)
    count = graph.op("Cast", lengths, to=graph.element)
    return graph.op("Div", total, graph.reshape(count, -1, 1))


def _onnx_weights(gru: nn.GRU) -> tuple[Floats, Floats, Floats]:
    """W (2, 3 * size, d_in), R (2, 3 * size, size), B (2, 6 * size), as the GRU operator has them.

    PyTorch stacks the gates as reset, update, new; ONNX as update, reset, new.
    """

    def both_directions(name: str) -> Floats:
        tensors = (getattr(gru, f"{name}_l0{suffix}") for suffix in ("", "_reverse"))
        return np.stack([_update_first(array_of(tensor)) for tensor in tensors])

    biases = [both_directions("bias_ih"), both_directions("bias_hh")]
    return (
        both_directions("weight_ih"),
        both_directions("weight_hh"),
        np.concatenate(biases, axis=1),
    )


def _update_first(stacked: Floats) -> Floats:
    reset, update, new = np.split(stacked, 3)
    return np.concatenate([update, reset, new])


class _Step:
    """One decoding step of the conditional GRU: word cell, attention, context cell, deep output."""

    def __init__(self, model: GRU, arithmetic: Arithmetic, limits: Limits) -> None:
        self.graph, self.model, self.limits = GraphBuilder("step", arithmetic), model, limits
        self.last_ids = step_input(self.graph, names.LAST_IDS)
        self.parents = step_input(self.graph, names.PARENTS)
        self.live = step_input(self.graph, names.LIVE)
        self.grid = self.graph.op("Shape", self.last_ids)  # sentences, width

    def build(self) -> onnx.ModelProto:
        graph, model = self.graph, self.model
        table = graph.weight(model.tgt_embedding.weight)
        embedded = graph.op("Gather", table, graph.reshape(self.last_ids, -1))  # (cells, d)
        hidden = self.state("hidden", model.config.decoder_size)
        hidden = self.cell(model.word_cell, embedded, hidden)
        context = self.context(hidden)
        hidden = self.cell(model.context_cell, context, hidden, name=names.NEXT + "hidden")
        deep = self.deep_output(model.deep_output, hidden, context, embedded)
        choose_best(graph, deep, self.live, model.output, self.limits)
        return graph.model()

    def state(self, name: str, size: int) -> str:
        """Declare a state and its new value; returns the entry each cell continues."""
        old = self.graph.input(names.STATE + name, self.graph.floats, ["entries", size])
        self.graph.output(names.NEXT + name, self.graph.floats, ["cells", size])
        return self.graph.op("Gather", old, self.parents)

    def cell(self, cell: GRUCell, x: str, hidden: str, name: str = "") -> str:
        """One gated recurrent unit (cells, size), appendix A.1.1 as in `GRUCell`."""
        inputs = gate_norm(self.graph, self.graph.linear(x, cell.input), cell.input_norm)
        recurrent = self.graph.linear(hidden, cell.hidden)
        recurrent = gate_norm(self.graph, recurrent, cell.hidden_norm)
        return next_state(self.graph, inputs, recurrent, hidden, cell.hidden.in_features, name)

    def context(self, hidden: str) -> str:
        """What the decoder reads of the source (cells, both): by attention, or fixed."""
        both = 2 * self.model.config.encoder_size
        if self.model.attention is not None:
            return self.attend(self.model.attention, hidden, both)
        fixed = self.state("context", both)
        return self.graph.op("Identity", fixed, name=names.NEXT + "context")

    def attend(self, attention: AdditiveAttention, hidden: str, both: int) -> str:
        """Additive attention, appendix A.1.2: the cells of a sentence share its keys and values."""
        graph, size = self.graph, attention.key.out_features
        keys = graph.input(KEYS, graph.floats, ["sentences", names.SRC_LEN, size])
        values = graph.input(VALUES, graph.floats, ["sentences", names.SRC_LEN, both])
        query = graph.reshape(graph.linear(hidden, attention.query), self.grid, 1, size)
        keys = graph.op("Unsqueeze", keys, graph.constant([1]))  # sentences, 1, src_len, size
        seen = graph.op("Tanh", graph.op("Add", query, keys))  # sentences, width, src_len, size
        energies = graph.op("MatMul", seen, graph.weight(attention.energy))
        mask = graph.op("Unsqueeze", step_input(graph, names.SRC_MASK), graph.constant([1]))
        masked = graph.op("Where", mask, energies, graph.number(-np.inf))
        weights = graph.softmax(masked)  # sentences, width, src_len
        flat = graph.reshape(weights, -1, graph.size(weights, 2))
        graph.op("Gather", flat, self.live, name=names.ATTENTION)
        graph.output(names.ATTENTION, graph.floats, ["rows", names.SRC_LEN])
        return graph.reshape(graph.op("MatMul", weights, values), -1, both)

    def deep_output(self, layer: DeepOutput, hidden: str, context: str, embedded: str) -> str:
        """tanh(W s + C c + V y) (cells, embedding_size), appendix A.2.2."""
        graph = self.graph
        total = graph.linear(hidden, layer.state)
        for x, part in ((context, layer.context), (embedded, layer.embedding)):
            total = graph.op("Add", total, graph.linear(x, part))
        return graph.op("Tanh", total)
