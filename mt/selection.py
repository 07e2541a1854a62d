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
