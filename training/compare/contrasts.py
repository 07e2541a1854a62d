"""Means of systems, and every pair of systems against each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import stdev

from training.compare.counts import METRICS, Table
from training.compare.outcome import Contrast, Metric, SingleSeedTest, Summary, View
from training.compare.statistics import (
    SACRE_SAMPLES,
    Resampled,
    hedges_g,
    holm,
    mean_of_seeds,
    seed_scores,
    single_seed_tests,
    superiority,
    two_level,
)
from training.compare.verdict import judge

CORRECTION = (
    "Holm 1979: for the two-level bootstrap over all test sets, views, data conditions and pairs "
    "of systems of one metric; the same for each of sacreBLEU's two tests"
)

SingleSeedTests = tuple[SingleSeedTest, ...]
Tester = Callable[[Metric, "SeedOutput", "SeedOutput", tuple[str, ...]], SingleSeedTests]


@dataclass(frozen=True)
class SeedOutput:
    """One seed's translations of a test set, counted; validation_bleu is that of its weights."""

    seed: int
    validation_bleu: float
    hypotheses: tuple[str, ...]
    tables: dict[Metric, Table]


@dataclass(frozen=True)
class Cell:
    """All systems on one test set in one view, on one data condition, seeds in order."""

    data: str
    view: View
    test_set: str
    references: tuple[str, ...]
    systems: dict[str, list[SeedOutput]]


def median_seed(outputs: Sequence[SeedOutput]) -> SeedOutput:
    """Of the median validation BLEU, so that no test set chooses; of two middle ones the lower."""
    return sorted(outputs, key=lambda output: (output.validation_bleu, output.seed))[
        (len(outputs) - 1) // 2
    ]


def summarise(cell: Cell, samples: int) -> list[Summary]:
    """Means over seeds of every system and metric."""
    resampled = Resampled.draw(len(cell.references), samples)
    return [
        _summary(cell, system, metric, resampled) for system in cell.systems for metric in METRICS
    ]


def _summary(cell: Cell, system: str, metric: Metric, resampled: Resampled) -> Summary:
    outputs = cell.systems[system]
    tables = _tables(outputs, metric)
    scores = seed_scores(metric, tables)
    return Summary(
        system=system,
        data=cell.data,
        view=cell.view.name,
        test_set=cell.test_set,
        metric=metric,
        mean=mean_of_seeds(metric, tables, resampled),
        sd=stdev(scores) if len(scores) > 1 else None,
        least=min(scores),
        greatest=max(scores),
        seeds=tuple(output.seed for output in outputs),
        median_seed=median_seed(outputs).seed,
    )


def contrast_all(cells: Sequence[Cell], samples: int, test: Tester) -> list[Contrast]:
    """Every pair of systems in every cell by every metric, corrected for being so many.

    test: sacreBLEU's tests of two outputs, `paired_tests` or one that remembers what it found.
    """
    found = [
        _contrast(cell, pair, metric, resampled, test)
        for cell in cells
        for resampled in [Resampled.draw(len(cell.references), samples)]
        for pair in combinations(cell.systems, 2)
        for metric in METRICS
    ]
    titles = {cell.view.name: cell.view.title for cell in cells}
    one_seed = all(len(outputs) == 1 for cell in cells for outputs in cell.systems.values())
    return [judge(contrast, titles[contrast.view], one_seed) for contrast in correct(found)]


def paired_tests(
    metric: Metric, first: SeedOutput, second: SeedOutput, samples: int
) -> SingleSeedTests:
    """The two of sacreBLEU, of two outputs, not corrected."""
    before, after = ((output.seed, output.tables[metric]) for output in (first, second))
    return tuple(single_seed_tests(metric, before, after, min(samples, SACRE_SAMPLES)))


def _contrast(
    cell: Cell, pair: tuple[str, str], metric: Metric, resampled: Resampled, test: Tester
) -> Contrast:
    """One pair, without correction or verdict."""
    first, second = (cell.systems[name] for name in pair)
    before, after = (_tables(outputs, metric) for outputs in (first, second))
    found = two_level(metric, before, after, resampled)
    return Contrast(
        first=pair[0],
        second=pair[1],
        data=cell.data,
        view=cell.view.name,
        test_set=cell.test_set,
        metric=metric,
        difference=found.estimate,
        p=found.p,
        p_holm=found.p,
        hedges_g=hedges_g(seed_scores(metric, before), seed_scores(metric, after)),
        superiority=superiority(_tables(first, "chrF2"), _tables(second, "chrF2"), resampled),
        single_seed=test(metric, median_seed(first), median_seed(second), cell.references),
        better="neither",
        verdict="",
    )


def _tables(outputs: Sequence[SeedOutput], metric: Metric) -> list[Table]:
    return [output.tables[metric] for output in outputs]


def correct(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Holm's correction among contrasts of the same metric, and among tests of one method."""
    found = list(contrasts)
    for metric in METRICS:
        at = [i for i, contrast in enumerate(found) if contrast.metric == metric]
        corrected = holm([found[i].p for i in at])
        methods = zip(*(found[i].single_seed for i in at), strict=True)
        by_method = [holm([test.p for test in tests]) for tests in methods]
        for place, i in enumerate(at):
            tests = tuple(
                test.model_copy(update={"p_holm": p_values[place]})
                for test, p_values in zip(found[i].single_seed, by_method, strict=True)
            )
            update = {"p_holm": corrected[place], "single_seed": tests}
            found[i] = found[i].model_copy(update=update)
    return found
