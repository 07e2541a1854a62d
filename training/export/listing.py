"""The part of the output layer that a vocabulary shortlist needs: taken out, and computed with.

The listing graph takes it out where the batch's sentences have changed; the shortlisted step graph
reads it at every step.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from torch import nn

from mt import graph_signature as names
from training.export.graph import Arithmetic, GraphBuilder, array_of
from training.export.quantize import quantize_weight

WEIGHT, SCALES, BIAS = (names.LISTED + part for part in ("weight", "scales", "bias"))
_SCORED = "scored"


def listing_graph(
    layer: nn.Linear, arithmetic: Arithmetic, bias: npt.NDArray[np.float32]
) -> onnx.ModelProto:
    """The output layer's weights, and `bias` (vocab,), of the ids that are listed."""
    graph = GraphBuilder("listing", arithmetic)
    ids = graph.input(names.SHORTLIST_IDS, np.int64, [_SCORED])
    weight = array_of(layer.weight)
    if graph.range_of(layer) is None:
        _hand_out(graph, ids, WEIGHT, weight, [_SCORED, layer.in_features])
    else:
        integers, scales = quantize_weight(weight)
        rows = graph.op("Gather", graph.constant(integers), ids)
        graph.op("Transpose", rows, perm=[1, 0], name=WEIGHT)
        graph.output(WEIGHT, np.int8, [layer.in_features, _SCORED])
        _hand_out(graph, ids, SCALES, scales, [_SCORED])
    _hand_out(graph, ids, BIAS, bias, [_SCORED])
    return graph.model()


def _hand_out(
    graph: GraphBuilder,
    ids: str,
    name: str,
    values: npt.NDArray[np.float32],
    axes: Sequence[int | str],
) -> None:
    graph.op("Gather", graph.number(values), ids, name=name)
    graph.output(name, graph.floats, axes)


def listed_logits(graph: GraphBuilder, hidden: str, layer: nn.Linear) -> str:
    """Logits (rows, or one row more; scored) of hidden (rows, d): only what is listed."""
    found, d = graph.range_of(layer), layer.in_features
    bias = graph.input(BIAS, graph.floats, [_SCORED])
    if found is not None:
        weight = graph.input(WEIGHT, np.int8, [d, _SCORED])
        scales = graph.input(SCALES, graph.floats, [_SCORED])
        return graph.linear_int8(hidden, found, weight, scales, bias)
    # A product of one row alone is summed in another order: no row is ever alone.
    zero, one = graph.constant([0]), graph.constant([1])
    hidden = graph.op("Concat", hidden, graph.op("Slice", hidden, zero, one, zero), axis=0)
    weight = graph.input(WEIGHT, graph.floats, [_SCORED, d])
    return graph.op("Gemm", hidden, weight, bias, transB=1)
