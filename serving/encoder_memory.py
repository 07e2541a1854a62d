"""What decoding reads of every running sentence: kept once a sentence, never once a hypothesis."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mt.errors import EngineError
from mt.graph_signature import SRC_MASK
from mt.stepper import Ids, Slot

Array = npt.NDArray[np.generic]
Tensors = dict[str, Array]


class EncoderMemory:
    """Tensors (sentences, ..., src_len, ...) of the running sentences, padded to the longest.

    Joining and leaving is noted at once and carried out by the next `tensors`, in a single copy.
    """

    def __init__(self, length_axes: Mapping[str, int]) -> None:
        """Start empty; `length_axes` is the axis of each tensor that is src_len long."""
        self._length_axes = length_axes
        self._slots: list[Slot] = []
        self._tensors: Tensors = {}
        self._joining: list[tuple[list[Slot], Tensors]] = []
        self._leaving: set[Slot] = set()

    def admit(self, slots: Sequence[Slot], tensors: Tensors) -> None:
        """Add sentences, row i of each tensor belonging to slots[i]."""
        self._joining.append((list(slots), tensors))

    def retire(self, slots: Iterable[Slot]) -> None:
        """Drop sentences."""
        self._leaving.update(slots)

    @property
    def changed(self) -> bool:
        """Whether a sentence joined or left since the last `tensors`."""
        return bool(self._joining or self._leaving)

    def tensors(self) -> Tensors:
        """Every tensor, one row for each running sentence."""
        if self.changed:
            self._rebuild()
        return self._tensors

    @property
    def n_sentences(self) -> int:
        """Number of rows of `tensors`."""
        return len(self._slots)

    def places(self, slots: Ids) -> Ids:
        """The row of each slot within `tensors`.

        Raises:
            EngineError: a slot is not running.
        """
        place = {slot: i for i, slot in enumerate(self._slots)}
        try:
            return np.array([place[slot] for slot in slots.tolist()], np.int64)
        except KeyError as error:
            raise EngineError(f"slot {error} is not running") from None

    def _rebuild(self) -> None:
        parts = [(self._slots, self._tensors), *self._joining] if self._slots else self._joining
        kept = [
            ([slots[i] for i in stays], {name: t[stays] for name, t in tensors.items()})
            for slots, tensors in parts
            if (stays := [i for i, slot in enumerate(slots) if slot not in self._leaving])
        ]
        self._slots = [slot for slots, _ in kept for slot in slots]
        self._joining, self._leaving = [], set()
        longest = max((_longest(tensors[SRC_MASK]) for _, tensors in kept), default=0)
        self._tensors = {
            name: np.concatenate([_fit(tensors[name], axis, longest) for _, tensors in kept])
            for name, axis in self._length_axes.items()
            if kept
        }


def _longest(mask: Array) -> int:
    """Tokens of the longest sentence of a mask (sentences, src_len)."""
    return int(mask.sum(axis=1).max())


def _fit(tensor: Array, axis: int, length: int) -> Array:
    """Cut or zero-pad one axis on its right to `length`."""
    index = [slice(None)] * tensor.ndim
    index[axis] = slice(length)
    cut = tensor[tuple(index)]
    widths = [(0, 0)] * tensor.ndim
    widths[axis] = (0, length - cut.shape[axis])
    return np.pad(cut, widths) if widths[axis][1] else cut
