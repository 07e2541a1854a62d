"""Where hypotheses stand when they are stepped: a grid of sentences x width, see the signature."""

from functools import cached_property

import numpy as np

from mt.stepper import Ids


class Grid:
    """The places of one step's rows.

    sentences (rows,): the sentence each row belongs to, rows of one sentence together;
    positions (rows,): tokens each row has decoded so far; columns (rows,): the rank of each row
    among those of its sentence; cells (rows,): its flat place; n_sentences: those with no row
    included; width: the most rows of a sentence, or more where the least is more.
    """

    def __init__(
        self, sentences: Ids, positions: Ids, n_sentences: int, least_width: int = 1
    ) -> None:
        self.sentences, self.positions, self.n_sentences = sentences, positions, n_sentences
        ranks = np.arange(len(sentences))
        goes_on = (sentences[1:] == sentences[:-1]).nonzero()[0] + 1
        if len(goes_on):
            ranks[goes_on] = 0
            self.columns = np.arange(len(ranks)) - np.maximum.accumulate(ranks)
            self.width = max(int(self.columns.max()) + 1, least_width)
        else:  # nobody has two
            self.columns, self.width = np.zeros_like(ranks), least_width
        self.cells = sentences * self.width + self.columns

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

    def counts(self) -> Ids:
        """How many rows each sentence has (n_sentences,)."""
        return np.bincount(self.sentences, minlength=self.n_sentences)

    def spread(self, values: Ids) -> Ids:
        """Values of rows (rows,) put into their places (n_sentences, width), 0 in empty ones."""
        placed = np.zeros((self.n_sentences, self.width), np.int64)
        placed.ravel()[self.cells] = values
        return placed


EMPTY = Grid(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
