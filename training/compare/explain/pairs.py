"""Which pairs of systems are shown: all of a few; of many, each against the first."""

from collections.abc import Sequence
from itertools import combinations

_FEW = 3


def shown_pairs(systems: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs in the order of the systems; tables hold all others too."""
    pairs = list(combinations(systems, 2))
    return pairs if len(systems) <= _FEW else [pair for pair in pairs if pair[0] == systems[0]]
