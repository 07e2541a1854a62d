"""The graphs of any model, checked by ONNX itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onnx

from mt.errors import BundleError, ConfigError
from training.export.decoder_only import decoder_only_graphs
from training.export.graph import Arithmetic
from training.export.gru import gru_graphs
from training.export.hybrid import hybrid_graphs
from training.export.listing import listing_graph
from training.export.recurrent import recurrent_graphs
from training.export.signature import GraphPair, Limits, ShortlistPair, output_bias
from training.export.transformer import transformer_graphs
from training.models.decoder_only import DecoderOnly
from training.models.gru import GRU
from training.models.hybrid import Hybrid
from training.models.recurrent import Recurrent
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer

GRAPHS: dict[type[Seq2Seq], Callable[[Any, Arithmetic, Limits], GraphPair]] = {
    GRU: gru_graphs,
    Transformer: transformer_graphs,
    DecoderOnly: decoder_only_graphs,
    Recurrent: recurrent_graphs,
    Hybrid: hybrid_graphs,
}


def build_graphs(model: Seq2Seq, arithmetic: Arithmetic, limits: Limits) -> GraphPair:
    """Both graphs of a model; linear layers that have a range compute in 8 bits.

    Raises:
        ConfigError: a family that has no graphs.
        BundleError: `onnx.checker` finds a graph invalid.
    """
    graphs = _builder(model)(model, arithmetic, limits)
    for graph in (graphs.encoder, graphs.step):
        _check(graph)
    return graphs


def build_shortlist_graphs(model: Seq2Seq, arithmetic: Arithmetic, limits: Limits) -> ShortlistPair:
    """The listing graph and the shortlisted step graph of a model.

    Raises:
        ConfigError: a family that has no graphs.
        BundleError: `onnx.checker` finds a graph invalid.
    """
    step = _builder(model)(model, arithmetic, replace(limits, shortlisted=True)).step
    bias = output_bias(model.output, limits.never_emitted)
    graphs = ShortlistPair(listing_graph(model.output, arithmetic, bias), step)
    for graph in (graphs.listing, graphs.step):
        _check(graph)
    return graphs


def _builder(model: Seq2Seq) -> Callable[[Any, Arithmetic, Limits], GraphPair]:
    build = GRAPHS.get(type(model))
    if build is None:
        known = ", ".join(sorted(kind.__name__ for kind in GRAPHS))
        raise ConfigError(f"{type(model).__name__} cannot be exported yet, only {known}")
    return build


def _check(graph: onnx.ModelProto) -> None:
    """Full check: shapes are inferred too. Operators of ONNX Runtime it takes on trust."""
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"the {graph.graph.name} graph is not valid ONNX: {error}") from None
