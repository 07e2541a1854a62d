"""The decoder's tensors that each step replaces whole, one entry for each cell of the last step."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mt.graph_signature import CACHE_LEN, NEXT, START, STATE
from mt.stepper import Ids

Floats = npt.NDArray[np.float32]
Axes = Sequence[int | str]


class DecoderStates:
    """`state.*` without an axis `cache_len`, (entries, ...); `tensors` is new where they are."""

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Start without entries; `inputs` are the step graph's."""
        self._sizes = {
            name: [size for size in axes[1:] if isinstance(size, int)]
            for name, axes in inputs.items()
            if name.startswith(STATE) and CACHE_LEN not in axes
        }
        self.tensors: dict[str, Floats] = {
            name: np.zeros((0, *sizes), np.float32) for name, sizes in self._sizes.items()
        }

    @property
    def names(self) -> list[str]:
        """Of the states that are replaced."""
        return list(self._sizes)

    @property
    def start_names(self) -> list[str]:
        """The encoder's outputs that they start from."""
        return [name.replace(STATE, START, 1) for name in self._sizes]

    def begin(self, starts: Sequence[Mapping[str, Floats]]) -> Ids:
        """Make room for new hypotheses; returns the entries (n) that they continue.

        starts: for each its sentence's first states, (1, ...) each, by the names of `start_names`.
        """
        if not self._sizes or not starts:
            return np.zeros(len(starts), np.int64)
        n_entries = len(next(iter(self.tensors.values())))
        self.tensors = {
            name: np.concatenate([self.tensors[name], *(first[start] for first in starts)])
            for name, start in zip(self._sizes, self.start_names, strict=True)
        }
        return np.arange(n_entries, n_entries + len(starts))

    def following(self, n_cells: int) -> dict[str, Floats]:
        """Empty tensors for the step graph to write the next states into, by its output names."""
        return {
            name.replace(STATE, NEXT, 1): np.empty((n_cells, *sizes), np.float32)
            for name, sizes in self._sizes.items()
        }

    def replace(self, following: Mapping[str, Floats]) -> None:
        """Take over what a step wrote."""
        self.tensors = {name: following[name.replace(STATE, NEXT, 1)] for name in self._sizes}
