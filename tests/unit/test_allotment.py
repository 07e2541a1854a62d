"""Which candidates of a constrained sentence get a place, by hand."""

import numpy as np

from mt.selection import allot

INF = float("inf")


def kept(
    width: int, share: int, bank: list[list[int]], totals: list[list[float]]
) -> list[list[bool]]:
    rows = len(bank)
    one = np.zeros(rows, np.int64)
    found: list[list[bool]]
    found = allot(one, one + width, one + share, np.array(bank), np.array(totals)).tolist()
    return found


def test_each_bank_has_its_share_and_the_best_take_what_is_left() -> None:
    bank = [[0, 0, 0, 1], [0, 1, 2, 2]]
    totals = [[-1.0, -2.0, -3.0, -9.0], [-4.0, -8.0, -7.0, -6.0]]
    # the best of bank 2, of bank 0 and of bank 1; then the two best of all
    assert kept(5, 1, bank, totals) == [[True, True, True, False], [False, True, False, True]]


def test_the_most_advanced_survives_a_beam_that_is_too_narrow() -> None:
    assert kept(1, 0, [[0, 1, 3]], [[-1.0, -2.0, -50.0]]) == [[False, False, True]]


def test_candidates_that_are_none_get_no_place() -> None:
    assert kept(3, 3, [[0, 1, 2]], [[-1.0, -2.0, -INF]]) == [[True, True, False]]
    assert kept(3, 3, [[0]], [[-INF]]) == [[False]]


def test_sentences_are_served_apart() -> None:
    sentence, width = np.array([0, 0, 2]), np.array([1, 1, 2])
    bank = np.array([[0, 0], [0, 0], [0, 0]])
    totals = np.array([[-5.0, -2.0], [-1.0, -3.0], [-7.0, -8.0]])
    found = allot(sentence, width, width, bank, totals)
    assert found.tolist() == [[False, False], [True, False], [True, True]]


def test_of_equals_the_earlier_one_is_kept() -> None:
    assert kept(1, 1, [[0, 0]], [[-1.0, -1.0]]) == [[True, False]]
