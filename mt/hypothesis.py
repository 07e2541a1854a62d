"""What a search found, and the back-pointers it is read from.

The search never copies histories: every step leaves one record of the continuations that survived,
each pointing at the survivor of the step before that it continues. A hypothesis is read by walking
back from its last token, once, when its sentence is finished.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mt.stepper import Attention, Ids


@dataclass(frozen=True)
class Hypothesis:
    """One translation.

    ids: without eos, forced prefix included;
    score: what hypotheses compete by: log_prob / norm(length) + coverage;
    log_prob: sum of `token_log_probs`, natural logarithm;
    token_log_probs: one a token, eos included where finished, 0.0 in the forced prefix;
    finished: whether it ended with eos, rather than at the longest length;
    attention: (len(token_log_probs), src_len), or None where not asked for or the model has none.
    """

    ids: list[int]
    score: float
    log_prob: float
    token_log_probs: list[float]
    finished: bool
    attention: Attention | None = None


class Survivors(NamedTuple):
    """The continuations that survived one step, of all sentences together.

    back (survivors,): the survivor of the step before that each continues, -1 at a first token;
    ids (survivors,); log_probs (survivors,), of this token alone; attention (kept, src_len) that
    tokens were chosen under, kept for the sentences that need it; attention_at (survivors,): the
    row of `attention` of a survivor that has one. Both None where nobody needs it.
    """

    back: Ids
    ids: Ids
    log_probs: npt.NDArray[np.float64]
    attention: Attention | None = None
    attention_at: Ids | None = None


class History:
    """The survivors of the steps that running sentences may still be read from."""

    def __init__(self) -> None:
        self._records: list[Survivors] = []
        self._forgotten = 0

    def __len__(self) -> int:
        """Number of steps recorded so far, forgotten ones included."""
        return self._forgotten + len(self._records)

    def append(self, survivors: Survivors) -> None:
        """Record one step; its number is the length before."""
        self._records.append(survivors)

    def forget(self, before: int) -> None:
        """Drop the steps with a smaller number."""
        del self._records[: before - self._forgotten]
        self._forgotten = before

    def path(self, step: int, at: int, length: int) -> list[tuple[Survivors, int]]:
        """The last `length` tokens up to survivor `at` of a step, oldest first: record, index."""
        path = []
        for number in range(step, step - length, -1):
            record = self._records[number - self._forgotten]
            path.append((record, at))
            at = record.back.item(at)
        return path[::-1]

    def tokens(self, at: Ids) -> Ids:
        """All ids up to survivors `at` (n,) of the last step, -1 for one that has no ids yet.

        Returns (n, longest), right-aligned, -1 where one is shorter.
        """
        columns = []
        for record in reversed(self._records):
            if (at < 0).all():
                break
            columns.append(np.where(at < 0, -1, record.ids[at]))
            at = np.where(at < 0, -1, record.back[at])
        return np.stack(columns[::-1], axis=1) if columns else np.empty((len(at), 0), np.int64)


def attention_of(path: list[tuple[Survivors, int]], src_len: int) -> Attention | None:
    """Attention (len(path), src_len) along a path, None where the model has none."""
    rows = []
    for record, at in path:
        if record.attention is None or record.attention_at is None:
            return None
        rows.append(record.attention[record.attention_at[at], :src_len])
    return np.stack(rows) if rows else np.empty((0, src_len), np.float32)
