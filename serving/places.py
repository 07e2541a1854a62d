"""Where each running sentence stands, in every tensor that has one row for each of them."""

from collections.abc import Sequence

import numpy as np

from mt.errors import EngineError
from mt.stepper import Ids, Slot

PACK_PART = 0.125  # of all places: so many must be free before the others move together


class Places:
    """A place that is freed is given again, so that nobody moves while others come and go."""

    def __init__(self) -> None:
        self._slots: list[Slot | None] = []

    def __len__(self) -> int:
        """Number of places, free ones included."""
        return len(self._slots)

    def admit(self, slots: Sequence[Slot]) -> Ids:
        """Give each of these sentences a place: a free one, or a new one behind all others."""
        free = [place for place, slot in enumerate(self._slots) if slot is None][: len(slots)]
        self._slots += [None] * (len(slots) - len(free))
        places = [*free, *range(len(self._slots) - len(slots) + len(free), len(self._slots))]
        for place, slot in zip(places, slots, strict=True):
            self._slots[place] = slot
        return np.array(places, np.int64)

    def retire(self, slots: Sequence[Slot]) -> Ids:
        """Free the places of these sentences, as far as they run; returns them."""
        gone = set(slots)
        places = [place for place, slot in enumerate(self._slots) if slot in gone]
        for place in places:
            self._slots[place] = None
        return np.array(places, np.int64)

    def of(self, slots: Ids) -> Ids:
        """The place of each slot.

        Raises:
            EngineError: a slot is not running.
        """
        place = {slot: place for place, slot in enumerate(self._slots)}
        try:
            return np.array([place[slot] for slot in slots.tolist()], np.int64)
        except KeyError as error:
            raise EngineError(f"slot {error} is not running") from None

    def pack(self) -> Ids | None:
        """Close the gaps where that pays: the old place of each new one, or None."""
        kept = [place for place, slot in enumerate(self._slots) if slot is not None]
        if len(self._slots) - len(kept) <= PACK_PART * len(self._slots):
            return None
        self._slots = [self._slots[place] for place in kept]
        return np.array(kept, np.int64)
