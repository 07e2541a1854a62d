"""Which continuations survive a step: the best of each sentence, all sentences at once."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mt.stepper import Ids

Sums = npt.NDArray[np.float64]


class Chosen(NamedTuple):
    """The continuations that survive, sentence by sentence, best first: arrays (survivors,).

    log_probs are those of the token alone, totals those of the whole hypothesis.
    """

    row: Ids
    sentence: Ids
    ids: Ids
    log_probs: Sums
    totals: Sums


class Contest:
    """Which rows compete with each other: those of one sentence, for the places that it has.

    It stays as long as no sentence's rows change. sentence, beam_size (rows,): each row's sentence,
    ascending, and how many of that sentence survive.
    """

    def __init__(self, sentence: Ids, beam_size: Ids) -> None:
        self.sentence = sentence
        self._beam_size = beam_size
        self._first = sentence.searchsorted(sentence)  # row of each row's sentence
        self._by_k: dict[int, tuple[Ids, Ids, Ids]] = {}

    def choose(self, so_far: Sums, ids: Ids, log_probs: Sums) -> Chosen:
        """The `beam_size` most probable continuations of each sentence, never one of -inf.

        so_far (rows,): each row's log-probability; ids, log_probs (rows, k): candidates, best
        first. Ties go to the earlier row, then to the earlier candidate. The survivors' sentences
        are the very array of the rows' sentences where every row has a successor in its place.
        """
        k = ids.shape[1]
        groups, places, sentence = self._with(k)
        totals = (so_far[:, None] + log_probs).ravel()
        order = np.lexsort((-totals, groups))[places]  # sentences stay in place, being in order
        found = totals.take(order)
        if found.min(initial=0) == -np.inf:
            possible = found > -np.inf
            order, found, sentence = order[possible], found[possible], sentence[possible]
        return Chosen(order // k, sentence, ids.take(order), log_probs.take(order), found)

    def _with(self, k: int) -> tuple[Ids, Ids, Ids]:
        """With k candidates a row: their sentences; the survivors' ranks, and their sentences."""
        if k not in self._by_k:
            groups = self.sentence.repeat(k)
            ends = (k * self._first + self._beam_size).repeat(k)
            places = (np.arange(len(groups)) < ends).nonzero()[0]
            sentence = groups[places]
            if np.array_equal(sentence, self.sentence):
                sentence = self.sentence
            self._by_k[k] = groups, places, sentence
        return self._by_k[k]


def allot(sentence: Ids, width: Ids, share: Ids, bank: Ids, totals: Sums) -> npt.NDArray[np.bool_]:
    """Which candidates (rows, k) get a place, where those of a sentence compete by banks.

    Dynamic beam allocation (Post and Vilar 2018, section 3.2) in two sorts: the most probable of
    the highest bank is sure of a place, so that every step goes on with the terms; then come the
    `share` most probable of each bank; the places left go to the most probable of the others,
    whatever their bank.

    sentence, width, share (rows,): each row's sentence, ascending, how many of it survive, and how
    many of each bank; bank, totals (rows, k): -inf is no candidate. Ties go as in `Contest`.
    """
    at = (totals > -np.inf).ravel().nonzero()[0]
    row = at // totals.shape[1]
    sentence, width, share = sentence[row], width[row], share[row]
    bank, worse = bank.ravel()[at], -totals.ravel()[at]
    highest = np.full(sentence.max(initial=0) + 1, -1)
    np.maximum.at(highest, sentence, bank)
    rank = _ranks(np.lexsort((worse, bank, sentence)), sentence, bank)
    tier = np.where(rank < np.maximum(share, 1), 1, 2)
    tier[(rank == 0) & (bank == highest[sentence])] = 0
    kept = np.zeros(totals.size, np.bool_)
    kept[at[_ranks(np.lexsort((worse, tier, sentence)), sentence) < width]] = True
    return kept.reshape(totals.shape)


def _ranks(order: Ids, *groups: Ids) -> Ids:
    """The place of each entry within its group (entries,), which `order` keeps together."""
    places = np.arange(len(order))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.any([group[order][1:] != group[order][:-1] for group in groups], axis=0)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    return ranks
