"""The unit of a parallel corpus."""

from typing import NamedTuple


class Pair(NamedTuple):
    """A sentence and its translation, one line each."""

    src: str
    tgt: str
