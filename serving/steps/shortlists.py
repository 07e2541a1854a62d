"""What each running sentence may be translated by, and what the output layer has of that."""

from collections.abc import Sequence

import numpy as np

from mt import graph_signature as names
from mt.stepper import Ids
from mt.tokenizer import PAD_ID
from serving.steps.onnx_graph import Array, OnnxGraph

# A sentence's list is filled up to a multiple of this many, so that what is added up for it stands
# in whole rounds of the softmax's vector loop, however long its neighbours' lists are.
ROUND = 64
# So many ids are scored at least: a narrower product would be cut, and summed, in another way.
LEAST_SCORED = 128


class Shortlists:
    """The lists of the sentences in each place; pad, never emitted, stands first and fills them up.

    What the step graph reads of them stays the same object while nobody comes.
    """

    def __init__(self, listing: OnnxGraph, vocab_size: int) -> None:
        """Start empty; `listing` is the listing graph."""
        self._listing, self._vocab_size = listing, vocab_size
        self._lists: list[Ids] = []
        self._scored = np.zeros(0, np.int64)
        self._listed: dict[str, Array] = {}
        self._listed_length = 0
        self._is_stale = False
        self._tensors: dict[str, Array] = {}

    def admit(self, places: Ids, lists: Sequence[Ids]) -> None:
        """Put sentences' lists into places; new ones are appended."""
        for place, one in zip(places.tolist(), lists, strict=True):
            self._lists += [_NOTHING] * (place + 1 - len(self._lists))
            self._lists[place] = np.append(PAD_ID, one)
        self._is_stale = True

    def retire(self, places: Ids) -> None:
        """Forget the lists in these places; they are scored until somebody else comes."""
        for place in places.tolist():
            self._lists[place] = _NOTHING

    def pack(self, kept: Ids) -> None:
        """Keep these places only; they are in ascending order."""
        self._lists = [self._lists[place] for place in kept.tolist()]
        self._is_stale = True

    def columns(self, places: Ids, wanted: Ids) -> Ids:
        """Where wanted ids (rows, n) stand in the lists of these places (rows,); before `fit`.

        Those that are not yet listed are so from now on.
        """
        columns = np.zeros_like(wanted)
        if not wanted.size:
            return columns
        for row, (place, ids) in enumerate(zip(places.tolist(), wanted, strict=True)):
            missing = np.setdiff1d(ids, self._lists[place])
            if len(missing):
                self._lists[place] = np.append(self._lists[place], missing)
                self._is_stale = True
            columns[row] = (self._lists[place] == ids[:, None]).argmax(axis=1)
        return columns

    def fit(self, k: int) -> dict[str, Array]:
        """What the step graph reads, with room for the k best of each row."""
        if not self._is_stale and k <= self._listed_length:
            return self._tensors
        self._is_stale = False
        longest = max(map(len, self._lists))
        self._listed_length = _rounded(max(longest, k), ROUND)
        ids = np.full((len(self._lists), self._listed_length), PAD_ID)
        for row, one in zip(ids, self._lists, strict=True):
            row[: len(one)] = one
        scored, places = self._union(ids)
        if not np.array_equal(scored, self._scored):
            self._scored = scored
            self._listed = self._listing.run({names.SHORTLIST_IDS: scored})
        lists = {names.SHORTLIST_IDS: scored, names.SHORTLIST_PLACES: places}
        self._tensors = lists | self._listed
        return self._tensors

    def _union(self, ids: Ids) -> tuple[Ids, Ids]:
        """All of these ids, filled up with pad, and the place of each among them."""
        is_listed = np.zeros(self._vocab_size, np.bool_)
        is_listed[ids] = True
        found = is_listed.nonzero()[0]
        place_of = is_listed.cumsum() - 1
        scored = np.full(max(LEAST_SCORED, _rounded(len(found), ROUND)), PAD_ID)
        scored[: len(found)] = found
        return scored, place_of[ids]


_NOTHING = np.array([PAD_ID])


def _rounded(length: int, step: int) -> int:
    return -(-length // step) * step
