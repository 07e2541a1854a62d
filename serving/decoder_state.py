"""The decoder's tensors between two steps: caches that grow, or states that are replaced."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mt.graph_signature import NEXT, PAST_LEN, START, STATE
from mt.stepper import Ids

Floats = npt.NDArray[np.float32]
Axes = Sequence[int | str]

# Trimming copies a cache whole, about what its reordering at one step costs: so do it rarely, when
# at least this many entries of the length, and at least this part of it, are nobody's.
TRIM_ENTRIES = 8
TRIM_PART = 0.25


class DecoderState:
    """`state.*` of the step graph, moved by the names and axes of `mt.graph_signature`."""

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Start without entries; of the step graph's `inputs` only the states count."""
        states = {name: axes for name, axes in inputs.items() if name.startswith(STATE)}
        self._length_axes = {n: a.index(PAST_LEN) for n, a in states.items() if PAST_LEN in a}
        # A cache is gathered even when all hypotheses are new, so there is one entry of length 0.
        entries = 1 if self._length_axes else 0
        self.tensors: dict[str, Floats] = {
            name: np.zeros(
                [entries, *(n if isinstance(n, int) else 0 for n in axes[1:])], np.float32
            )
            for name, axes in states.items()
        }
        self._replaced = [name for name in states if name not in self._length_axes]

    @property
    def start_names(self) -> list[str]:
        """The encoder's outputs that states start from; caches start empty."""
        return [name.replace(STATE, START, 1) for name in self._replaced]

    @property
    def next_names(self) -> list[str]:
        """The step graph's outputs that are the states of the next step."""
        return [name.replace(STATE, NEXT, 1) for name in self.tensors]

    def begin(self, starts: Sequence[Mapping[str, Floats]]) -> Ids:
        """Make room for new hypotheses; returns the entries (n) that they continue.

        starts: for each its sentence's first states, (1, ...) each, by the names of `start_names`.
        """
        if not self._replaced or not starts:
            return np.zeros(len(starts), np.int64)  # a cache is masked where nothing was written
        n_entries = len(next(iter(self.tensors.values())))
        for name in self._length_axes:
            self.tensors[name] = _longer(self.tensors[name], len(starts))
        for name, start in zip(self._replaced, self.start_names, strict=True):
            rows = [self.tensors[name], *(first[start] for first in starts)]
            self.tensors[name] = np.concatenate(rows)
        return np.arange(n_entries, n_entries + len(starts))

    def trim(self, longest: int) -> None:
        """Cut the left of the caches, when it pays, to what `longest` tokens have written."""
        for name, axis in self._length_axes.items():
            cache = self.tensors[name]
            length = cache.shape[axis]
            if length - longest >= max(TRIM_ENTRIES, TRIM_PART * length):
                kept = np.arange(length - longest, length)
                self.tensors[name] = np.take(cache, kept, axis)

    def replace(self, outputs: Mapping[str, Floats]) -> None:
        """Take over what a step computed."""
        for state, following in zip(self.tensors, self.next_names, strict=True):
            self.tensors[state] = outputs[following]


def _longer(cache: Floats, n_entries: int) -> Floats:
    """A cache with so many more entries, of zeros."""
    return np.pad(cache, [(0, n_entries), *[(0, 0)] * (cache.ndim - 1)])
