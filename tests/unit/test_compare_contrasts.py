"""Means of systems, and what may be said of their differences."""

import pytest

from training.compare.contrasts import (
    Cell,
    SeedOutput,
    SingleSeedTests,
    contrast_all,
    correct,
    median_seed,
    paired_tests,
    summarise,
)
from training.compare.counts import METRICS, count
from training.compare.outcome import Contrast, Estimate, Metric, View
from training.compare.verdict import judge

REFERENCES = [f"the {w} cat sat on the {w} mat number {i}" for i, w in enumerate("abcdefgh" * 3)]
VIEW = View(name="tokens", budget=5, title="5 target tokens")


def output(seed: int, validation_bleu: float, hypotheses: list[str]) -> SeedOutput:
    tables = {metric: count(metric, hypotheses, REFERENCES) for metric in METRICS}
    return SeedOutput(seed, validation_bleu, tuple(hypotheses), tables)


def spoilt(every: int, start: int = 0) -> list[str]:
    return [
        text.replace("cat sat", "dog lay") if (i + start) % every == 0 else text
        for i, text in enumerate(REFERENCES)
    ]


def cell(**systems: list[SeedOutput]) -> Cell:
    return Cell("all", VIEW, "test", tuple(REFERENCES), systems)


def sacre_tests(
    metric: Metric, first: SeedOutput, second: SeedOutput, references: tuple[str, ...]
) -> SingleSeedTests:
    return paired_tests(metric, first, second, 100)


def test_the_median_seed_is_that_of_validation() -> None:
    outputs = [output(seed, bleu, REFERENCES) for seed, bleu in ((1, 30), (2, 10), (3, 20))]
    assert median_seed(outputs).seed == 3
    assert median_seed(outputs[:2]).seed == 2  # of two the lower


def test_a_summary_tells_of_all_seeds() -> None:
    outputs = [output(seed, seed, spoilt(seed + 1)) for seed in (1, 2, 3)]
    found = summarise(cell(one=outputs), 100)
    assert [summary.metric for summary in found] == list(METRICS)
    bleu = found[0]
    assert bleu.seeds == (1, 2, 3)
    assert bleu.median_seed == 2
    assert bleu.least < bleu.mean.value < bleu.greatest
    assert bleu.sd is not None
    assert summarise(cell(one=outputs[:1]), 100)[0].sd is None


def test_contrasts_say_who_is_better_in_every_metric() -> None:
    bad = [output(seed, seed, spoilt(1, seed)) for seed in (1, 2, 3)]
    good = [output(seed, seed, spoilt(12, seed)) for seed in (1, 2, 3)]
    found = contrast_all([cell(bad=bad, good=good)], 100, sacre_tests)
    assert [contrast.better for contrast in found] == ["second"] * 3
    assert found[0].difference.value > 0 > found[2].difference.value  # of TER less is better
    assert found[0].verdict.startswith("good is better than bad on test after 5 target tokens: ")
    assert found[0].superiority.value > 0.9
    assert len(found[0].single_seed) == 2
    alike = contrast_all([cell(one=good, other=good)], 100, sacre_tests)
    assert {contrast.better for contrast in alike} == {"neither"}


def a_contrast(**changes: object) -> Contrast:
    values = {
        "first": "gru",
        "second": "transformer",
        "data": "all",
        "view": "tokens",
        "test_set": "test",
        "metric": "BLEU",
        "difference": Estimate(value=1, low=0.5, high=1.5),
        "p": 0.01,
        "p_holm": 0.01,
        "hedges_g": None,
        "superiority": Estimate(value=0.5, low=0.4, high=0.6),
        "single_seed": (),
        "better": "neither",
        "verdict": "",
    }
    return Contrast.model_validate(values | changes)


def test_better_needs_an_interval_without_zero_and_a_small_corrected_p() -> None:
    assert judge(a_contrast(), "5 tokens", False).verdict == (
        "transformer is better than gru on test after 5 tokens: 1.00 (0.50 to 1.50) BLEU, "
        "p = 0.01 after correction."
    )
    touching = a_contrast(difference=Estimate(value=1, low=-0.1, high=2))
    assert judge(touching, "5 tokens", False).better == "neither"
    assert "the interval holds zero" in judge(touching, "5 tokens", False).verdict
    assert "is better than" not in judge(touching, "5 tokens", False).verdict
    corrected = judge(a_contrast(p_holm=0.2), "5 tokens", False)
    assert corrected.better == "neither"
    assert "not clear once corrected" in corrected.verdict


def test_less_ter_is_better() -> None:
    less = a_contrast(metric="TER", difference=Estimate(value=-2, low=-3, high=-1))
    found = judge(less, "5 tokens", False)
    assert found.better == "second"
    assert "2.00 (1.00 to 3.00) TER" in found.verdict
    more = judge(less.model_copy(update={"metric": "chrF2"}), "5 tokens", False)
    assert more.better == "first"


def test_one_seed_makes_nobody_better() -> None:
    found = judge(a_contrast(), "5 tokens", True)
    assert found.better == "neither"
    assert found.verdict.endswith("and one seed each tells two runs apart, not two systems.")


def test_correction_is_among_one_metric_only() -> None:
    found = correct([a_contrast(), a_contrast(p=0.04), a_contrast(metric="TER", p=0.03)])
    assert [contrast.p_holm for contrast in found] == pytest.approx([0.02, 0.04, 0.03])
