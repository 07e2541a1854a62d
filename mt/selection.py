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


def choose(sentence: Ids, beam_size: Ids, so_far: Sums, ids: Ids, log_probs: Sums) -> Chosen:
    """The `beam_size` most probable continuations of each sentence, never one of -inf.

    sentence, beam_size, so_far (rows,): each row's sentence, ascending, how many of that sentence
    survive, and the row's log-probability; ids, log_probs (rows, k): candidates, best first.
    Ties go to the earlier row, then to the earlier candidate.
    """
    k = ids.shape[1]
    totals = (so_far[:, None] + log_probs).ravel()
    order = np.lexsort((-totals, sentence.repeat(k)))  # sentences stay in place, being in order
    ends = k * sentence.searchsorted(sentence) + beam_size  # of a row's sentence's survivors
    order = order[np.arange(len(order)) < ends.repeat(k)]
    order = order[totals[order] > -np.inf]
    row = order // k
    return Chosen(
        row=row,
        sentence=sentence[row],
        ids=ids.take(order),
        log_probs=log_probs.take(order),
        totals=totals.take(order),
    )


def allot(sentence: Ids, width: Ids, share: Ids, bank: Ids, totals: Sums) -> npt.NDArray[np.bool_]:
    """Which candidates (rows, k) get a place, where those of a sentence compete by banks.

    Dynamic beam allocation (Post and Vilar 2018, section 3.2) in two sorts: the most probable of
    the highest bank is sure of a place, so that every step goes on with the terms; then come the
    `share` most probable of each bank; the places left go to the most probable of the others,
    whatever their bank.

    sentence, width, share (rows,): each row's sentence, ascending, how many of it survive, and how
    many of each bank; bank, totals (rows, k): -inf is no candidate. Ties go as in `choose`.
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
