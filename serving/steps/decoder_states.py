"""The decoder's tensors that each step replaces whole, one entry for each cell of the last step."""

from collections.abc import Mapping, Sequence

import numpy as np

from mt.graph_signature import CACHE_LEN, NEXT, START, STATE
from mt.stepper import Ids
from serving.steps.home import HOST, Array, Home, Tensor

Axes = Sequence[int | str]


class DecoderStates:
    """`state.*` without an axis `cache_len`, (entries, ...); `tensors` is new where they are."""

    def __init__(self, inputs: Mapping[str, Axes], home: Home = HOST) -> None:
        """Start without entries; `inputs` are the step graph's."""
        self._home = home
        self._sizes = {
            name: [size for size in axes[1:] if isinstance(size, int)]
            for name, axes in inputs.items()
            if name.startswith(STATE) and CACHE_LEN not in axes
        }
        self.tensors: dict[str, Tensor] = {
            name: home.empty((0, *sizes)) for name, sizes in self._sizes.items()
        }
        self._n_entries = 0

    @property
    def names(self) -> list[str]:
        """Of the states that are replaced."""
        return list(self._sizes)

    @property
    def start_names(self) -> list[str]:
        """The encoder's outputs that they start from."""
        return [name.replace(STATE, START, 1) for name in self._sizes]

    def begin(self, starts: Sequence[Mapping[str, Array]]) -> Ids:
        """Make room for new hypotheses; returns the entries (n) that they continue.

        starts: for each its sentence's first states, (1, ...) each, by the names of `start_names`.
        """
        if not self._sizes or not starts:
            return np.zeros(len(starts), np.int64)
        home, n_entries, entries = self._home, self._n_entries, dict[str, Tensor]()
        for name, start in zip(self._sizes, self.start_names, strict=True):
            rows = [home.fetch(self.tensors[name]), *(first[start] for first in starts)]
            entries[name] = home.put(np.concatenate(rows))
        self.tensors = entries
        self._n_entries += len(starts)
        return np.arange(n_entries, self._n_entries)

    def following(self, n_cells: int) -> dict[str, Tensor]:
        """Empty tensors for the step graph to write the next states into, by its output names."""
        return {
            name.replace(STATE, NEXT, 1): self._home.empty((n_cells, *sizes))
            for name, sizes in self._sizes.items()
        }

    def replace(self, following: Mapping[str, Tensor], n_cells: int) -> None:
        """Take over what a step wrote for so many cells."""
        self._n_entries = n_cells
        self.tensors = {name: following[name.replace(STATE, NEXT, 1)] for name in self._sizes}
