"""Tests of differences: hand-worked numbers, and intervals that hold the truth as often as told."""

from collections.abc import Sequence

import numpy as np
import pytest
from sacrebleu.significance import PairedTest, Result

from training.compare.counts import METRICS, Table, count, sacre_metric
from training.compare.outcome import Estimate, Metric
from training.compare.statistics import (
    Resampled,
    hedges_g,
    holm,
    interval,
    mean_of_seeds,
    seed_scores,
    seed_widening,
    single_seed_tests,
    superiority,
    two_level,
)
from training.significance import paired_bootstrap

REFERENCES = [f"the {w} cat sat on the {w} mat number {i}" for i, w in enumerate("abcdefgh" * 5)]


def spoilt(every: int, start: int = 0) -> list[str]:
    """The references with words changed in every so many sentences."""
    return [
        text.replace("cat sat", "dog lay") if (i + start) % every == 0 else text
        for i, text in enumerate(REFERENCES)
    ]


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04: times 4, 3, 2, 1, never falling
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_hedges_g_by_hand() -> None:
    # means 2 and 5, both variances 1: d = 3, J = 1 - 3 / 15 = 0.8, g = 2.4
    found = hedges_g([1, 2, 3], [4, 5, 6])
    assert found is not None
    assert found.value == pytest.approx(2.4)
    half = 1.959964 * (6 / 9 + 2.4**2 / 12) ** 0.5
    assert (found.low, found.high) == pytest.approx((2.4 - half, 2.4 + half))


@pytest.mark.parametrize(("first", "second"), [([1], [2, 3]), ([1, 1], [2, 2])])
def test_without_a_spread_of_seeds_there_is_no_effect_in_deviations(
    first: list[float], second: list[float]
) -> None:
    assert hedges_g(first, second) is None


def test_few_seeds_are_spread_further() -> None:
    assert seed_widening(1, 0) == 0
    assert seed_widening(3, 4) == pytest.approx((3 / 2) ** 0.5 * 2.776 / 1.959964)
    assert seed_widening(40, 78) == pytest.approx((40 / 39) ** 0.5 * 2.086 / 1.959964)


def test_an_interval_is_the_middle_of_the_samples() -> None:
    found = interval(3.0, np.arange(101.0))
    assert (found.value, found.low, found.high) == pytest.approx((3, 2.5, 97.5))
    assert found.is_clear
    assert not Estimate(value=1, low=-0.1, high=2).is_clear
    assert Estimate(value=-1, low=-2, high=-0.1).is_clear


def test_the_draws_of_sentences_repeat_and_fill_the_test_set() -> None:
    drawn = Resampled.draw(7, 50)
    assert (drawn.weights.sum(1) == 7).all()
    assert (drawn.weights == Resampled.draw(7, 50).weights).all()
    assert not (drawn.weights == Resampled.draw(7, 50, random_seed=1).weights).all()


def test_one_seed_each_is_the_paired_bootstrap() -> None:
    worse, better = spoilt(3), spoilt(7)
    drawn = Resampled.draw(len(REFERENCES), 400)
    tables = [[count("BLEU", output, REFERENCES)] for output in (worse, better)]
    found = two_level("BLEU", tables[0], tables[1], drawn)
    plain = paired_bootstrap(worse, better, REFERENCES, samples=400)
    assert found.value == pytest.approx(plain.difference)
    assert found.estimate.low == pytest.approx(plain.low, abs=0.7)
    assert found.estimate.high == pytest.approx(plain.high, abs=0.7)


def test_the_order_of_systems_turns_the_sign() -> None:
    tables = [[count("chrF2", spoilt(n), REFERENCES) for n in seeds] for seeds in ((2, 3), (5, 6))]
    drawn = Resampled.draw(len(REFERENCES), 200)
    there = two_level("chrF2", tables[0], tables[1], drawn)
    back = two_level("chrF2", tables[1], tables[0], drawn)
    assert there.value > 0
    assert back.value == pytest.approx(-there.value)


def test_equal_outputs_differ_by_nothing() -> None:
    tables = [count("BLEU", spoilt(4), REFERENCES)] * 3
    found = two_level("BLEU", tables, tables, Resampled.draw(len(REFERENCES), 100))
    assert found.estimate == Estimate(value=0, low=0, high=0)
    assert found.p == 1.0
    assert found.lower_bound() == 0


def test_a_clear_difference_has_a_small_p() -> None:
    tables = [[count("TER", output, REFERENCES)] for output in (spoilt(1), list(REFERENCES))]
    found = two_level("TER", tables[0], tables[1], Resampled.draw(len(REFERENCES), 199))
    assert found.p == pytest.approx(2 / 200)
    assert found.estimate.high < 0


def test_a_one_sided_bound_lies_inside_the_two_sided_interval() -> None:
    tables = [[count("BLEU", spoilt(n), REFERENCES)] for n in (3, 7)]
    found = two_level("BLEU", tables[0], tables[1], Resampled.draw(len(REFERENCES), 400))
    assert found.estimate.low < found.lower_bound() < found.value
    assert found.lower_bound() == pytest.approx(np.percentile(found.samples, 5))


def test_the_mean_of_seeds_lies_in_its_interval() -> None:
    tables = [count("BLEU", spoilt(n), REFERENCES) for n in (3, 4, 5)]
    found = mean_of_seeds("BLEU", tables, Resampled.draw(len(REFERENCES), 200))
    assert found.value == pytest.approx(sum(seed_scores("BLEU", tables)) / 3)
    assert found.low < found.value < found.high


def test_superiority_counts_sentences_and_halves_ties() -> None:
    first = [count("chrF2", ["aaaaaa", "right", "same"], ["other", "right", "same"])]
    second = [count("chrF2", ["other", "wrong", "same"], ["other", "right", "same"])]
    found = superiority(first, second, Resampled.draw(3, 50))
    assert found.value == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.low < 0.5 < found.high


@pytest.mark.parametrize("metric", METRICS)
def test_the_tests_of_sacrebleu_are_its_own(metric: Metric) -> None:
    outputs = (spoilt(2), spoilt(9))
    tables = [count(metric, output, REFERENCES) for output in outputs]
    tests = single_seed_tests(metric, (1, tables[0]), (4, tables[1]), 100)
    for test, kind, samples in zip(tests, ("bs", "ar"), (100, 1000), strict=True):
        named: list[tuple[str, Sequence[str]]] = list(zip("ab", outputs, strict=True))
        slow = PairedTest(named, {metric: sacre_metric(metric)}, [REFERENCES], kind, samples)
        signatures, columns = slow()
        first, second = (result for result in columns[metric] if isinstance(result, Result))
        assert test.p == second.p_value
        assert test.difference == second.score - first.score
        assert test.signature == str(signatures[metric])
        assert (test.first_seed, test.second_seed) == (1, 4)
        assert 0 < test.p <= 1
    assert [test.method for test in tests] == [
        "paired bootstrap",
        "paired approximate randomisation",
    ]


def simulated(random: np.random.Generator, seeds: int, truth: float) -> tuple[list[Table], ...]:
    """Error rates of two systems: sentences, seeds and noise vary; the second is worse by truth."""
    sentences = 100
    hardness = random.normal(0, 6, sentences)
    return tuple(
        [
            np.stack(
                [
                    30 + rise + random.normal(0, 0.6) + hardness * (1 + rise) + noise,
                    np.full(sentences, 100.0),
                ],
                -1,
            )
            for noise in random.normal(0, 3, (seeds, sentences))
        ]
        for rise in (0.0, truth)
    )


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds: int) -> None:
    random, trials, truth = np.random.default_rng(1), 200, 0.5
    held = 0
    for trial in range(trials):
        first, second = simulated(random, seeds, truth)
        drawn = Resampled.draw(100, 200, random_seed=trial)
        found = two_level("TER", first, second, drawn).estimate
        held += found.low <= truth <= found.high
    assert held / trials >= 0.92  # three standard errors below 95 % would be 0.90
