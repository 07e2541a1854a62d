"""The hybrid's graphs: the Transformer's encoder, the recurrent decoder's step."""

import onnx

from training.export.graph import Arithmetic
from training.export.recurrent_decoder import DecoderStep, start
from training.export.signature import GraphPair, Limits
from training.export.transformer import EncoderStack
from training.models.hybrid import Hybrid


def hybrid_graphs(model: Hybrid, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs; linear layers that have a range compute in 8 bits."""
    step = DecoderStep(model, model.decoder, model.tgt_embedding, arithmetic)
    return GraphPair(_Encoder(model, arithmetic, limits).build(), step.build(limits))


class _Encoder(EncoderStack):
    """src_ids -> the last layer's states, and the decoder's first states from their mean."""

    def __init__(self, model: Hybrid, arithmetic: Arithmetic, limits: Limits) -> None:
        super().__init__(model, arithmetic, limits)
        self.decoder, self.bridge = model.decoder, model.bridge

    def build(self) -> onnx.ModelProto:
        graph = self.graph
        states = self.states()
        mean = self.mean(states)
        count = len(self.decoder.layers)
        bridged = graph.op("Tanh", graph.linear(mean, self.bridge))
        firsts = graph.ops("Split", bridged, outputs=count, axis=1, num_outputs=count)
        start(graph, self.decoder, states, mean, firsts)
        return graph.model()

    def mean(self, states: str) -> str:
        """The mean of each sentence's states at tokens (batch, d_model)."""
        graph, axis = self.graph, self.graph.constant([1])
        tokens = graph.op("Cast", self.src_mask, to=graph.element)
        count = graph.op("ReduceSum", tokens, axis)  # (batch, 1)
        mask = graph.op("Unsqueeze", self.src_mask, graph.constant([2]))
        kept = graph.op("Where", mask, states, graph.number(0))
        return graph.op("Div", graph.op("ReduceSum", kept, axis, keepdims=0), count)
