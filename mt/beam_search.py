"""One beam search for training's scores and serving's answers: a running batch over any Stepper.

At each step, of all continuations of a sentence's live rows, the `beam_size` most probable survive.
Those that are eos leave as finished hypotheses, the others live on; so a beam of one is greedy
search. Hypotheses compete by `log_prob / norm(length) + coverage` (Wu et al. 2016, eq. 14), and a
row dies as soon as it can no longer win: log-probabilities never rise, the norm never falls and
coverage is never above 0, so nothing that grows from a row beats log_prob / norm(longest length).
What takes its place in the beam is less probable and dies by the same bound, so the answer is that
of a search that drops nothing. No bound that knows only the past drops more, coverage aside: a
model that is certain of all that follows brings the row to the longest length with that score.

Samples (Fan et al. 2018, Holtzman et al. 2020) run in the same batch: each of their rows keeps one
continuation, which is drawn, and no row competes with another. So do sentences with terms (Post and
Vilar 2018): of their continuations only those stay that get a place among their banks.

A sentence's answer does not depend on its neighbours. The work of a step is done for all rows at
once in numpy; only hypotheses that end are handled one by one.
"""

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mt.constraints import Constraints, Floats, Unconstrained, repeated
from mt.errors import ConfigError, EngineError, InputError
from mt.hypothesis import History, Hypothesis, Survivors
from mt.live_rows import LiveRows
from mt.phrases import Mask, Progress
from mt.running_sentence import RECORD, Ending, Finished, Job, RunningSentence
from mt.sampling import draw, keep_drawn
from mt.search_options import SearchOptions
from mt.selection import Chosen, Sums, choose
from mt.stepper import Attention, Ids, Rows, StepOutput, Stepper
from mt.terms import Terms
from mt.tokenizer import EOS_ID

__all__ = ["Finished", "Hypothesis", "Job", "RunningBatch", "SearchOptions", "search"]


class RunningBatch:
    """The searches that run over one stepper; sentences join and leave at any step."""

    def __init__(
        self, stepper: Stepper, max_target_tokens: int = 256, continuing: Mask | None = None
    ) -> None:
        """`max_target_tokens` caps the longest length of every job.

        continuing (vocab,): True at ids that go on with the word before them, so that a term that
        they follow is none (`Tokenizer.continuing`); None: there are no such ids.
        """
        self._stepper = stepper
        self._continuing = np.zeros(stepper.vocab_size, bool) if continuing is None else continuing
        self._max_target_tokens = max_target_tokens
        self._rows = LiveRows.beginning(0, [])
        self._history = History()
        self._set_running([], np.empty(0, RECORD))

    @property
    def rows(self) -> int:
        """Number of live rows."""
        return len(self._rows.sentence)

    @property
    def sentences(self) -> int:
        """Number of running sentences."""
        return len(self._running)

    def check(self, job: Job) -> None:
        """Refuse a job that `admit` would refuse.

        Raises:
            InputError: no source ids, a prefix that is too long, or ids outside the vocabulary.
        """
        if not len(job.src_ids):
            raise InputError("there is nothing to translate: the source has no tokens")
        prefix, limit = job.options.prefix, self._limit(job)
        if len(prefix) > limit:
            raise InputError(f"the prefix has {len(prefix)} tokens, at most {limit} fit")
        if max(prefix, default=0) >= self._stepper.vocab_size:
            raise InputError(f"the prefix holds ids above {self._stepper.vocab_size - 1}")
        if max(itertools.chain(*job.options.terms), default=0) >= self._stepper.vocab_size:
            raise InputError(f"a term holds ids above {self._stepper.vocab_size - 1}")

    def admit(self, jobs: Sequence[Job]) -> None:
        """Encode sentences, which join at the next step; all of them or none.

        Raises:
            InputError: see `check`.
            ValueError: two sentences have one key.
        """
        if not jobs:
            return
        for job in jobs:
            self.check(job)
        keys = [one.job.key for one in self._running] + [job.key for job in jobs]
        if len(set(keys)) < len(keys):
            raise ValueError("two sentences have one key")
        slots = self._stepper.admit(
            [job.src_ids for job in jobs], [job.options.rows for job in jobs]
        )
        new = [RunningSentence(job, self._limit(job)) for job in jobs]
        born = len(self._history)
        records = [one.record(slot, born) for one, slot in zip(new, slots, strict=True)]
        first_rows = [job.options.samples or 1 for job in jobs]
        self._rows = self._rows.beside(LiveRows.beginning(self.sentences, first_rows))
        sentences = np.concatenate([self._sentences, np.array(records, RECORD)])
        self._set_running(self._running + new, sentences)

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
        output, ids, log_probs = self._ask(constraints)
        ids, log_probs = constraints.apply(ids, log_probs)
        if self._some_drawn:
            beside = ids.shape[1] - output.ids.shape[1]
            ids, log_probs = self._draw(ids, log_probs, constraints, beside)
        if log_probs.min() == -np.inf:
            self._end_stuck(log_probs)
        rows, width = self._rows, self._of_rows("width")
        log_probs = self._terms.allot(rows, width, ids, log_probs)
        chosen = choose(rows.sentence, width, rows.log_prob, ids, log_probs)
        progress = self._terms.read(rows, chosen)
        self._record(chosen, output.attention)
        self._continue(chosen, progress, self._end(chosen, progress))
        return self._finish()

    def _limit(self, job: Job) -> int:
        return job.options.length_limit(len(job.src_ids), self._max_target_tokens)

    def _set_running(self, running: list[RunningSentence], sentences: npt.NDArray[Any]) -> None:
        """Note who runs from now on, and what some of them need."""
        self._running, self._sentences = running, sentences
        self._terms = Terms([one.job.options for one in running], self._continuing)
        self._some_constrained = bool(sentences["constrained"].any())
        self._some_drawn = bool(sentences["drawn"].any())
        self._some_need_attention = bool(sentences["needs_attention"].any())

    def _of_rows(self, name: str) -> npt.NDArray[Any]:
        """A field of each row's sentence, (rows,)."""
        values: npt.NDArray[Any] = self._sentences[name][self._rows.sentence]
        return values

    def _lengths(self) -> Ids:
        """How many tokens each row has (rows,)."""
        lengths: Ids = len(self._history) - self._of_rows("born")
        return lengths

    def _constraints(self) -> Constraints | Unconstrained:
        """What the rows may not, or must, continue with at this step."""
        if not self._some_constrained:
            return Unconstrained()
        length, sizes = self._lengths(), self._of_rows("no_repeat_ngram")
        forced = np.full(self.rows, -1)
        for row in np.flatnonzero(length < self._of_rows("prefix_length")).tolist():
            job = self._running[self._rows.sentence[row]].job
            forced[row] = job.options.prefix[length[row]]
        return Constraints(
            too_early=length + 1 < self._of_rows("min_length"),
            repeated=repeated(
                self._history.tokens(np.where(sizes > 0, self._rows.back, -1)), sizes
            ),
            forced=forced,
        )

    def _ask(self, constraints: Constraints | Unconstrained) -> tuple[StepOutput, Ids, Floats]:
        """Step the model for enough candidates that banning some never costs a survivor."""
        needed: npt.NDArray[Any] = self._of_rows("candidates") + constraints.most_banned()
        k = min(int(needed.max()), self._stepper.vocab_size)
        live, wanted = self._rows, self._terms.wanted(self._rows)
        rows = Rows(self._of_rows("slot"), live.parent, live.last_id, wanted)
        output = self._stepper.step(rows, k, self._some_need_attention)
        if np.isnan(output.log_probs.max()):
            raise EngineError("the model gives no numbers; its weights are broken or overflow")
        if self._some_need_attention and output.attention is None:
            self._refuse_coverage()
        return output, *self._terms.candidates(live, wanted, output, needed)

    def _refuse_coverage(self) -> None:
        if any(one.job.options.coverage_penalty for one in self._running):
            raise ConfigError("coverage_penalty needs attention, which this model does not have")

    def _draw(
        self, ids: Ids, log_probs: Sums, constraints: Constraints | Unconstrained, beside: int
    ) -> tuple[Ids, Sums]:
        """Leave each row of a sample the one candidate that is drawn for it.

        beside: how many candidates stand before the model's best.
        """
        rows = self._of_rows("drawn").nonzero()[0]
        running = [self._running[i] for i in self._rows.sentence[rows].tolist()]
        samples, positions = self._rows.sample[rows], self._lengths()[rows]
        uniform = [
            one.uniform[sample, position]
            for one, sample, position in zip(running, samples, positions, strict=True)
        ]
        options = [one.job.options for one in running]
        drawn = draw(ids[rows], log_probs[rows], np.array(uniform), options)
        needed = np.where(self._of_rows("drawn"), 1, self._of_rows("candidates"))
        width = beside + int((needed + constraints.most_banned()).max())
        return keep_drawn(rows, drawn, ids, log_probs, width)

    def _record(self, chosen: Chosen, attention: Attention | None) -> None:
        """Note who survived; attention of those sentences only that need it."""
        back, kept, kept_at = self._rows.back[chosen.row], None, None
        if attention is not None:
            needed = self._sentences["needs_attention"][chosen.sentence]
            kept, kept_at = attention[chosen.row[needed]], needed.cumsum() - 1
        self._history.append(Survivors(back, chosen.ids, chosen.log_probs, kept, kept_at))

    def _end_stuck(self, log_probs: Sums) -> None:
        """A row that nothing may continue ends as it is, unfinished."""
        rows = self._rows
        missing = self._terms.missing(rows.sentence, Progress(rows.matched, rows.met))
        for row in (log_probs.max(axis=1) == -np.inf).nonzero()[0].tolist():
            sentence, log_prob = rows.sentence[row].item(), rows.log_prob[row].item()
            at, sample, lacks = (column[row].item() for column in (rows.back, rows.sample, missing))
            self._offer(sentence, log_prob, False, at, sample, lacks)

    def _end(self, chosen: Chosen, progress: Progress) -> npt.NDArray[np.bool_]:
        """End what chose eos or has the longest length; returns (survivors,), True where ended."""
        eos = chosen.ids == EOS_ID
        is_last = self._sentences["last_step"] < len(self._history)
        ended: npt.NDArray[np.bool_] = eos | is_last[chosen.sentence]
        missing = self._terms.missing(chosen.sentence, progress)
        for at in ended.nonzero()[0].tolist():
            sentence, sample = chosen.sentence[at].item(), self._rows.sample[chosen.row[at]].item()
            total, lacks = chosen.totals[at].item(), missing[at].item()
            self._offer(sentence, total, eos[at].item(), at, sample, lacks)
        return ended

    def _offer(
        self, sentence: int, log_prob: float, finished: bool, at: int, sample: int, missing: int
    ) -> None:
        """Let a hypothesis compete whose last token is survivor `at` of the last recorded step."""
        steps = len(self._history)
        length = steps - self._sentences["born"][sentence].item()
        ending = Ending(log_prob, finished, length, steps - 1, at, sample, missing)
        to_beat = self._running[sentence].offer(ending, self._history)
        self._sentences["to_beat"][sentence] = to_beat

    def _continue(self, chosen: Chosen, progress: Progress, ended: npt.NDArray[np.bool_]) -> None:
        """The survivors that live on: not ended, and still able to beat what their sentence has."""
        best_score = chosen.totals / self._sentences["longest_norm"][chosen.sentence]
        can_win = best_score > self._sentences["to_beat"][chosen.sentence]
        back = (can_win & ~ended).nonzero()[0]
        parent = chosen.row[back]
        self._rows = LiveRows(
            sentence=chosen.sentence[back],
            parent=parent,
            back=back,
            last_id=chosen.ids[back],
            sample=self._rows.sample[parent],
            matched=progress.matched[back],
            met=progress.met[back],
            log_prob=chosen.totals[back],
        )

    def _finish(self) -> list[Finished]:
        """Answer and retire the sentences that no row is left of."""
        alive = np.zeros(self.sentences, np.bool_)
        alive[self._rows.sentence] = True
        done = (~alive).nonzero()[0].tolist()
        if not done:
            return []
        finished = [self._running[i].answer(self._history) for i in done]
        self._leave(alive)
        return finished

    def _leave(self, stay: npt.NDArray[np.bool_]) -> None:
        """Retire the sentences that do not stay (sentences,), their rows and their history."""
        if stay.all():
            return
        self._stepper.retire(self._sentences["slot"][~stay].tolist())
        self._rows = self._rows.of_sentences(stay)
        running = [one for one, stays in zip(self._running, stay, strict=True) if stays]
        self._set_running(running, self._sentences[stay])
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
