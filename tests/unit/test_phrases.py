"""Terms found in hypotheses id by id, by hand. Ids: 4 and 5 begin words, 6 goes on with one."""

import numpy as np
import pytest

from mt.phrases import Phrases, Progress

CONTINUING = np.array([False] * 6 + [True] + [False] * 3)
FIRST = np.zeros(1, np.int64)  # one hypothesis, of the first sentence


def read(phrases: Phrases, *ids: int) -> Progress:
    progress = Progress(np.zeros(1, np.int64), np.zeros(1, np.int64))
    for one in ids:
        progress = phrases.read(FIRST, progress, np.array([one]))
    return progress


@pytest.mark.parametrize(
    ("terms", "ids", "missing"),
    [
        ([(4,)], [], 1),
        ([(4,)], [5, 4], 0),
        ([(4,)], [4, 6], 1),  # a longer word
        ([(4,)], [4, 6, 4, 5], 0),
        ([(4, 5)], [4, 4, 5], 0),
        ([(4, 5)], [4, 7, 5], 2),
        ([(4, 4, 5)], [4, 4, 4, 5], 0),  # begins at the second 4
        ([(4, 5), (5, 7)], [4, 5, 7], 0),  # they may overlap
        ([(4,), (4,)], [4], 1),  # asked for twice
        ([(4,), (4,)], [4, 4], 0),
        ([(4, 4), (4, 4)], [4, 4, 4], 2),  # but not over itself
        ([(4,), (4,)], [4, 6, 4], 1),
        ([(4, 5), (5,)], [4, 5], 0),
        ([], [4], 0),
    ],
)
def test_missing_ids_are_counted(
    terms: list[tuple[int, ...]], ids: list[int], missing: int
) -> None:
    phrases = Phrases([terms, [(4, 5, 6)]], CONTINUING)
    assert phrases.missing(FIRST, read(phrases, *ids)).tolist() == [missing]


def test_the_bank_counts_ids_held_and_under_way() -> None:
    phrases = Phrases([[(4, 5, 7), (8,)]], CONTINUING)
    reached = [phrases.reached(FIRST, read(phrases, *ids)).item() for ids in ([4], [4, 5], [4, 8])]
    assert reached == [1, 2, 1]
    assert phrases.reached(FIRST, read(phrases, 8, 4, 5)).tolist() == [3]
    assert phrases.reached(FIRST, read(phrases, 4, 5, 7, 8)).tolist() == [4]


def test_wanted_ids_go_on_with_a_term_or_begin_one() -> None:
    phrases = Phrases([[(4, 5), (4, 7), (8,)], [(9,)]], CONTINUING)
    assert phrases.wanted(FIRST, read(phrases)).tolist() == [[8, 4]]
    assert phrases.wanted(FIRST, read(phrases, 4)).tolist() == [[8, 7, 5, 4]]
    assert phrases.wanted(FIRST, read(phrases, 8, 4, 5)).tolist() == [[4]]
    assert phrases.wanted(FIRST, read(phrases, 8, 4, 5, 4, 7)).tolist() == [[0]]
    both = Progress(np.zeros(2, np.int64), np.zeros(2, np.int64))
    assert phrases.wanted(np.array([0, 1]), both).tolist() == [[8, 4], [9, 0]]
