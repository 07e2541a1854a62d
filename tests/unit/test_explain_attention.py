"""Attention between words, by hand; and forced out of a small model."""

import math

import numpy as np
import pytest

from training.compare.explain.attention import (
    agreement,
    attention_score,
    between_words,
    entropies,
    heat_map,
    strongest_links,
)
from training.compare.explain.links import Alignment, parse_links
from training.compare.statistics import Resampled

# "new dogs" is cut as new|dog|s, and "neue Hunde" as neue|Hun|de.
SOURCE_SPANS, TARGET_SPANS = [(0, 3), (3, 7), (7, 8)], [(0, 4), (4, 8), (8, 10)]
ATTENTION = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],  # neue
        [0.0, 0.5, 0.3, 0.2],  # Hun
        [0.2, 0.1, 0.1, 0.6],  # de
        [0.0, 0.0, 0.0, 1.0],  # eos
    ],
    np.float32,
)


def words() -> np.ndarray:
    return between_words(ATTENTION, "new dogs", SOURCE_SPANS, "neue Hunde", TARGET_SPANS)


def test_source_subwords_add_up_and_target_subwords_share_their_word() -> None:
    # Hunde is Hun by 3 of 5 characters, de by 2 of 5; spaces belong to no word
    hunde = 0.6 * np.array([0.0, 0.8, 0.2]) + 0.4 * np.array([0.2, 0.2, 0.6])
    assert words() == pytest.approx(np.array([[0.7, 0.2, 0.1], hunde]), abs=1e-6)


def test_a_piece_over_two_words_is_shared_by_characters() -> None:
    found = between_words(np.array([[0.8, 0.2]]), "don't,", [(0, 6)], "x", [(0, 1)])
    assert found == pytest.approx(np.array([[0.8 * 5 / 6, 0.8 / 6, 0.2]]))


def test_what_stands_for_no_word_falls_to_the_end() -> None:
    found = between_words(np.array([[0.3, 0.5, 0.2]]), "a", [(0, 0), (0, 1)], "b", [(0, 1)])
    assert found == pytest.approx(np.array([[0.5, 0.5]]))


def test_the_strongest_word_is_linked_and_the_end_is_none() -> None:
    weights = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.0, 0.0, 0.0]])
    assert strongest_links(weights) == parse_links("0-0 1-2")
    assert strongest_links(np.empty((0, 3))) == frozenset()


def test_entropy_is_in_bits() -> None:
    attention = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25] * 4], np.float32)
    assert entropies(attention).tolist() == [0.0, 1.0, 2.0]


def test_the_row_of_the_end_is_not_counted_in_entropy() -> None:
    one = np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]], np.float32)
    score = attention_score("x", [[one, one]], Resampled.draw(2, 10))
    assert score.entropy.value == 1.0
    assert score.entropy.high == 1.0
    assert score.agreement is None


def test_agreement_with_an_aligner() -> None:
    alignment = Alignment(sure=parse_links("0-0 1-1"), grown=parse_links("0-0 1-1 2-1"))
    found = agreement([[parse_links("0-0 2-1 3-3")]], [alignment], Resampled.draw(1, 10))
    assert found.error_rate.value == pytest.approx(1 - 3 / 5)
    assert found.precision.value == pytest.approx(2 / 3)
    assert found.recall.value == pytest.approx(1 / 2)


def test_a_heat_map_is_rounded_and_named() -> None:
    found = heat_map("gru", 7, "new dogs", "neue Hunde", words())
    assert found.source_words == ("new", "dogs")
    assert found.target_words == ("neue", "Hunde")
    assert found.weights[0] == (0.7, 0.2, 0.1)
    assert math.isclose(sum(found.weights[1]), 1.0, abs_tol=0.01)
