"""What a search found, and the back-pointers it is read from.

The search never copies histories: every step leaves one record of the continuations that survived,
each pointing at the survivor of the step before that it continues. A hypothesis is read by walking
back from its last token, once, when its sentence is finished.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Survivors:
    """The continuations that survived one step, of all sentences together.

    back (survivors,): the survivor of the step before that each continues (-1 at a first token);
    ids (survivors,); log_probs (survivors,), of this token alone; attention (kept, src_len) that
    this token was chosen under, of the sentences that need it, at the rows `attention_at`
    (survivors,) names.
    """

    back: Ids
    ids: Ids
    log_probs: npt.NDArray[np.float64]
    attention: Attention | None
    attention_at: Ids


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

    def tokens(self, step: int, at: Ids, length: int) -> Ids:
        """Ids (n, length) of the last `length` tokens up to survivors `at` (n,) of a step."""
        ids = [record.ids[index] for record, index in self._walk(step, at, length)]
        return np.stack(ids[::-1], axis=1) if ids else np.zeros((len(at), 0), np.int64)

    def token_log_probs(self, step: int, at: Ids, length: int) -> npt.NDArray[np.float64]:
        """Log-probabilities (n, length) of the tokens that `tokens` returns."""
        parts = [record.log_probs[index] for record, index in self._walk(step, at, length)]
        return np.stack(parts[::-1], axis=1) if parts else np.zeros((len(at), 0))

    def attention(self, step: int, at: int, length: int, src_len: int) -> Attention | None:
        """Attention (length, src_len) of the tokens up to one survivor, None where not kept."""
        rows = []
        for record, index in self._walk(step, np.array([at]), length):
            if record.attention is None:
                return None
            rows.append(record.attention[record.attention_at[index[0]], :src_len])
        return np.stack(rows[::-1]) if rows else np.zeros((0, src_len), np.float32)

    def _walk(self, step: int, at: Ids, length: int) -> Iterator[tuple[Survivors, Ids]]:
        """Records and indices, newest first."""
        for number in range(step, step - length, -1):
            record = self._records[number - self._forgotten]
            yield record, at
            at = record.back[at]
