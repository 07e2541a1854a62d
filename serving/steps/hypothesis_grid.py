"""Where hypotheses stand when they are stepped: a grid of sentences x width, see the signature."""

from functools import cached_property

import numpy as np

from mt.stepper import Ids


class Grid:
    """The places of a step's rows; the next step's too, as long as no sentence's rows change.

    sentences (rows,): the sentence each row belongs to, rows of one sentence together;
    columns (rows,): the rank of each row among those of its sentence; cells (rows,): its flat
    place; n_sentences: those with no row included; width: the most rows of a sentence, or more
    where the least is more; ranks (rows,): 0, 1, 2, ...; is_dense: whether row i stands in cell i
    and there are no more cells.
    """

    def __init__(self, sentences: Ids, n_sentences: int, least_width: int = 1) -> None:
        self.sentences, self.n_sentences = sentences, n_sentences
        self.ranks = np.arange(len(sentences))
        goes_on = (sentences[1:] == sentences[:-1]).nonzero()[0] + 1
        if len(goes_on):
            first = self.ranks.copy()
            first[goes_on] = 0
            self.columns = self.ranks - np.maximum.accumulate(first)
            self.width = max(int(self.columns.max()) + 1, least_width)
        else:  # nobody has two
            self.columns, self.width = np.zeros_like(self.ranks), least_width
        self.cells = sentences * self.width + self.columns
        self.is_dense = np.array_equal(self.cells, np.arange(self.n_cells))

    @property
    def n_cells(self) -> int:
        """Places, empty ones included."""
        return self.n_sentences * self.width

    @cached_property
    def empty(self) -> tuple[Ids, Ids]:
        """Sentence and column of every cell without a row."""
        free = np.ones(self.n_cells, np.bool_)
        free[self.cells] = False
        sentences, columns = np.divmod(free.nonzero()[0], self.width)
        return sentences, columns

    @cached_property
    def counts(self) -> Ids:
        """How many rows each sentence has (n_sentences,)."""
        return np.bincount(self.sentences, minlength=self.n_sentences)

    def spread(self, values: Ids, empty: int = 0) -> Ids:
        """Values of rows (rows,) in their places (n_sentences, width), others in empty ones."""
        if self.is_dense:
            return values.reshape(self.n_sentences, self.width)
        placed = np.full((self.n_sentences, self.width), empty)
        placed.ravel()[self.cells] = values
        return placed


EMPTY = Grid(np.zeros(0, np.int64), 0)
