"""The lists of running sentences: who has which, what is scored, what the output layer gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mt import graph_signature as names
from mt.tokenizer import PAD_ID
from serving.steps.onnx_graph import OnnxGraph
from serving.steps.shortlists import LEAST_SCORED, ROUND, Shortlists
from training.export.graph import SINGLE, Arithmetic
from training.export.listing import BIAS, SCALES, WEIGHT, listing_graph
from training.export.quantize import Range, quantize_weight

VOCAB_SIZE = 1000


class FakeListing:
    """Counts how often the output layer is asked for rows."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.runs += 1
        return {WEIGHT: np.zeros((len(feeds[names.SHORTLIST_IDS]), 2), np.float32)}


@pytest.fixture
def listing() -> FakeListing:
    return FakeListing()


@pytest.fixture
def shortlists(listing: FakeListing) -> Shortlists:
    return Shortlists(cast(OnnxGraph, listing), VOCAB_SIZE)


def places(*numbers: int) -> Any:
    return np.array(numbers)


def lists(tensors: Mapping[str, Any]) -> list[list[int]]:
    """What each place lists, without what fills it up."""
    ids = tensors[names.SHORTLIST_IDS][tensors[names.SHORTLIST_PLACES]]
    return [row[row != PAD_ID].tolist() for row in ids]


def test_each_place_has_its_own_list_in_its_own_order(shortlists: Shortlists) -> None:
    shortlists.admit(places(0, 1), [places(3, 7, 900), places(3, 4)])
    tensors = shortlists.fit(k=5)
    assert lists(tensors) == [[3, 7, 900], [3, 4]]
    scored = tensors[names.SHORTLIST_IDS]
    assert scored[:5].tolist() == [PAD_ID, 3, 4, 7, 900]
    assert scored.shape == (LEAST_SCORED,)
    assert not scored[5:].any()
    assert tensors[names.SHORTLIST_PLACES].shape == (2, ROUND)


def test_lists_are_filled_up_to_whole_rounds_and_to_k(shortlists: Shortlists) -> None:
    shortlists.admit(places(0), [np.arange(4, 4 + ROUND)])
    assert shortlists.fit(k=5)[names.SHORTLIST_PLACES].shape == (1, 2 * ROUND)
    assert shortlists.fit(k=VOCAB_SIZE)[names.SHORTLIST_PLACES].shape == (1, 1024)


def test_nothing_is_told_anew_until_somebody_comes(
    shortlists: Shortlists, listing: FakeListing
) -> None:
    shortlists.admit(places(0, 1), [places(3, 7), places(3, 8)])
    tensors = shortlists.fit(k=5)
    assert shortlists.fit(k=2) is tensors
    shortlists.retire(places(0))
    assert shortlists.fit(k=5) is tensors
    shortlists.admit(places(0), [places(8, 3)])
    later = shortlists.fit(k=5)
    assert later is not tensors
    assert lists(later) == [[8, 3], [3, 8]]
    assert listing.runs == 2


def test_the_same_ids_are_not_taken_out_twice(shortlists: Shortlists, listing: FakeListing) -> None:
    shortlists.admit(places(0), [places(3, 7)])
    shortlists.fit(k=5)
    shortlists.admit(places(1), [places(7)])
    assert lists(shortlists.fit(k=5)) == [[3, 7], [7]]
    assert listing.runs == 1


def test_those_who_stay_move_together(shortlists: Shortlists) -> None:
    shortlists.admit(places(0, 1, 2), [places(3), places(4), places(5)])
    shortlists.fit(k=1)
    shortlists.retire(places(1))
    shortlists.pack(places(0, 2))
    assert lists(shortlists.fit(k=1)) == [[3], [5]]


def test_what_is_wanted_joins_the_list_of_its_sentence(shortlists: Shortlists) -> None:
    shortlists.admit(places(0, 1), [places(3, 7, 9), places(3)])
    shortlists.fit(k=5)
    wanted = np.array([[9, 6, PAD_ID], [6, 5, PAD_ID], [PAD_ID, PAD_ID, PAD_ID]])
    columns = shortlists.columns(places(0, 0, 1), wanted)
    tensors = shortlists.fit(k=5)
    assert lists(tensors) == [[3, 7, 9, 6, 5], [3]]
    found = np.take_along_axis(tensors[names.SHORTLIST_PLACES][[0, 0, 1]], columns, axis=1)
    assert tensors[names.SHORTLIST_IDS][found].tolist() == wanted.tolist()
    assert shortlists.columns(places(0), np.zeros((1, 0), np.int64)).shape == (1, 0)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_output_layer_gives_the_rows_that_are_listed(precision: str, tmp_path: Path) -> None:
    layer = nn.Linear(4, 6, bias=False)
    bias = np.arange(6, dtype=np.float32)
    arithmetic = SINGLE if precision == "fp32" else Arithmetic({layer: Range(-1.0, 1.0)})
    path = tmp_path / "listing.onnx"
    path.write_bytes(listing_graph(layer, arithmetic, bias).SerializeToString())
    found = OnnxGraph.open(path, 1, "cpu").run({names.SHORTLIST_IDS: np.array([5, 2, 2])})
    with torch.inference_mode():
        weight = layer.weight.numpy()
    assert found[BIAS].tolist() == [5.0, 2.0, 2.0]
    if precision == "fp32":
        np.testing.assert_array_equal(found[WEIGHT], weight[[5, 2, 2]])
    else:
        integers, scales = quantize_weight(weight)
        np.testing.assert_array_equal(found[WEIGHT], integers[[5, 2, 2]].T)
        np.testing.assert_array_equal(found[SCALES], scales[[5, 2, 2]])
