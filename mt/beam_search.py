"""One beam search for training's scores and serving's answers: a running batch over any Stepper.

At each step, of all continuations of a sentence's live rows, the `beam_size` most probable survive.
Those that are eos leave as finished hypotheses, the others live on; so a beam of one is greedy
search. Hypotheses compete by `log_prob / norm(length) + coverage` (Wu et al. 2016, eq. 14), and a
row dies as soon as it can no longer win: log-probabilities never rise, the norm never falls and
coverage is never above 0, so nothing of some length that grows from a row beats log_prob /
norm(that length). For the longest length that is certain: with `early_stopping` None the answer is
that of a search that drops nothing, for what takes a row's place in the beam is less probable and
dies by the same bound. But only a model that is sure of every word to the longest length brings a
row there, so rows are given up that need more than some such words beyond the source's length. Six
changed none of 3,000 answers (Multi30k's test2016 and sentences it has nothing to do with, two
penalties, beam 5; four changed 7), and save 12 to 23 % of the rows and 14 to 21 % of the steps of a
sentence alone.

Samples (Fan et al. 2018, Holtzman et al. 2020) run in the same batch: each of their rows keeps one
continuation, which is drawn, and no row competes with another. So do sentences with terms (Post and
Vilar 2018): of their continuations only those stay that get a place among their banks.

A sentence's answer does not depend on its neighbours. The work of a step is done for all rows at
once in numpy; only hypotheses that end are handled one by one.
"""

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from mt.constraints import Constraints, Floats, repeated
from mt.errors import ConfigError, EngineError
from mt.hypothesis import History, Hypothesis, Survivors
from mt.live_rows import LiveRows
from mt.phrases import Mask, Progress
from mt.roster import NOBODY, Lineup, Roster
from mt.running_sentence import RECORD, Ending, Finished, Job, RunningSentence
from mt.sampling import draw, keep_drawn
from mt.search_options import SearchOptions
from mt.selection import Chosen, Sums
from mt.stepper import Attention, Ids, Rows, StepOutput, Stepper
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
        self._history = History()
        self._set_running(NOBODY, LiveRows.beginning(0, []))
        self._lineup = Lineup(self._rows.sentence, NOBODY)

    @property
    def rows(self) -> int:
        """Number of live rows."""
        return len(self._rows.sentence)

    @property
    def sentences(self) -> int:
        """Number of running sentences."""
        return len(self._roster)

    def admit(self, jobs: Sequence[Job]) -> None:
        """Encode sentences, which join at the next step; all of them or none.

        Raises:
            InputError: see `Job.check`.
            ValueError: two sentences have one key.
        """
        if not jobs:
            return
        for job in jobs:
            job.check(self._stepper.vocab_size, self._max_target_tokens)
        keys = [one.job.key for one in self._roster.running] + [job.key for job in jobs]
        if len(set(keys)) < len(keys):
            raise ValueError("two sentences have one key")
        slots = self._stepper.admit(
            [job.src_ids for job in jobs], [job.options.rows for job in jobs]
        )
        new = [RunningSentence(job, job.limit(self._max_target_tokens)) for job in jobs]
        born = len(self._history)
        records = [one.record(slot, born) for one, slot in zip(new, slots, strict=True)]
        everyone = np.concatenate([self._roster.records, np.array(records, RECORD)])
        first_rows = LiveRows.beginning(self.sentences, [job.options.samples or 1 for job in jobs])
        roster = Roster(self._roster.running + new, everyone, self._continuing)
        self._set_running(roster, self._rows.beside(first_rows))

    def cancel(self, keys: Iterable[Hashable]) -> None:
        """Drop running sentences and free their rows at once; unknown keys are passed over."""
        unwanted = set(keys)
        running = self._roster.running
        self._leave(np.array([one.job.key not in unwanted for one in running], np.bool_))

    def step(self) -> list[Finished]:
        """Continue every live row by one token; return the sentences that are finished by it.

        After an exception the running sentences are lost: cancel them all, then admit others.

        Raises:
            ConfigError: a coverage penalty, and a model without attention.
            EngineError: the model's log-probabilities are not numbers.
        """
        if not self.rows:
            return []
        if self._rows.sentence is not self._lineup.sentence:  # someone came, left, got or lost one
            self._lineup = Lineup(self._rows.sentence, self._roster)
        constraints = self._constraints()
        output, ids, log_probs = self._ask(constraints)
        ids, log_probs = constraints.apply(ids, log_probs)
        if self._roster.drawn:
            beside = ids.shape[1] - output.ids.shape[1]
            ids, log_probs = self._draw(ids, log_probs, constraints, beside)
        if log_probs.min() == -np.inf:
            self._end_stuck(log_probs)
        rows, terms, lineup = self._rows, self._roster.terms, self._lineup
        log_probs = terms.allot(rows, lineup.facts["width"], ids, log_probs)
        chosen = lineup.contest.choose(rows.log_prob, ids, log_probs)
        progress = terms.read(rows, chosen)
        self._record(chosen, output.attention)
        self._continue(chosen, progress, self._end(chosen, progress))
        return self._finish()

    def _set_running(self, roster: Roster, rows: LiveRows) -> None:
        """These run from now on."""
        self._roster, self._rows = roster, rows

    def _lengths(self) -> Ids:
        """How many tokens each row has (rows,)."""
        lengths: Ids = len(self._history) - self._lineup.facts["born"]
        return lengths

    def _constraints(self) -> Constraints:
        """What the rows may not, or must, continue with at this step."""
        roster, steps = self._roster, len(self._history)
        return Constraints(
            too_early=self._too_early() if steps < roster.early_until else None,
            repeated=self._repeated() if roster.repeats else None,
            forced=self._forced() if steps < roster.forced_until else None,
        )

    def _too_early(self) -> npt.NDArray[np.bool_]:
        too_early: npt.NDArray[np.bool_] = self._lengths() + 1 < self._lineup.facts["min_length"]
        return too_early

    def _repeated(self) -> Ids:
        sizes = self._lineup.facts["no_repeat_ngram"]
        return repeated(self._history.tokens(np.where(sizes > 0, self._rows.back, -1)), sizes)

    def _forced(self) -> Ids:
        lengths, forced = self._lengths(), np.full(self.rows, -1)
        for row in np.flatnonzero(lengths < self._lineup.facts["prefix_length"]).tolist():
            job = self._roster.running[self._rows.sentence[row]].job
            forced[row] = job.options.prefix[lengths[row]]
        return forced

    def _ask(self, constraints: Constraints) -> tuple[StepOutput, Ids, Floats]:
        """Step the model for enough candidates that banning some never costs a survivor."""
        needed = self._lineup.candidates + constraints.most_banned()
        k = min(int(needed.max()), self._stepper.vocab_size)
        live, wanted = self._rows, self._roster.terms.wanted(self._rows)
        rows = Rows(self._lineup.slots, live.parent, live.last_id, wanted)
        output = self._stepper.step(rows, k, self._roster.needs_attention)
        if math.isnan(output.log_probs.max()):
            raise EngineError("the model gives no numbers; its weights are broken or overflow")
        if self._roster.needs_attention and output.attention is None:
            self._refuse_coverage()
        return output, *self._roster.terms.candidates(live, wanted, output, needed)

    def _refuse_coverage(self) -> None:
        if any(one.job.options.coverage_penalty for one in self._roster.running):
            raise ConfigError("coverage_penalty needs attention, which this model does not have")

    def _draw(
        self, ids: Ids, log_probs: Sums, constraints: Constraints, beside: int
    ) -> tuple[Ids, Sums]:
        """Leave each row of a sample the one candidate that is drawn for it.

        beside: how many candidates stand before the model's best.
        """
        is_drawn = self._lineup.facts["drawn"]
        rows = is_drawn.nonzero()[0]
        running = [self._roster.running[i] for i in self._rows.sentence[rows].tolist()]
        samples, positions = self._rows.sample[rows], self._lengths()[rows]
        uniform = [
            one.uniform[sample, position]
            for one, sample, position in zip(running, samples, positions, strict=True)
        ]
        options = [one.job.options for one in running]
        drawn = draw(ids[rows], log_probs[rows], np.array(uniform), options)
        needed = np.where(is_drawn, 1, self._lineup.candidates)
        width = beside + int((needed + constraints.most_banned()).max())
        return keep_drawn(rows, drawn, ids, log_probs, width)

    def _record(self, chosen: Chosen, attention: Attention | None) -> None:
        """Note who survived; attention of those sentences only that need it."""
        back, kept, kept_at = self._rows.back[chosen.row], None, None
        if attention is not None:
            needed = self._roster.records["needs_attention"][chosen.sentence]
            kept, kept_at = attention[chosen.row[needed]], needed.cumsum() - 1
        self._history.append(Survivors(back, chosen.ids, chosen.log_probs, kept, kept_at))

    def _end_stuck(self, log_probs: Sums) -> None:
        """A row that nothing may continue ends as it is, unfinished."""
        rows = self._rows
        missing = self._roster.terms.missing(rows.sentence, Progress(rows.matched, rows.met))
        for row in (log_probs.max(axis=1) == -np.inf).nonzero()[0].tolist():
            sentence, log_prob = rows.sentence[row].item(), rows.log_prob[row].item()
            at, sample, lacks = (column[row].item() for column in (rows.back, rows.sample, missing))
            self._offer(sentence, log_prob, False, at, sample, lacks)

    def _end(self, chosen: Chosen, progress: Progress) -> npt.NDArray[np.bool_]:
        """End what chose eos or has the longest length; returns (survivors,), True where ended."""
        eos: npt.NDArray[np.bool_] = chosen.ids == EOS_ID
        ended = eos
        if self._roster.first_limit < len(self._history):
            limits = self._roster.records["last_step"][chosen.sentence]
            ended = eos | (limits < len(self._history))
        found = ended.nonzero()[0].tolist()
        missing = self._roster.terms.missing(chosen.sentence, progress) if found else eos
        for at in found:
            sentence, sample = chosen.sentence[at].item(), self._rows.sample[chosen.row[at]].item()
            total, lacks = chosen.totals[at].item(), missing[at].item()
            self._offer(sentence, total, eos[at].item(), at, sample, lacks)
        return ended

    def _offer(
        self, sentence: int, log_prob: float, finished: bool, at: int, sample: int, missing: int
    ) -> None:
        """Let a hypothesis compete whose last token is survivor `at` of the last recorded step."""
        steps = len(self._history)
        length = steps - self._roster.records["born"][sentence].item()
        ending = Ending(log_prob, finished, length, steps - 1, at, sample, missing)
        self._roster.beat(sentence, self._roster.running[sentence].offer(ending, self._history))

    def _continue(self, chosen: Chosen, progress: Progress, ended: npt.NDArray[np.bool_]) -> None:
        """The survivors that live on: not ended, and still able to beat what their sentence has."""
        rows = LiveRows(
            sentence=chosen.sentence,
            parent=chosen.row,
            back=np.arange(len(chosen.row)),
            last_id=chosen.ids,
            sample=self._rows.sample[chosen.row],
            matched=progress.matched,
            met=progress.met,
            log_prob=chosen.totals,
        )
        if self._roster.has_ended:
            norms = self._roster.norms_ahead(len(self._history))[chosen.sentence]
            to_beat = self._roster.records["to_beat"][chosen.sentence]
            ended = ended | (chosen.totals / norms <= to_beat)
        self._rows = rows.only(~ended) if ended.any() else rows

    def _finish(self) -> list[Finished]:
        """Answer and retire the sentences that no row is left of."""
        alive = np.zeros(self.sentences, np.bool_)
        alive[self._rows.sentence] = True
        if alive.all():
            return []
        running = self._roster.running
        finished = [running[i].answer(self._history) for i in (~alive).nonzero()[0].tolist()]
        self._leave(alive)
        return finished

    def _leave(self, stay: npt.NDArray[np.bool_]) -> None:
        """Retire the sentences that do not stay (sentences,), their rows and their history."""
        if stay.all():
            return
        records = self._roster.records
        self._stepper.retire(records["slot"][~stay].tolist())
        running = [one for one, stays in zip(self._roster.running, stay, strict=True) if stays]
        roster = Roster(running, records[stay], self._continuing)
        self._set_running(roster, self._rows.of_sentences(stay))
        self._history.forget(min(roster.records["born"], default=len(self._history)))


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
        job.check(stepper.vocab_size, max_target_tokens)
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
