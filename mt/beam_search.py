"""One beam search for training's scores and serving's answers: a running batch over any Stepper.

At each step, of all continuations of a sentence's live rows, the `beam_size` most probable survive.
Those that are eos leave as finished hypotheses, the others live on; so a beam of one is greedy
search. Hypotheses compete by `log_prob / norm(length) + coverage` (Wu et al. 2016, eq. 14), and a
row dies as soon as it can no longer win: log-probabilities never rise, the norm never falls and
coverage is never above 0, so nothing that grows from a row beats log_prob / norm(longest length).

Samples (Fan et al. 2018, Holtzman et al. 2020) run in the same batch: each of their rows keeps one
continuation, which is drawn, and no row competes with another.

A sentence's answer does not depend on its neighbours. The work of a step is done for all rows at
once in numpy; only hypotheses that end are handled one by one.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mt.constraints import UNCONSTRAINED, Constraints, repeated
from mt.errors import ConfigError, EngineError, InputError
from mt.hypothesis import History, Hypothesis, Survivors
from mt.running_sentence import Ending, Finished, Job, RunningSentence
from mt.sampling import draw, keep_drawn
from mt.search_options import SearchOptions
from mt.selection import Chosen, Sums, choose
from mt.stepper import Attention, Ids, Rows, StepOutput, Stepper
from mt.tokenizer import BOS_ID, EOS_ID

__all__ = ["Finished", "Hypothesis", "Job", "RunningBatch", "SearchOptions", "search"]

# One record for each running sentence, in the order of their rows.
_SENTENCE = np.dtype(
    [
        ("slot", np.int64),
        ("width", np.int64),  # the most rows that survive a step
        ("candidates", np.int64),  # how many a row must be offered
        ("drawn", np.bool_),  # rather than searched for
        ("length", np.int64),  # tokens so far, the same for all its rows
        ("limit", np.int64),  # the longest length
        ("min_length", np.int64),
        ("prefix_length", np.int64),
        ("no_repeat_ngram", np.int64),
        ("constrained", np.bool_),  # by any of these three
        ("needs_attention", np.bool_),
        ("longest_norm", np.float64),
        ("to_beat", np.float64),  # score of the worst of its n best so far, -inf until there are n
        ("born", np.int64),  # the step of its first token
    ]
)
# One record for each live row; the rows of a sentence stand together, the most probable first.
_ROW = np.dtype(
    [
        ("sentence", np.int64),
        ("parent", np.int64),  # row of the previous step, -1 before the first
        ("back", np.int64),  # survivor of the previous step, -1 before the first
        ("last_id", np.int64),
        ("sample", np.int64),  # its number in a sentence that is drawn, else 0
        ("log_prob", np.float64),
    ]
)


class RunningBatch:
    """The searches that run over one stepper; sentences join and leave at any step."""

    def __init__(self, stepper: Stepper, max_target_tokens: int = 256) -> None:
        """`max_target_tokens` caps the longest length of every job."""
        self._stepper = stepper
        self._max_target_tokens = max_target_tokens
        self._running: list[RunningSentence] = []
        self._sentences = np.empty(0, _SENTENCE)
        self._rows = np.empty(0, _ROW)
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
        prefix, limit = job.options.prefix, self._limit(job)
        if len(prefix) > limit:
            raise InputError(f"the prefix has {len(prefix)} tokens, at most {limit} fit")
        if max(prefix, default=0) >= self._stepper.vocab_size:
            raise InputError(f"the prefix holds ids above {self._stepper.vocab_size - 1}")

    def admit(self, jobs: Sequence[Job]) -> None:
        """Encode sentences, which join at the next step; all of them or none.

        Raises:
            InputError: see `check`.
            ValueError: two sentences have one key.
        """
        for job in jobs:
            self.check(job)
        keys = [one.job.key for one in self._running] + [job.key for job in jobs]
        if len(set(keys)) < len(keys):
            raise ValueError("two sentences have one key")
        if not jobs:
            return
        slots = self._stepper.admit([job.src_ids for job in jobs])
        first = len(self._sentences)
        rows = [
            (first + i, -1, -1, BOS_ID, sample, 0.0)
            for i, job in enumerate(jobs)
            for sample in range(job.options.samples or 1)
        ]
        records = [self._record(job, slot) for job, slot in zip(jobs, slots, strict=True)]
        self._rows = np.concatenate([self._rows, np.array(rows, _ROW)])
        self._sentences = np.concatenate([self._sentences, np.array(records, _SENTENCE)])
        self._running += [RunningSentence(job, self._limit(job)) for job in jobs]

    def cancel(self, keys: Iterable[Hashable]) -> None:
        """Drop running sentences and free their rows at once; unknown keys are passed over."""
        unwanted = set(keys)
        self._leave(np.array([one.job.key not in unwanted for one in self._running], np.bool_))

    def step(self) -> list[Finished]:
        """Continue every live row by one token; return the sentences that are finished by it.

        After an exception the running sentences are lost: cancel them all, then admit others.

        Raises:
            ConfigError: a coverage penalty, and a model without attention.
            EngineError: the model's log-probabilities are not numbers.
        """
        if not self.rows:
            return []
        constraints = self._constraints()
        output = self._ask(constraints)
        ids, log_probs = constraints.apply(output.ids, output.log_probs)
        if self._sentences["drawn"].any():
            ids, log_probs = self._draw(ids, log_probs, constraints)
        self._end_stuck(log_probs)
        rows, widths = self._rows, self._of_rows("width")
        chosen = choose(rows["sentence"], widths, rows["log_prob"], ids, log_probs)
        self._record_step(chosen, output.attention)
        self._continue(chosen, self._end(chosen))
        return self._finish()

    def _limit(self, job: Job) -> int:
        return job.options.length_limit(len(job.src_ids), self._max_target_tokens)

    def _candidates(self, options: SearchOptions) -> int:
        """How many candidates a row needs to be offered, if none is banned."""
        if options.samples:
            return options.top_k or self._stepper.vocab_size
        return options.beam_size

    def _record(self, job: Job, slot: int) -> tuple[object, ...]:
        """The fields of a sentence that begins now, in the order of _SENTENCE."""
        options, limit = job.options, self._limit(job)
        constraints = (options.min_length, len(options.prefix), options.no_repeat_ngram)
        scores = (options.needs_attention, options.norm(limit), -np.inf)
        return (
            *(slot, options.rows, self._candidates(options), options.samples > 0, 0, limit),
            *(*constraints, any(constraints)),
            *(*scores, len(self._history)),
        )

    def _of_rows(self, name: str) -> npt.NDArray[Any]:
        """A field of each row's sentence, (rows,)."""
        values: npt.NDArray[Any] = self._sentences[name][self._rows["sentence"]]
        return values

    def _constraints(self) -> Constraints:
        """What the rows may not, or must, continue with at this step."""
        if not self._sentences["constrained"].any():
            return UNCONSTRAINED
        length, sizes = self._of_rows("length"), self._of_rows("no_repeat_ngram")
        forced = np.full(self.rows, -1)
        for row in np.flatnonzero(length < self._of_rows("prefix_length")).tolist():
            job = self._running[self._rows["sentence"][row]].job
            forced[row] = job.options.prefix[length[row]]
        return Constraints(
            too_early=length + 1 < self._of_rows("min_length"),
            repeated=repeated(
                self._history.tokens(np.where(sizes > 0, self._rows["back"], -1)), sizes
            ),
            forced=forced,
        )

    def _ask(self, constraints: Constraints) -> StepOutput:
        """Step the model for enough candidates that banning some never costs a survivor."""
        wanted = self._of_rows("candidates") + constraints.most_banned()
        k = min(int(wanted.max()), self._stepper.vocab_size)
        parents, last_ids = self._rows["parent"].copy(), self._rows["last_id"].copy()
        with_attention = bool(self._sentences["needs_attention"].any())
        output = self._stepper.step(
            Rows(self._of_rows("slot"), parents, last_ids), k, with_attention
        )
        if np.isnan(output.log_probs).any():
            raise EngineError("the model gives no numbers; its weights are broken or overflow")
        if with_attention and output.attention is None:
            self._refuse_coverage()
        return output

    def _refuse_coverage(self) -> None:
        if any(one.job.options.coverage_penalty for one in self._running):
            raise ConfigError("coverage_penalty needs attention, which this model does not have")

    def _draw(self, ids: Ids, log_probs: Sums, constraints: Constraints) -> tuple[Ids, Sums]:
        """Leave each row of a sample the one candidate that is drawn for it."""
        rows = np.flatnonzero(self._of_rows("drawn"))
        running = [self._running[i] for i in self._rows["sentence"][rows].tolist()]
        samples, positions = self._rows["sample"][rows], self._of_rows("length")[rows]
        uniform = [
            one.uniform[sample, position]
            for one, sample, position in zip(running, samples, positions, strict=True)
        ]
        options = [one.job.options for one in running]
        drawn = draw(ids[rows], log_probs[rows], np.array(uniform), options)
        width = int((self._of_rows("width") + constraints.most_banned()).max())
        return keep_drawn(rows, drawn, ids, log_probs, width)

    def _record_step(self, chosen: Chosen, attention: Attention | None) -> None:
        """Note who survived; attention of those sentences only that need it."""
        needed = self._sentences["needs_attention"][chosen.sentence]
        kept = None if attention is None else attention[chosen.row[needed]]
        back = self._rows["back"][chosen.row]
        attention_at = needed.cumsum() - 1
        self._history.append(Survivors(back, chosen.ids, chosen.log_probs, kept, attention_at))
        self._sentences["length"] += 1

    def _end_stuck(self, log_probs: Sums) -> None:
        """A row that nothing may continue ends as it is, unfinished."""
        step = len(self._history) - 1
        for row in self._rows[log_probs.max(axis=1) == -np.inf]:
            sentence = int(row["sentence"])
            length = int(self._sentences["length"][sentence])
            at, sample = int(row["back"]), int(row["sample"])
            self._offer(sentence, Ending(float(row["log_prob"]), False, length, step, at, sample))

    def _end(self, chosen: Chosen) -> npt.NDArray[np.bool_]:
        """End what chose eos or has the longest length; returns (survivors,), True where ended."""
        eos = chosen.ids == EOS_ID
        length = self._sentences["length"][chosen.sentence]
        ended: npt.NDArray[np.bool_] = eos | (length >= self._sentences["limit"][chosen.sentence])
        step, samples = len(self._history) - 1, self._rows["sample"][chosen.row]
        for i in np.flatnonzero(ended).tolist():
            total, sample = float(chosen.totals[i]), int(samples[i])
            ending = Ending(total, bool(eos[i]), int(length[i]), step, i, sample)
            self._offer(int(chosen.sentence[i]), ending)
        return ended

    def _offer(self, sentence: int, ending: Ending) -> None:
        to_beat = self._running[sentence].offer(ending, self._history)
        self._sentences["to_beat"][sentence] = to_beat

    def _continue(self, chosen: Chosen, ended: npt.NDArray[np.bool_]) -> None:
        """The survivors that live on: not ended, and still able to beat what their sentence has."""
        best_score = chosen.totals / self._sentences["longest_norm"][chosen.sentence]
        can_win = best_score > self._sentences["to_beat"][chosen.sentence]
        back = np.flatnonzero(can_win & ~ended)
        samples = self._rows["sample"][chosen.row[back]]
        self._rows = np.empty(len(back), _ROW)
        self._rows["sentence"] = chosen.sentence[back]
        self._rows["parent"] = chosen.row[back]
        self._rows["back"] = back
        self._rows["last_id"] = chosen.ids[back]
        self._rows["sample"] = samples
        self._rows["log_prob"] = chosen.totals[back]

    def _finish(self) -> list[Finished]:
        """Answer and retire the sentences that no row is left of."""
        alive = np.bincount(self._rows["sentence"], minlength=self.sentences) > 0
        done = np.flatnonzero(~alive).tolist()
        finished = [self._running[i].answer(self._history) for i in done]
        self._leave(alive)
        return finished

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


def search(
    stepper: Stepper,
    sources: Sequence[Sequence[int]],
    options: SearchOptions,
    max_rows: int = 160,
    max_target_tokens: int = 256,
    on_finished: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """Search many sentences, longest first; a finished one's place is taken at once.

    At most max_rows // options.rows sentences run together (at least one). `on_finished` is told
    how many sentences a step finished. Returns the hypotheses of each source, in input order.

    Raises:
        InputError: a source has no ids, or the prefix does not fit.
        ConfigError: a coverage penalty, and a model without attention.
    """
    batch = RunningBatch(stepper, max_target_tokens)
    longest_first = sorted(range(len(sources)), key=lambda i: len(sources[i]), reverse=True)
    waiting = deque(Job(i, sources[i], options) for i in longest_first)
    for job in waiting:
        batch.check(job)
    places = max(1, max_rows // options.rows)
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
        batch.cancel(range(len(sources)))  # the stepper outlives a search that failed
    return [answers[i] for i in range(len(sources))]
