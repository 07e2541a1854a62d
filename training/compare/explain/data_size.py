"""Scores by the number of training pairs, and where one system overtakes another."""

import math
from collections.abc import Mapping
from itertools import combinations, pairwise

from pydantic import Field

from mt.config import Strict
from training.compare.outcome import Comparison, Contrast, Estimate, ViewName


class SizeScore(Strict):
    """BLEU of a system trained on so many pairs."""

    system: str
    pairs: int
    bleu: Estimate


class Crossing(Strict):
    """Between two sizes the sign of the difference of two systems changes."""

    first: str
    second: str
    below: int = Field(description="pairs at which one is ahead")
    above: int = Field(description="pairs at which the other is")
    pairs: float = Field(description="where straight lines over the logarithm of pairs cross")
    clear: bool = Field(description="whether each is significantly ahead on its side")


def size_scores(
    comparison: Comparison, view: ViewName, test_set: str, sizes: Mapping[str, int]
) -> tuple[SizeScore, ...]:
    """Rows by system and size; sizes: training pairs of each data condition that counts."""
    rows = [
        SizeScore(system=one.system, pairs=sizes[one.data], bleu=one.mean)
        for one in comparison.summaries
        if (one.metric, one.view, one.test_set) == ("BLEU", view, test_set) and one.data in sizes
    ]
    return tuple(sorted(rows, key=lambda row: (row.system, row.pairs)))


def crossings(
    comparison: Comparison, view: ViewName, test_set: str, sizes: Mapping[str, int]
) -> tuple[Crossing, ...]:
    """Where the lines of two systems cross, for all pairs of systems."""
    contrasts = [
        one
        for one in comparison.contrasts
        if (one.metric, one.view, one.test_set) == ("BLEU", view, test_set) and one.data in sizes
    ]
    names = [system.name for system in comparison.systems]
    found = []
    for pair in combinations(names, 2):
        of_pair = [one for one in contrasts if {one.first, one.second} == set(pair)]
        by_size = sorted(of_pair, key=lambda one: sizes[one.data])
        found += [
            _crossing(before, after, sizes)
            for before, after in pairwise(by_size)
            if before.difference.value * after.difference.value < 0
        ]
    return tuple(found)


def _crossing(before: Contrast, after: Contrast, sizes: Mapping[str, int]) -> Crossing:
    """Where a straight line between two differences is zero."""
    below, above = sizes[before.data], sizes[after.data]
    share = before.difference.value / (before.difference.value - after.difference.value)
    at = math.exp(math.log(below) + share * (math.log(above) - math.log(below)))
    ahead = {before.better, after.better}
    return Crossing(
        first=before.first,
        second=before.second,
        below=below,
        above=above,
        pairs=at,
        clear=ahead == {"first", "second"},
    )
