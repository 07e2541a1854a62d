import numpy as np
import pytest

from mt.constraints import Constraints, repeated
from mt.tokenizer import EOS_ID

FREE = -1
NONE = np.empty((1, 0), np.int64)


def constraints(
    too_early: bool = False, banned: list[int] | None = None, forced: int = FREE
) -> Constraints:
    return Constraints(
        np.array([too_early]), np.array([banned or []], np.int64), np.array([forced])
    )


IDS = np.array([[7, EOS_ID, 5]])
LOG_PROBS = np.log(np.array([[0.5, 0.3, 0.2]], np.float32))


@pytest.mark.parametrize(
    ("tokens", "n", "banned"),
    [
        ([4, 5, 4], 2, {5}),  # 4 5 was there
        ([4, 4], 2, {4}),
        ([4, 5, 6], 2, set()),
        ([4, 5, 6], 1, {4, 5, 6}),
        ([4, 5, 6, 4, 5, 7, 4, 5], 3, {6, 7}),
        ([4, 5], 3, set()),
        ([4], 3, set()),
        ([4, 5, 4, 5], 0, set()),
    ],
)
def test_what_would_repeat_an_ngram(tokens: list[int], n: int, banned: set[int]) -> None:
    found = repeated(np.array([tokens]), np.array([n]))
    assert set(found.ravel().tolist()) - {-1} == banned


def test_rows_of_different_lengths_and_sizes_stand_side_by_side() -> None:
    tokens = np.array([[4, 5, 4], [-1, -1, 4], [-1, 6, 6], [4, 5, 4]])
    found = repeated(tokens, np.array([2, 2, 1, 0]))
    assert [set(row) - {-1} for row in found.tolist()] == [{5}, set(), {6}, set()]


def test_no_tokens_ban_nothing() -> None:
    assert repeated(np.empty((2, 0), np.int64), np.array([1, 3])).shape == (2, 0)


def test_eos_is_banned_while_it_is_too_early() -> None:
    ids, log_probs = constraints(too_early=True).apply(IDS, LOG_PROBS)
    assert ids.tolist() == IDS.tolist()
    assert np.isneginf(log_probs).tolist() == [[False, True, False]]


def test_repeated_ids_are_banned_and_others_keep_their_log_probability() -> None:
    _, log_probs = constraints(banned=[-1, 5, 9]).apply(IDS, LOG_PROBS)
    assert np.isneginf(log_probs).tolist() == [[False, False, True]]
    assert log_probs[0, 0] == LOG_PROBS[0, 0]


def test_a_forced_id_stands_alone_and_costs_nothing() -> None:
    ids, log_probs = constraints(too_early=True, banned=[8], forced=8).apply(IDS, LOG_PROBS)
    assert (ids[0, 0], log_probs[0, 0]) == (8, 0.0)
    assert np.isneginf(log_probs[0, 1:]).all()
    assert IDS[0, 0] == 7  # the stepper's array is left alone


def test_every_banned_id_is_asked_for_on_top() -> None:
    assert np.array_equal(constraints().most_banned(), [0])
    assert np.array_equal(constraints(too_early=True, banned=[5, -1, 6]).most_banned(), [3])


def test_where_nobody_is_constrained_candidates_are_what_they_were() -> None:
    ids, log_probs = Constraints().apply(IDS, LOG_PROBS)
    assert Constraints().most_banned() == 0
    assert ids is IDS
    assert log_probs.tolist() == LOG_PROBS.tolist()
