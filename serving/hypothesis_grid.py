"""Where hypotheses stand when they are stepped: a grid of sentences x width, see the signature."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mt.stepper import Ids


@dataclass(frozen=True)
class Grid:
    """The places of one step's rows.

    sentences (rows,): the sentence each row belongs to, rows of one sentence together;
    positions (rows,): tokens each row has decoded so far; n_sentences: those with no row included;
    least_width: columns there are at least.
    """

    sentences: Ids
    positions: Ids
    n_sentences: int
    least_width: int = 1

    @cached_property
    def columns(self) -> Ids:
        """The rank of each row (rows,) among those of its sentence."""
        ranks = np.arange(len(self.sentences))
        first = np.ones(len(ranks), np.bool_)
        first[1:] = self.sentences[1:] != self.sentences[:-1]
        return ranks - np.maximum.accumulate(np.where(first, ranks, 0))

    @cached_property
    def width(self) -> int:
        """The most rows of a sentence, or more where the least is more."""
        return max(int(self.columns.max(initial=0)) + 1, self.least_width)

    @property
    def n_cells(self) -> int:
        """Places, empty ones included."""
        return self.n_sentences * self.width

    @cached_property
    def cells(self) -> Ids:
        """The flat place of each row (rows,)."""
        return self.sentences * self.width + self.columns

    def spread(self, values: Ids) -> Ids:
        """Values of rows (rows,) put into their places (n_cells,), 0 in empty ones."""
        placed = np.zeros(self.n_cells, np.int64)
        placed[self.cells] = values
        return placed


EMPTY = Grid(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
