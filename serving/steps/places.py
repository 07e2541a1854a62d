"""Where each running sentence stands, in every tensor that has one row for each of them."""

from collections.abc import Sequence

import numpy as np

from mt.errors import EngineError
from mt.stepper import Ids, Slot

PACK_PART = 0.125  # of all places: so many must be free before the others move together
FREE = -1


class Places:
    """A place that is freed is given again, so that nobody moves while others come and go.

    `changes` counts how often somebody came, left or moved.
    """

    def __init__(self) -> None:
        self._slots = np.zeros(0, np.int64)  # of each place
        self.changes = 0
        self._note()

    def __len__(self) -> int:
        """Number of places, free ones included."""
        return len(self._slots)

    @property
    def taken(self) -> int:
        """Number of places that are not free."""
        return len(self._slots) - self._n_free

    def admit(self, slots: Sequence[Slot]) -> Ids:
        """Give each of these sentences a place: a free one, or a new one behind all others."""
        free = (self._slots == FREE).nonzero()[0][: len(slots)]
        new = np.arange(len(self._slots), len(self._slots) + len(slots) - len(free))
        places = np.concatenate([free, new])
        self._slots = np.concatenate([self._slots, new])
        self._slots[places] = slots
        self._note()
        return places

    def retire(self, slots: Sequence[Slot]) -> Ids:
        """Free the places of these sentences, as far as they run; returns them."""
        places = np.isin(self._slots, slots).nonzero()[0]
        self._slots[places] = FREE
        self._note()
        return places

    def of(self, slots: Ids) -> Ids:
        """The place of each slot.

        Raises:
            EngineError: a slot is not running.
        """
        at = self._sorted[:-1].searchsorted(slots)
        wrong = (self._sorted[at] != slots).nonzero()[0]
        if len(wrong):
            raise EngineError(f"slot {slots[wrong[0]]} is not running")
        places: Ids = self._order[at]
        return places

    def pack(self) -> Ids | None:
        """Close the gaps where that pays: the old place of each new one, or None."""
        if self._n_free <= PACK_PART * len(self):
            return None
        kept: Ids = (self._slots != FREE).nonzero()[0]
        self._slots = self._slots[kept]
        self._note()
        return kept

    def _note(self) -> None:
        """Where to look a slot up."""
        order = np.argsort(self._slots)
        self._order, self._sorted = np.append(order, 0), np.append(self._slots[order], FREE)
        self.changes += 1
        self._n_free = int((self._slots == FREE).sum())
