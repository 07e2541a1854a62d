"""The graphs of any model, checked by ONNX itself."""

import onnx

from mt.errors import BundleError, ConfigError
from training.export.graph import Ranges
from training.export.gru import gru_graphs
from training.export.signature import GraphPair, Limits
from training.export.transformer import transformer_graphs
from training.models.gru import GRU
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer


def build_graphs(model: Seq2Seq, ranges: Ranges, limits: Limits) -> GraphPair:
    """Both graphs of a model; linear layers that have a range compute in 8 bits.

    Raises:
        ConfigError: a family that has no graphs.
        BundleError: `onnx.checker` finds a graph invalid.
    """
    if isinstance(model, Transformer):
        graphs = transformer_graphs(model, ranges, limits)
    elif isinstance(model, GRU):
        graphs = gru_graphs(model, ranges, limits)
    else:
        raise ConfigError(f"{type(model).__name__} cannot be exported, only Transformer and GRU")
    for graph in (graphs.encoder, graphs.step):
        _check(graph)
    return graphs


def _check(graph: onnx.ModelProto) -> None:
    """Full check: shapes are inferred too. Operators of ONNX Runtime it takes on trust."""
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"the {graph.graph.name} graph is not valid ONNX: {error}") from None
