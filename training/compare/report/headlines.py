"""The verdict in few sentences: one for each pair of systems and test set, over all budgets."""

from collections.abc import Mapping, Sequence

from training.compare.explain.pairs import shown_pairs
from training.compare.outcome import Contrast, ViewName
from training.compare.report.numbers import number, signed
from training.compare.verdict import ALPHA

Titles = Mapping[ViewName, str]


def headlines(contrasts: Sequence[Contrast], systems: Sequence[str], titles: Titles) -> list[str]:
    """Who is better than whom, after which budgets.

    contrasts: of BLEU, on the same data; titles: of the views.
    """
    pairs = shown_pairs(systems)
    told = dict.fromkeys(
        (one.test_set, one.first, one.second)
        for one in contrasts
        if (one.first, one.second) in pairs
    )
    return [
        _headline(
            [one for one in contrasts if (one.test_set, one.first, one.second) == pair], titles
        )
        for pair in told
    ]


def _headline(contrasts: Sequence[Contrast], titles: Titles) -> str:
    """One pair on one test set."""
    clauses = []
    for better in ("first", "second", "neither"):
        found = [one for one in contrasts if one.better == better]
        if found:
            clauses.append(_clause(found, titles))
    return f"On {contrasts[0].test_set}, {'; '.join(clauses)}."


def _clause(contrasts: Sequence[Contrast], titles: Titles) -> str:
    """Budgets with the same outcome."""
    one = contrasts[0]
    ends = [f"after {titles[each.view]} {_margin(each)}" for each in contrasts]
    listed = " and ".join(filter(None, [", ".join(ends[:-1]), ends[-1]]))
    if one.better == "neither":
        return f"neither of {one.first} and {one.second} is shown to be better {listed}"
    winner, loser = (one.second, one.first) if one.better == "second" else (one.first, one.second)
    return f"{winner} is better than {loser} {listed}"


def _margin(contrast: Contrast) -> str:
    """How much by, with the interval; the sign is told where nobody is better."""
    found = contrast.difference
    if contrast.better == "neither":
        ends = f"{signed(found.low)} to {signed(found.high)} BLEU"
        if found.is_clear and contrast.p_holm >= ALPHA:
            ends += f", yet p = {contrast.p_holm:.2g} once corrected for the number of tests"
        return f"({contrast.second} less {contrast.first}: {signed(found.value)}, {ends})"
    low, high = sorted((abs(found.low), abs(found.high)))
    return f"by {number(abs(found.value))} BLEU ({number(low)} to {number(high)})"
