"""What a row may not, or must, continue with: minimum length, no-repeat n-grams, forced prefix."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mt.stepper import Ids
from mt.tokenizer import EOS_ID

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Constraints:
    """The constraints of one step, on all rows at once; None where nobody has such a one.

    too_early (rows,): True where eos may not come yet;
    repeated (rows, n): ids that would repeat an n-gram, -1 for none;
    forced (rows,): the id that must come next, -1 where the row is free.
    """

    too_early: npt.NDArray[np.bool_] | None = None
    repeated: Ids | None = None
    forced: Ids | None = None

    def most_banned(self) -> Ids | int:
        """How many candidates a row may lose (rows,) or (): ask the model for as many more."""
        repeats = 0 if self.repeated is None else (self.repeated >= 0).sum(axis=1)
        return repeats if self.too_early is None else repeats + self.too_early

    def apply(self, ids: Ids, log_probs: Floats) -> tuple[Ids, npt.NDArray[np.float64]]:
        """Candidates (rows, k) as constrained: banned ones at -inf, a forced one alone.

        A forced id is given, not predicted: its log-probability is 0.
        """
        constrained = log_probs.astype(np.float64)
        if self.too_early is not None:
            constrained[self.too_early[:, None] & (ids == EOS_ID)] = -np.inf
        if self.repeated is not None:
            banned = (ids[:, :, None] == self.repeated[:, None, :]).any(axis=2)  # (rows, k)
            constrained[banned] = -np.inf
        if self.forced is not None:
            forced = self.forced >= 0
            ids = ids.copy()
            ids[forced, 0] = self.forced[forced]
            constrained[forced] = -np.inf
            constrained[forced, 0] = 0.0
        return ids, constrained


def repeated(tokens: Ids, sizes: Ids) -> Ids:
    """The ids that would repeat an n-gram a row already holds, (rows, longest), -1 for none.

    tokens (rows, longest), right-aligned, -1 where a row is shorter; sizes (rows,), each row's n,
    0 where it may repeat.
    """
    banned = np.full(tokens.shape, -1)
    for n in np.unique(sizes[sizes > 0]).tolist():
        if n <= tokens.shape[1]:
            rows = np.flatnonzero(sizes == n)
            grams = sliding_window_view(tokens[rows], n, axis=1)  # (rows, windows, n)
            context = tokens[rows, None, tokens.shape[1] - n + 1 :]  # (rows, 1, n - 1)
            again = (grams[:, :, :-1] == context).all(axis=2) & (grams[:, :, 0] >= 0)
            banned[rows, : again.shape[1]] = np.where(again, grams[:, :, -1], -1)
    return banned
