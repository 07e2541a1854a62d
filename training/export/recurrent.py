"""The stacked recurrent model's graphs, from its weights; mirror of its namesake in `models`."""

from collections.abc import Iterable
from typing import cast

import onnx

from training.export import cells
from training.export.graph import Arithmetic, GraphBuilder
from training.export.recurrent_decoder import DecoderStep, embed, start
from training.export.signature import GraphPair, Limits, source
from training.models.cell import Cell
from training.models.recurrent import EncoderLayer, Recurrent


def recurrent_graphs(model: Recurrent, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits, recurrences among them."""
    step = DecoderStep(model, model.decoder, model.tgt_embedding, arithmetic)
    return GraphPair(_Encoder(model, arithmetic).build(), step.build(limits))


class _Encoder:
    """src_ids -> the top layer's outputs and the decoder's first states.

    Time comes first, (src_len, batch, d), as a Scan walks. What is computed at padding is left
    there: it comes after every token, and attention masks it.
    """

    def __init__(self, model: Recurrent, arithmetic: Arithmetic) -> None:
        self.graph = graph = GraphBuilder("encoder", arithmetic)
        self.model, self.config = model, model.config
        src_ids, src_mask = source(graph)
        tokens = graph.op("Cast", src_mask, to=onnx.TensorProto.INT64)
        self.lengths = graph.op("ReduceSum", tokens, graph.constant([1]), keepdims=0)  # (batch)
        self.src_ids = graph.op("Transpose", src_ids, perm=[1, 0])
        self.shape = graph.op("Shape", self.src_ids)  # src_len, batch

    def build(self) -> onnx.ModelProto:
        graph, width = self.graph, self.config.encoder_width
        below = embed(graph, self.model.src_embedding, self.src_ids)
        size = self.config.embedding_size
        lasts: list[str] = []
        for i, layer in enumerate(cast(Iterable[EncoderLayer], self.model.encoder.layers)):
            output, last = self.layer(layer, below, size)
            below, size = graph.op("Add", below, output) if i else output, width
            lasts.append(last)
        values = graph.op("Transpose", below, perm=[1, 0, 2])
        context = self.output_of_last(lasts[-1])
        start(graph, self.model.decoder, values, context, self.firsts(lasts))
        return graph.model()

    def layer(self, layer: EncoderLayer, x: str, size: int) -> tuple[str, str]:
        """Outputs (src_len, batch, encoder_width) of x (..., size); last states as one cell's."""
        graph = self.graph
        read = [self.direction(cell, x, size, i > 0) for i, cell in enumerate(layer.directions)]
        outputs, lasts = zip(*read, strict=True)
        if len(read) == 1:
            return outputs[0], lasts[0]
        each = [cells.parts(graph, layer.directions[0], last) for last in lasts]
        by_part = [part for pair in zip(*each, strict=True) for part in pair]
        return graph.op("Concat", *outputs, axis=2), graph.op("Concat", *by_part, axis=1)

    def direction(self, cell: Cell, x: str, size: int, back: bool) -> tuple[str, str]:
        """Outputs (src_len, batch, hidden) of one cell, and its last state (batch, state_size)."""
        graph = self.graph
        flat = graph.reshape(self.reversed(x) if back else x, -1, size)
        inputs = cells.project(graph, cell, flat)
        inputs = graph.reshape(inputs, self.shape, cell.gates * cell.hidden_size)
        states = graph.scan(
            lambda state, one: cells.step(graph, cell, one, state),
            *(self.zeros(cell.state_size), inputs),
            axis=0,
        )
        output = cells.output(graph, cell, states)
        return self.reversed(output) if back else output, self.last(states)

    def zeros(self, size: int) -> str:
        """(batch, size)."""
        graph = self.graph
        shape = graph.op("Concat", graph.size(self.lengths, 0), graph.constant([size]), axis=0)
        return graph.zeros(shape)

    def reversed(self, by_time: str) -> str:
        """Each sentence of (src_len, batch, d) from its last token to its first."""
        return self.graph.op("ReverseSequence", by_time, self.lengths, time_axis=0, batch_axis=1)

    def last(self, states: str) -> str:
        """The states (batch, d) of (src_len, batch, d) after each sentence's last token."""
        graph = self.graph
        places = graph.reshape(graph.op("Sub", self.lengths, graph.constant([1])), -1, 1)
        by_sentence = graph.op("Transpose", states, perm=[1, 0, 2])
        return graph.op("GatherND", by_sentence, places, batch_dims=1)

    def output_of_last(self, last: str) -> str:
        """The fixed context (batch, encoder_width): a state begins with its output."""
        graph, zero, one = self.graph, self.graph.constant([0]), self.graph.constant([1])
        return graph.op("Slice", last, zero, graph.constant([self.config.encoder_width]), one)

    def firsts(self, lasts: list[str]) -> list[str]:
        """The decoder layers' first states (batch, state_size): the encoder's, or bridged."""
        model, count = self.model, self.config.decoder_layers
        found = [lasts[model.source_layer(i)] for i in range(count)]
        if not model.bridges:
            return found
        pairs = zip(model.bridge_layers, found, strict=True)
        return [self.graph.op("Tanh", self.graph.linear(x, bridge)) for bridge, x in pairs]
