"""One sentence on its way through the search: its job, and its competition of ended hypotheses."""

import bisect
import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mt.errors import InputError
from mt.hypothesis import History, Hypothesis, attention_of
from mt.sampling import uniform_draws
from mt.search_options import SearchOptions
from mt.stepper import Slot

# What the search keeps of each running sentence in numpy, in the order of `RunningSentence.record`.
RECORD = np.dtype(
    [
        ("slot", np.int64),
        ("width", np.int64),  # the most rows that survive a step
        ("candidates", np.int64),  # how many a row must be offered
        ("drawn", np.bool_),  # rather than searched for
        ("born", np.int64),  # the step of its first token
        ("last_step", np.int64),  # the step at which it has the longest length
        ("min_length", np.int64),
        ("prefix_length", np.int64),
        ("no_repeat_ngram", np.int64),
        ("constrained", np.bool_),  # by any of these three
        ("needs_attention", np.bool_),
        ("to_beat", np.float64),  # score of the worst of its n best so far, -inf until there are n
    ]
)


@dataclass(frozen=True)
class Job:
    """A sentence to search: `key` names it to its owner; `src_ids` end with eos."""

    key: Hashable
    src_ids: Sequence[int]
    options: SearchOptions

    def limit(self, max_target_tokens: int) -> int:
        """The most tokens that a hypothesis may have, of so many that a model can write."""
        return self.options.length_limit(len(self.src_ids), max_target_tokens)

    def check(self, vocab_size: int, max_target_tokens: int) -> None:
        """Refuse what no search can be made of.

        Raises:
            InputError: no source ids, a prefix that is too long, or ids outside the vocabulary.
        """
        if not len(self.src_ids):
            raise InputError("there is nothing to translate: the source has no tokens")
        prefix, limit = self.options.prefix, self.limit(max_target_tokens)
        if len(prefix) > limit:
            raise InputError(f"the prefix has {len(prefix)} tokens, at most {limit} fit")
        if max(prefix, default=0) >= vocab_size:
            raise InputError(f"the prefix holds ids above {vocab_size - 1}")
        if max(itertools.chain(*self.options.terms), default=0) >= vocab_size:
            raise InputError(f"a term holds ids above {vocab_size - 1}")


@dataclass(frozen=True)
class Finished:
    """A sentence's answer: its `n_best` hypotheses, best first (fewer only if fewer exist).

    Or all its samples, by their numbers.
    """

    key: Hashable
    hypotheses: list[Hypothesis]


class Ending(NamedTuple):
    """A hypothesis that has ended: its last token, the `length`-th, is survivor `at` of `step`.

    sample: its number where it was drawn, 0 where it was searched for; missing: how many ids of
    required terms it lacks.
    """

    log_prob: float
    finished: bool
    length: int
    step: int
    at: int
    sample: int = 0
    missing: int = 0


class RunningSentence:
    """A job and the best of its hypotheses that have ended so far.

    uniform (samples, limit): the numbers its samples draw with, empty in a beam search.
    """

    def __init__(self, job: Job, limit: int) -> None:
        """`limit` is the most tokens a hypothesis may have."""
        self.job, self._limit = job, limit
        self.uniform = uniform_draws(job.options.seed, job.src_ids, job.options.samples, limit)
        self._best: list[tuple[float, Ending]] = []  # by score, best first; no more than wanted

    def record(self, slot: Slot, born: int) -> tuple[object, ...]:
        """Its RECORD, when it begins at step `born`."""
        options = self.job.options
        constraints = (options.min_length, len(options.prefix), options.no_repeat_ngram)
        return (
            *(slot, options.rows, options.candidates, options.samples > 0),
            *(born, born + self._limit - 1),
            *(*constraints, any(constraints)),
            *(options.needs_attention, -np.inf),
        )

    def norm_ahead(self, length: int) -> float:
        """What divides the best that may still come of a row of `length` tokens."""
        options = self.job.options
        return options.norm(options.reach(length, len(self.job.src_ids), self._limit))

    def offer(self, ending: Ending, history: History) -> float:
        """Let a hypothesis compete; return the score to beat from now on, -inf if any will do.

        What lacks less of its terms wins; of two with the same score the earlier one.
        """
        wanted = self.job.options.hypotheses
        entry = (self._score(ending, history), ending)
        bisect.insort(self._best, entry, key=lambda kept: (kept[1].missing, -kept[0]))
        del self._best[wanted:]
        score, worst = self._best[-1]
        is_full = len(self._best) == wanted and not worst.missing
        return score if is_full else float("-inf")

    def answer(self, history: History) -> Finished:
        """Read the best hypotheses from the history; samples stand in the order of their draws."""
        ordered = sorted(self._best, key=lambda kept: kept[1].sample)
        found = [self._read(score, ending, history) for score, ending in ordered]
        return Finished(self.job.key, found)

    def _score(self, ending: Ending, history: History) -> float:
        options = self.job.options
        score = ending.log_prob / options.norm(max(ending.length, 1))
        if options.coverage_penalty:
            path = history.path(ending.step, ending.at, ending.length)
            attention = attention_of(path, len(self.job.src_ids))
            if attention is not None:
                score += options.coverage(attention)
        return score

    def _read(self, score: float, ending: Ending, history: History) -> Hypothesis:
        path = history.path(ending.step, ending.at, ending.length)
        ids = [record.ids.item(at) for record, at in path]
        return Hypothesis(
            ids=ids[:-1] if ending.finished else ids,
            score=score,
            log_prob=ending.log_prob,
            token_log_probs=[record.log_probs.item(at) for record, at in path],
            finished=ending.finished,
            attention=(
                attention_of(path, len(self.job.src_ids)) if self.job.options.attention else None
            ),
        )
