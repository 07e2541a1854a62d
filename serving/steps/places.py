"""Where each running sentence stands, in every tensor that has one row for each of them."""

import heapq
from collections.abc import Sequence

import numpy as np

from mt.errors import EngineError
from mt.stepper import Ids, Slot

PACK_PART = 0.125  # of all places: so many must be free before the others move together
PACK_STEPS = 4  # they must have been free for so long: the next sentence may be on its way


class Places:
    """A place that is freed is given again, so that nobody moves while others come and go.

    `changes` counts how often somebody came, left or moved.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._place_of: dict[Slot, int] = {}
        self._free: list[int] = []  # a heap
        self._steps_with_gaps = 0

    def __len__(self) -> int:
        """Number of places, free ones included."""
        return len(self._place_of) + len(self._free)

    @property
    def taken(self) -> int:
        """Number of places that are not free."""
        return len(self._place_of)

    def admit(self, slots: Sequence[Slot]) -> Ids:
        """Give each of these sentences a place: a free one, or a new one behind all others."""
        for slot in slots:
            place = heapq.heappop(self._free) if self._free else len(self)
            self._place_of[slot] = place
        self.changes += 1
        return np.array([self._place_of[slot] for slot in slots], np.int64)

    def retire(self, slots: Sequence[Slot]) -> Ids:
        """Free the places of these sentences; returns them."""
        places = [self._place_of.pop(slot) for slot in slots]
        for place in places:
            heapq.heappush(self._free, place)
        self.changes += 1
        return np.array(places, np.int64)

    def of(self, slots: Ids) -> Ids:
        """The place of each slot.

        Raises:
            EngineError: a slot is not running.
        """
        try:
            return np.array([self._place_of[slot] for slot in slots.tolist()], np.int64)
        except KeyError as error:
            raise EngineError(f"slot {error} is not running") from None

    def pack(self) -> Ids | None:
        """Close the gaps where that pays: the old place of each new one, or None. Once a step."""
        if len(self._free) <= PACK_PART * len(self):
            self._steps_with_gaps = 0
            return None
        self._steps_with_gaps += 1
        if self._place_of and self._steps_with_gaps < PACK_STEPS:
            return None
        kept = sorted(self._place_of, key=self._place_of.__getitem__)
        old = [self._place_of[slot] for slot in kept]
        self._place_of = {slot: place for place, slot in enumerate(kept)}
        self._free.clear()
        self.changes += 1
        return np.array(old, np.int64)
