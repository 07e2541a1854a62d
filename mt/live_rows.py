"""The live hypotheses of all running sentences, side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mt.tokenizer import BOS_ID

Column = npt.NDArray[Any]


class LiveRows(NamedTuple):
    """One entry a row; the rows of a sentence stand together, the most probable first.

    sentence: its place among those that run; parent: row of the previous step, and back: survivor
    of the previous step, -1 before the first; last_id; sample: its number where the sentence is
    drawn, else 0; matched and met: how far it is with its terms, see `mt.phrases.Progress`;
    log_prob: of all tokens so far. All are int64, but log_prob is float64.
    """

    sentence: Column
    parent: Column
    back: Column
    last_id: Column
    sample: Column
    matched: Column
    met: Column
    log_prob: Column

    @classmethod
    def beginning(cls, first: int, rows: Sequence[int]) -> "LiveRows":
        """Rows without a token yet: of the sentences from place `first` on, so many each."""
        samples = np.array([sample for count in rows for sample in range(count)], np.int64)
        none = np.full(len(samples), -1)
        return cls(
            sentence=np.arange(first, first + len(rows)).repeat(rows),
            parent=none,
            back=none,
            last_id=np.full(len(samples), BOS_ID),
            sample=samples,
            matched=np.zeros(len(samples), np.int64),
            met=np.zeros(len(samples), np.int64),
            log_prob=np.zeros(len(samples)),
        )

    def beside(self, others: "LiveRows") -> "LiveRows":
        """These rows, then others."""
        return LiveRows(*(np.concatenate(columns) for columns in zip(self, others, strict=True)))

    def only(self, kept: npt.NDArray[np.bool_]) -> "LiveRows":
        """Those of the rows (rows,)."""
        at = kept.nonzero()[0]
        return LiveRows(*(column[at] for column in self))

    def of_sentences(self, stay: npt.NDArray[np.bool_]) -> "LiveRows":
        """The rows of the sentences that stay (sentences,), whose places move up."""
        kept = self.only(stay[self.sentence])
        return kept._replace(sentence=(stay.cumsum() - 1)[kept.sentence])
