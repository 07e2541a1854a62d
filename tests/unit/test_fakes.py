"""The fakes hold their callers to the contract; else the tests above them prove little."""

from collections.abc import Sequence

import numpy as np
import pytest

from mt.stepper import Rows
from mt.tokenizer import BOS_ID, EOS_ID
from tests.fakes import EchoStepper, TableStepper

SRC = [4, 5, EOS_ID]


def rows(slots: Sequence[int], parents: Sequence[int], last_ids: Sequence[int]) -> Rows:
    return Rows(*(np.array(column, np.int64) for column in (slots, parents, last_ids)))


def stepped(sentences: int = 2) -> EchoStepper:
    """A stepper whose sentences have made their first step."""
    stepper = EchoStepper(9)
    slots = stepper.admit([SRC] * sentences)
    stepper.step(rows(slots, [-1] * sentences, [BOS_ID] * sentences), k=2)
    return stepper


def test_rows_that_keep_the_contract_pass() -> None:
    stepper = stepped()
    stepper.step(rows([0, 0, 1], [0, 0, 1], [4, 5, 4]), k=2)
    stepper.retire([0])
    stepper.admit([SRC])
    output = stepper.step(rows([1, 2], [2, -1], [5, BOS_ID]), k=1)
    assert output.ids.tolist() == [[EOS_ID], [4]]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (rows([0, 1, 0], [0, 1, 0], [4, 4, 5]), "stand together"),
        (rows([0], [0], [4]), "not those of the running slots"),
        (rows([0, 1, 2], [0, 1, -1], [4, 4, BOS_ID]), "not those of the running slots"),
        (rows([0, 1], [1, 0], [4, 4]), "a parent of another slot"),
        (rows([0, 1], [0, -1], [4, BOS_ID]), "no such row"),
        (rows([0, 1], [0, 2], [4, 4]), "no such row"),
        (rows([0, 1], [0, 1], [4, EOS_ID]), "nothing follows"),
    ],
)
def test_rows_that_break_the_contract_are_refused(bad: Rows, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        stepped().step(bad, k=2)


def test_a_fresh_slot_begins_with_bos() -> None:
    for bad in (rows([0], [-1], [4]), rows([0], [0], [BOS_ID])):
        stepper = EchoStepper(9)
        stepper.admit([SRC])
        with pytest.raises(AssertionError, match="a fresh slot"):
            stepper.step(bad, k=1)


def test_a_slot_is_retired_once() -> None:
    stepper = stepped()
    stepper.retire([0])
    with pytest.raises(AssertionError, match="slot 0 is not running"):
        stepper.retire([0])


def test_a_table_is_a_distribution_that_depends_on_source_and_prefix() -> None:
    stepper = TableStepper(seed=3)
    one = stepper.distribution([4, EOS_ID], [5])
    assert np.exp(one).sum() == pytest.approx(1.0, abs=1e-6)
    assert np.isneginf(one).tolist() == [True, True, True] + [False] * 6
    assert (one == TableStepper(seed=3).distribution([4, EOS_ID], [5])).all()
    assert (one[3:] != stepper.distribution([5, EOS_ID], [5])[3:]).all()
    assert (one[3:] != stepper.distribution([4, EOS_ID], [6])[3:]).all()
