"""One beam search for training's scores and serving's answers: a running batch over any Stepper.

At each step, of all continuations of a sentence's live rows, the `beam_size` most probable survive.
Those that are eos leave as finished hypotheses, the others live on; so a beam of one is greedy
search. Hypotheses compete by `log_prob / norm(length) + coverage` (Wu et al. 2016, eq. 14), and a
row dies as soon as it can no longer win: log-probabilities never rise and the norm never falls, so
nothing that grows from it scores above log_prob / norm(longest length).

A sentence's answer never depends on its neighbours. All per-step work is done for all sentences at
once in numpy, but for hypotheses that end and rows that ban n-grams.
"""

import bisect
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mt.errors import ConfigError, EngineError, InputError
from mt.hypothesis import History, Hypothesis, Survivors
from mt.search_options import SearchOptions
from mt.stepper import Attention, Ids, Rows, StepOutput, Stepper
from mt.tokenizer import BOS_ID, EOS_ID

__all__ = ["Finished", "Hypothesis", "Job", "RunningBatch", "SearchOptions", "search"]

Sums = npt.NDArray[np.float64]
Repeats = dict[int, list[int]]  # of a row: the ids it must not continue with

# One record for each running sentence, in the order of their rows.
_SENTENCE = np.dtype(
    [
        ("slot", np.int64),
        ("beam_size", np.int64),
        ("length", np.int64),  # tokens decoded so far, the same for all its rows
        ("min_length", np.int64),
        ("limit", np.int64),
        ("prefix_length", np.int64),
        ("no_repeat_ngram", np.int64),
        ("needs_attention", np.bool_),
        ("longest_norm", np.float64),
        ("to_beat", np.float64),  # score of the worst of the n best so far, -inf until there are n
        ("born", np.int64),  # the step of its first token
    ]
)
# One record for each live row; the rows of a sentence stand together, the most probable first.
_ROW = np.dtype(
    [
        ("sentence", np.int64),
        ("parent", np.int64),  # row of the previous step, -1 before the first
        ("back", np.int64),  # survivor of the previous step
        ("last_id", np.int64),
        ("log_prob", np.float64),
    ]
)


@dataclass(frozen=True)
class Job:
    """A sentence to search: `key` names it to its owner; `src_ids` end with eos."""

    key: Hashable
    src_ids: Sequence[int]
    options: SearchOptions


@dataclass(frozen=True)
class Finished:
    """A sentence's answer: its `n_best` hypotheses, best first (fewer only if fewer exist)."""

    key: Hashable
    hypotheses: list[Hypothesis]


@dataclass(frozen=True)
class _Ending:
    """A hypothesis that has ended, not yet read: its last token is survivor `at` of `step`."""

    score: float
    log_prob: float
    finished: bool
    length: int
    step: int
    at: int


@dataclass
class _Running:
    """What a running sentence keeps beside its record: its job and the best endings so far."""

    job: Job
    best: list[_Ending] = field(default_factory=list)

    def offer(self, ending: _Ending) -> float:
        """Keep an ending if it is among the n best; return the score to beat from now on."""
        n_best = self.job.options.n_best
        bisect.insort(self.best, ending, key=lambda kept: -kept.score)
        del self.best[n_best:]
        return self.best[-1].score if len(self.best) == n_best else -np.inf


@dataclass(frozen=True)
class _Chosen:
    """The continuations that survive a step, sentence by sentence, best first: (survivors,)."""

    row: Ids
    sentence: Ids
    ids: Ids
    log_probs: Sums  # of the token
    totals: Sums  # of the hypothesis


class RunningBatch:
    """The searches that run over one stepper; sentences join and leave at any step."""

    def __init__(self, stepper: Stepper, max_target_tokens: int = 256) -> None:
        """`max_target_tokens` caps the longest length of every job."""
        self._stepper = stepper
        self._max_target_tokens = max_target_tokens
        self._running: list[_Running] = []
        self._sentences = np.zeros(0, _SENTENCE)
        self._rows = np.zeros(0, _ROW)
        self._history = History()

    @property
    def rows(self) -> int:
        """Number of live rows."""
        return len(self._rows)

    @property
    def sentences(self) -> int:
        """Number of running sentences."""
        return len(self._sentences)

    def check(self, job: Job) -> None:
        """Refuse a job that `admit` would refuse.

        Raises:
            InputError: no source ids, or a prefix that is too long or outside the vocabulary.
        """
        if not len(job.src_ids):
            raise InputError("there is nothing to translate: the source has no tokens")
        prefix = job.options.prefix
        limit = job.options.length_limit(len(job.src_ids), self._max_target_tokens)
        if len(prefix) > limit:
            raise InputError(f"the prefix has {len(prefix)} tokens, at most {limit} fit")
        if max(prefix, default=0) >= self._stepper.vocab_size:
            raise InputError(f"the prefix holds ids above {self._stepper.vocab_size - 1}")

    def admit(self, jobs: Sequence[Job]) -> None:
        """Encode sentences and let them join at the next step; all of them or none.

        Raises:
            InputError: see `check`.
            ValueError: a key is running already.
        """
        for job in jobs:
            self.check(job)
        keys = [running.job.key for running in self._running] + [job.key for job in jobs]
        if len(set(keys)) < len(keys):
            raise ValueError("two running sentences have the same key")
        if jobs:
            self._join(jobs, self._stepper.admit([job.src_ids for job in jobs]))

    def _join(self, jobs: Sequence[Job], slots: Sequence[int]) -> None:
        first = len(self._sentences)
        records = [self._record(job, slot) for job, slot in zip(jobs, slots, strict=True)]
        rows = [(first + i, -1, -1, BOS_ID, 0.0) for i in range(len(jobs))]
        self._sentences = np.concatenate([self._sentences, np.array(records, _SENTENCE)])
        self._rows = np.concatenate([self._rows, np.array(rows, _ROW)])
        self._running += [_Running(job) for job in jobs]

    def _record(self, job: Job, slot: int) -> tuple[object, ...]:
        options = job.options
        limit = options.length_limit(len(job.src_ids), self._max_target_tokens)
        return (
            slot,
            options.beam_size,
            0,
            options.min_length,
            limit,
            len(options.prefix),
            options.no_repeat_ngram,
            options.needs_attention,
            options.norm(limit),
            -np.inf,
            len(self._history),
        )

    def cancel(self, keys: Iterable[Hashable]) -> None:
        """Drop running sentences and free their rows at once; unknown keys are passed over."""
        unwanted = set(keys)
        keep = np.array([running.job.key not in unwanted for running in self._running], np.bool_)
        self._leave(keep)

    def step(self) -> list[Finished]:
        """Continue every live row by one token; return the sentences that are finished by it.

        After an exception the running sentences are lost: cancel them all, then admit others.

        Raises:
            ConfigError: a coverage penalty, and a model without attention.
            EngineError: the model's log-probabilities are not numbers.
        """
        if not len(self._rows):
            return []
        too_early = self._of_rows("length") + 1 < self._of_rows("min_length")  # for eos
        repeats = self._repeats()
        output = self._ask(too_early, repeats)
        ids, log_probs = self._constrain(output, too_early, repeats)
        self._end_stuck(log_probs)
        chosen = self._choose(ids, log_probs)
        self._history.append(self._survivors(chosen, output.attention))
        self._sentences["length"] += 1
        self._continue(chosen, self._end(chosen))
        return self._finish()

    def _of_rows(self, name: str) -> npt.NDArray[Any]:
        """A field of each row's sentence, (rows,)."""
        values: npt.NDArray[Any] = self._sentences[name][self._rows["sentence"]]
        return values

    def _repeats(self) -> Repeats:
        """The ids that would repeat an n-gram, of each row whose sentence asks for that."""
        if not self._sentences["no_repeat_ngram"].any():
            return {}
        last = len(self._history) - 1
        repeats = {}
        for row in np.flatnonzero(self._of_rows("no_repeat_ngram")):
            sentence = self._sentences[self._rows["sentence"][row]]
            at = self._rows["back"][row : row + 1]
            tokens = self._history.tokens(last, at, int(sentence["length"]))[0].tolist()
            repeats[int(row)] = repeating(tokens, int(sentence["no_repeat_ngram"]))
        return repeats

    def _ask(self, too_early: npt.NDArray[np.bool_], repeats: Repeats) -> StepOutput:
        """Step the model, for enough candidates that banning some never costs a survivor."""
        wanted = self._of_rows("beam_size") + too_early
        for row, ids in repeats.items():
            wanted[row] += len(ids)
        k = min(int(wanted.max()), self._stepper.vocab_size)
        rows = self._rows
        names = (self._of_rows("slot"), rows["parent"].copy(), rows["last_id"].copy())
        output = self._stepper.step(Rows(*names), k, bool(self._sentences["needs_attention"].any()))
        if np.isnan(output.log_probs).any():
            raise EngineError(
                "the model's log-probabilities are not numbers; its weights are broken"
            )
        if output.attention is None and any(r.job.options.coverage_penalty for r in self._running):
            raise ConfigError("coverage_penalty needs attention, which this model does not have")
        return output

    def _constrain(
        self, output: StepOutput, too_early: npt.NDArray[np.bool_], repeats: Repeats
    ) -> tuple[Ids, Sums]:
        """Candidates (rows, k) and their log-probabilities, -inf where a constraint forbids one."""
        ids, log_probs = output.ids, output.log_probs.astype(np.float64)
        if too_early.any():
            log_probs[too_early[:, None] & (ids == EOS_ID)] = -np.inf
        for row, banned in repeats.items():
            log_probs[row, np.isin(ids[row], banned)] = -np.inf
        forced = self._of_rows("length") < self._of_rows("prefix_length")
        if forced.any():
            ids = ids.copy()
            for row in np.flatnonzero(forced).tolist():
                running = self._running[self._rows["sentence"][row]]
                ids[row, 0] = running.job.options.prefix[self._of_rows("length")[row]]
            log_probs[forced] = -np.inf
            log_probs[forced, 0] = 0.0
        return ids, log_probs

    def _choose(self, ids: Ids, log_probs: Sums) -> _Chosen:
        """The most probable continuations of each sentence; ties go by row, then by candidate."""
        k = ids.shape[1]
        totals = (self._rows["log_prob"][:, None] + log_probs).ravel()
        sentence = np.repeat(self._rows["sentence"], k)
        order = np.lexsort((-totals, sentence))  # sentences already stand in order
        rank = np.arange(len(order)) - np.searchsorted(sentence, sentence)
        order = order[(rank < self._sentences["beam_size"][sentence]) & (totals[order] > -np.inf)]
        return _Chosen(
            row=order // k,
            sentence=sentence[order],
            ids=ids.ravel()[order],
            log_probs=log_probs.ravel()[order],
            totals=totals[order],
        )

    def _survivors(self, chosen: _Chosen, attention: Attention | None) -> Survivors:
        """The record of this step; attention of those sentences only that need it."""
        needed = self._sentences["needs_attention"][chosen.sentence]
        return Survivors(
            back=self._rows["back"][chosen.row],
            ids=chosen.ids,
            log_probs=chosen.log_probs,
            attention=None if attention is None else attention[chosen.row[needed]],
            attention_at=needed.cumsum() - 1,
        )

    def _end_stuck(self, log_probs: Sums) -> None:
        """A row that nothing may continue ends as it is, unfinished."""
        step = len(self._history) - 1
        for row in self._rows[np.isneginf(log_probs).all(axis=1)]:
            self._offer(int(row["sentence"]), float(row["log_prob"]), step, int(row["back"]))

    def _end(self, chosen: _Chosen) -> npt.NDArray[np.bool_]:
        """End what chose eos or has the longest length; returns (survivors,), True where ended."""
        eos = chosen.ids == EOS_ID
        at_limit = self._sentences["length"] >= self._sentences["limit"]
        ended: npt.NDArray[np.bool_] = eos | at_limit[chosen.sentence]
        step = len(self._history) - 1
        for at in np.flatnonzero(ended).tolist():
            sentence, log_prob = int(chosen.sentence[at]), float(chosen.totals[at])
            self._offer(sentence, log_prob, step, at, finished=bool(eos[at]))
        return ended

    def _offer(
        self, sentence: int, log_prob: float, step: int, at: int, finished: bool = False
    ) -> None:
        """Score a hypothesis that ends at survivor `at` of `step` and let it compete."""
        record, running = self._sentences[sentence], self._running[sentence]
        options, length = running.job.options, int(record["length"])
        score = log_prob / options.norm(max(length, 1))
        if options.coverage_penalty:
            attention = self._history.attention(step, at, length, len(running.job.src_ids))
            if attention is not None:
                score += options.coverage(attention)
        ending = _Ending(score, log_prob, finished, length, step, at)
        record["to_beat"] = running.offer(ending)

    def _continue(self, chosen: _Chosen, ended: npt.NDArray[np.bool_]) -> None:
        """The survivors that live on: not ended, and still able to beat what their sentence has."""
        sentences = self._sentences[chosen.sentence]
        can_win = chosen.totals / sentences["longest_norm"] > sentences["to_beat"]
        back = np.flatnonzero(~ended & can_win)
        self._rows = np.empty(len(back), _ROW)
        self._rows["sentence"] = chosen.sentence[back]
        self._rows["parent"] = chosen.row[back]
        self._rows["back"] = back
        self._rows["last_id"] = chosen.ids[back]
        self._rows["log_prob"] = chosen.totals[back]

    def _finish(self) -> list[Finished]:
        """Answer and retire the sentences that no row is left of."""
        alive = np.bincount(self._rows["sentence"], minlength=len(self._sentences)) > 0
        finished = [
            Finished(running.job.key, [self._read(running.job, end) for end in running.best])
            for running, lives in zip(self._running, alive, strict=True)
            if not lives
        ]
        if finished:
            self._leave(alive)
        return finished

    def _read(self, job: Job, end: _Ending) -> Hypothesis:
        at = np.array([end.at])
        tokens = self._history.tokens(end.step, at, end.length)[0]
        token_log_probs = self._history.token_log_probs(end.step, at, end.length)[0]
        attention = None
        if job.options.attention:
            attention = self._history.attention(end.step, end.at, end.length, len(job.src_ids))
        return Hypothesis(
            ids=tokens[: end.length - end.finished].tolist(),
            score=end.score,
            log_prob=end.log_prob,
            token_log_probs=token_log_probs.tolist(),
            finished=end.finished,
            attention=attention,
        )

    def _leave(self, stay: npt.NDArray[np.bool_]) -> None:
        """Retire the sentences that do not stay (sentences,), their rows and their history."""
        if stay.all():
            return
        self._stepper.retire(self._sentences["slot"][~stay].tolist())
        self._rows = self._rows[stay[self._rows["sentence"]]]
        self._rows["sentence"] = (stay.cumsum() - 1)[self._rows["sentence"]]
        self._sentences = self._sentences[stay]
        self._running = [one for one, stays in zip(self._running, stay, strict=True) if stays]
        self._history.forget(min(self._sentences["born"], default=len(self._history)))


def repeating(tokens: Sequence[int], n: int) -> list[int]:
    """The ids that would make the last n tokens an n-gram that `tokens` already holds."""
    grams = (tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    context = tuple(tokens[len(tokens) - n + 1 :])
    return sorted({gram[-1] for gram in grams if gram[:-1] == context})


def search(
    stepper: Stepper,
    sources: Sequence[Sequence[int]],
    options: SearchOptions,
    max_rows: int = 160,
    max_target_tokens: int = 256,
    on_finished: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """Search many sentences, longest first; a finished one's place is taken at once.

    At most max_rows // beam_size sentences run together (at least one). `on_finished` is told how
    many sentences the last step finished. Returns the hypotheses of each source, in input order.

    Raises:
        InputError: a source is empty, or the prefix does not fit.
        ConfigError: a coverage penalty, and a model without attention.
    """
    batch = RunningBatch(stepper, max_target_tokens)
    by_length = sorted(range(len(sources)), key=lambda i: len(sources[i]), reverse=True)
    waiting = deque(Job(i, sources[i], options) for i in by_length)
    for job in waiting:
        batch.check(job)
    places = max(1, max_rows // options.beam_size)
    answers: dict[Hashable, list[Hypothesis]] = {}
    try:
        while waiting or batch.sentences:
            free = min(places - batch.sentences, len(waiting))
            batch.admit([waiting.popleft() for _ in range(free)])
            finished = batch.step()
            answers.update((one.key, one.hypotheses) for one in finished)
            if finished and on_finished:
                on_finished(len(finished))
    finally:
        batch.cancel(range(len(sources)))  # nothing, unless the model failed
    return [answers[i] for i in range(len(sources))]
