"""The inputs and outputs that both families' graphs share, as `mt.graph_signature` has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from torch import nn

from mt import graph_signature as names
from mt.bundle import Graphs, ShortlistFiles, ShortlistGraphs
from mt.tokenizer import PAD_ID
from training.export.best import best_ids
from training.export.graph import Axes, GraphBuilder
from training.export.listing import listed_logits

SHORTLIST = "shortlist.bin"

_STEP_INPUTS: dict[str, tuple[npt.DTypeLike, Axes]] = {
    names.LAST_IDS: (np.int64, ["sentences", "width"]),
    names.POSITIONS: (np.int64, ["sentences", "width"]),
    names.CACHE_BIAS: (np.float32, ["sentences", 1, "width", names.CACHE_LEN]),
    names.CACHE_POSITIONS: (np.int64, ["sentences", names.CACHE_LEN]),
    names.PARENTS: (np.int64, ["cells"]),
    names.LIVE: (np.int64, ["rows"]),
    names.K: (np.int64, [1]),
    names.WITH_ATTENTION: (np.bool_, [1]),
    names.WANTED_IDS: (np.int64, ["rows", "wanted"]),
    names.SHORTLIST_IDS: (np.int64, ["scored"]),
    names.SHORTLIST_PLACES: (np.int64, ["sentences", "listed"]),
    names.WANTED_PLACES: (np.int64, ["rows", "wanted"]),
    names.SRC_MASK: (np.bool_, ["sentences", names.SRC_LEN]),
}


@dataclass(frozen=True)
class Limits:
    """Beyond the weights: places the position tables hold, and ids the search must never see.

    shortlisted: whether the step graph scores a shortlist of the vocabulary only.
    """

    max_positions: int
    never_emitted: Sequence[int]
    shortlisted: bool = False


@dataclass(frozen=True)
class GraphPair:
    """The two graphs of one precision."""

    encoder: onnx.ModelProto
    step: onnx.ModelProto

    def files(self, precision: str) -> dict[str, bytes]:
        """Their bytes by file name."""
        names = file_names(precision)
        return {
            names.encoder: self.encoder.SerializeToString(),
            names.step: self.step.SerializeToString(),
        }


def file_names(precision: str) -> Graphs:
    """What a bundle calls the graphs of one precision."""
    return Graphs(encoder=f"encoder.{precision}.onnx", step=f"step.{precision}.onnx")


@dataclass(frozen=True)
class ShortlistPair:
    """The two graphs that one precision needs for a shortlist."""

    listing: onnx.ModelProto
    step: onnx.ModelProto

    def files(self, precision: str) -> dict[str, bytes]:
        """Their bytes by file name."""
        names = shortlist_files([precision]).graphs[precision]
        return {
            names.listing: self.listing.SerializeToString(),
            names.step: self.step.SerializeToString(),
        }


def shortlist_files(
    precisions: Iterable[str], origin: Mapping[str, Any] = MappingProxyType({})
) -> ShortlistFiles:
    """What a bundle calls the files of a shortlist; `origin` tells how it was made."""
    graphs = {
        precision: ShortlistGraphs(
            listing=f"listing.{precision}.onnx", step=f"step.{precision}.shortlist.onnx"
        )
        for precision in precisions
    }
    return ShortlistFiles(table=SHORTLIST, graphs=graphs, origin=dict(origin))


def step_input(graph: GraphBuilder, name: str) -> str:
    """Declare one of the step graph's inputs."""
    return graph.input(name, *_STEP_INPUTS[name])


def source(graph: GraphBuilder) -> tuple[str, str]:
    """Declare the encoder's input; returns src_ids and src_mask, both (batch, src_len)."""
    src_ids = graph.input(names.SRC_IDS, np.int64, ["batch", names.SRC_LEN])
    is_pad = graph.op("Equal", src_ids, graph.constant(PAD_ID, np.int64))
    graph.op("Not", is_pad, name=names.SRC_MASK)
    graph.output(names.SRC_MASK, np.bool_, ["batch", names.SRC_LEN])
    return src_ids, names.SRC_MASK


def choose_best(
    graph: GraphBuilder, hidden: str, live: str, layer: nn.Linear, limits: Limits
) -> None:
    """Project the live cells of hidden (cells, d); hand out the k best ids of each, and the wanted.

    The search must never see pad, unknown or bos, so their logits are -inf before the softmax.
    """
    hidden = graph.op("Gather", hidden, live)
    k = step_input(graph, names.K)
    if limits.shortlisted:
        _choose_listed(graph, hidden, live, layer, k)
    else:
        bias = output_bias(layer, limits.never_emitted)
        log_probs = graph.log_softmax(graph.linear(hidden, layer, bias=bias))
        best_ids(graph, log_probs, layer.out_features, k, (names.TOP_LOG_PROBS, names.TOP_IDS))
        wanted = step_input(graph, names.WANTED_IDS)
        graph.op("GatherElements", log_probs, wanted, axis=1, name=names.WANTED_LOG_PROBS)
    graph.output(names.TOP_IDS, np.int64, ["rows", "k"])
    graph.output(names.TOP_LOG_PROBS, np.float32, ["rows", "k"])
    graph.output(names.WANTED_LOG_PROBS, np.float32, ["rows", "wanted"])


def output_bias(layer: nn.Linear, never_emitted: Sequence[int]) -> npt.NDArray[np.float32]:
    """Of the output layer (vocab,), which has none of its own."""
    bias = np.zeros(layer.out_features, np.float32)
    bias[list(never_emitted)] = -np.inf
    return bias


def _choose_listed(graph: GraphBuilder, hidden: str, live: str, layer: nn.Linear, k: str) -> None:
    """Score what is listed for anybody, and choose for each row from its own sentence's list."""
    scored = listed_logits(graph, hidden, layer)  # rows, or more; scored
    ids = step_input(graph, names.SHORTLIST_IDS)
    sentence = graph.op("Div", live, graph.size(names.LAST_IDS, 1))
    places = graph.op("Gather", step_input(graph, names.SHORTLIST_PLACES), sentence)
    logits = graph.op("GatherElements", scored, places, axis=1)  # rows, listed
    log_probs = graph.log_softmax(logits)
    _, best = graph.ops("TopK", log_probs, k, names=[names.TOP_LOG_PROBS], outputs=2)
    graph.op("Gather", ids, graph.op("GatherElements", places, best, axis=1), name=names.TOP_IDS)
    wanted = step_input(graph, names.WANTED_PLACES)
    graph.op("GatherElements", log_probs, wanted, axis=1, name=names.WANTED_LOG_PROBS)
