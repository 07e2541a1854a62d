"""Metrics of added-up counts: sacreBLEU's own numbers, and those worked by hand."""

import random

import numpy as np
import pytest

from training.compare.counts import METRICS, count, sacre_metric, values
from training.compare.outcome import Metric

WORDS = ["man", "in", "a", "blue", "shirt", "stands", "on", "the", "ladder", "cleaning", "Fenster"]


def texts(seed: int, count_of: int = 40) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, 12))) for _ in range(count_of)]


@pytest.mark.parametrize("metric", METRICS)
def test_summed_counts_give_the_corpus_score_of_sacrebleu(metric: Metric) -> None:
    hypotheses, references = texts(1), texts(2)
    table = count(metric, hypotheses, references)
    for chosen in (slice(None), slice(0, 7), slice(5, 6), slice(10, 12)):
        expected = sacre_metric(metric).corpus_score(hypotheses[chosen], [references[chosen]])
        assert values(metric, table[chosen].sum(0)) == pytest.approx(expected.score, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_many_sums_at_once_are_the_same_as_one_by_one(metric: Metric) -> None:
    table = count(metric, texts(3), texts(4))
    weights = np.random.default_rng(0).integers(0, 3, (5, len(table))).astype(float)
    together = values(metric, weights @ table)
    assert together.shape == (5,)
    for row, found in zip(weights, together, strict=True):
        assert found == pytest.approx(values(metric, row @ table))


def test_bleu_by_hand() -> None:
    # five of six words, bigrams 3 of 5, trigrams 1 of 4, four-grams 0 of 3 (halved: 1 in 6)
    table = count("BLEU", ["a b c d e x"], ["a b c z e x"])
    assert table.tolist() == [[6, 6, 5, 3, 1, 0, 6, 5, 4, 3]]
    expected = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25
    assert values("BLEU", table[0]) == pytest.approx(expected)


def test_a_short_translation_pays_for_it() -> None:
    found = values("BLEU", np.array([4.0, 8, 4, 3, 2, 1, 4, 3, 2, 1]))
    assert found == pytest.approx(100 * np.exp(1 - 8 / 4))


def test_ter_by_hand() -> None:
    table = count("TER", ["a b d", "x", ""], ["a b c", "", "y z"])
    assert table.tolist() == [[1, 3], [1, 0], [2, 2]]
    assert values("TER", table).tolist() == pytest.approx([100 / 3, 100, 100])
    assert values("TER", table.sum(0)) == pytest.approx(80)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_translated_is_a_score_and_no_warning(metric: Metric) -> None:
    table = count(metric, ["", "a"], ["some words here now", "b"])
    assert np.isfinite(values(metric, table)).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        count("BLEU", ["a"], ["a", "b"])
    with pytest.raises(ValueError, match="0 hypotheses for 0 references"):
        count("TER", [], [])
