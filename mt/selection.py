"""Which continuations survive a step: the best of each sentence, all sentences at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mt.stepper import Ids

Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
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
    of_candidate = sentence.repeat(k)
    order = np.lexsort((-totals, of_candidate))  # sentences stand in order: they stay in place
    rank = np.arange(len(order)) - k * np.searchsorted(sentence, sentence).repeat(k)
    order = order[(rank < beam_size.repeat(k)) & (totals[order] > -np.inf)]
    return Chosen(
        row=order // k,
        sentence=of_candidate[order],
        ids=ids.ravel()[order],
        log_probs=log_probs.ravel()[order],
        totals=totals[order],
    )
