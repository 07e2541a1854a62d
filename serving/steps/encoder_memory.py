"""What decoding reads of every running sentence: kept once a sentence, never once a hypothesis."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mt.graph_signature import SRC_MASK
from mt.stepper import Ids
from serving.steps.padding import padded

Array = npt.NDArray[Any]
Tensors = dict[str, Array]

# Padding costs at every step, cutting it off one copy: so cut where this part of it is nobody's.
CUT_PART = 0.25


class EncoderMemory:
    """Tensors (places, ..., src_len, ...) of the running sentences, padded on the right.

    `tensors` stays the same object while its numbers stay the same: a device has a copy of them.
    """

    def __init__(self, length_axes: Mapping[str, int]) -> None:
        """Start empty; `length_axes` is the axis of each tensor that is src_len long."""
        self._length_axes = length_axes
        self._tensors: Tensors = {}
        self._lengths = np.zeros(0, np.int64)  # tokens of the sentence in each place, 0 where none

    @property
    def tensors(self) -> Tensors:
        """Every tensor, one row for each place; in a free one stands what stood there last."""
        return self._tensors

    @property
    def longest(self) -> int:
        """Tokens of the longest running sentence."""
        return int(self._lengths.max())

    def admit(self, places: Ids, tensors: Mapping[str, Array]) -> None:
        """Put sentences into places, row i of each tensor into places[i]; new ones are appended."""
        n_places = max(len(self._lengths), int(places.max()) + 1)
        lengths = np.zeros(n_places, np.int64)
        lengths[: len(self._lengths)] = self._lengths
        lengths[places] = tensors[SRC_MASK].sum(axis=1)
        self._lengths = lengths
        self._resize(n_places, tensors)
        for name, axis in self._length_axes.items():
            given, kept = tensors[name], self._tensors[name]
            cut = _first(given, axis, kept.shape[axis])
            kept[places] = 0  # beyond a shorter sentence nothing of the place's last one stays
            _first(kept, axis, cut.shape[axis])[places] = cut
        self._tensors = dict(self._tensors)

    def retire(self, places: Ids) -> None:
        """Let others have these places, and the room that their sentences needed."""
        self._lengths[places] = 0

    def pack(self, kept: Ids) -> None:
        """Keep these places only; they are in ascending order."""
        self._lengths = self._lengths[kept]
        self._tensors = {name: tensor[kept] for name, tensor in self._tensors.items()}

    def _resize(self, n_places: int, like: Mapping[str, Array]) -> None:
        """Make room for all places and for the longest sentence; cut off what nobody needs."""
        longest = padded(self.longest)
        old = self._tensors.get(SRC_MASK)
        rows, length = old.shape if old is not None else (0, 0)
        idle = length - longest
        if rows == n_places and 0 <= idle < CUT_PART * max(length, 1):
            return
        resized: Tensors = {}
        for name, axis in self._length_axes.items():
            shape = list(like[name].shape)
            shape[0], shape[axis] = n_places, longest
            resized[name] = np.zeros(shape, like[name].dtype)
            if rows:
                kept = _first(self._tensors[name], axis, longest)
                _first(resized[name], axis, kept.shape[axis])[:rows] = kept
        self._tensors = resized


def _first(tensor: Array, axis: int, length: int) -> Array:
    """A view of the first `length` positions of one axis."""
    return tensor[(slice(None),) * axis + (slice(length),)]
