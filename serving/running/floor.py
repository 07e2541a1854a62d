"""What the workers of an engine share: the line before them, the counts, whether it is open."""

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from mt.beam_search import Hypothesis
from mt.errors import DeadlineError, OverloadedError, UnavailableError
from serving.running.engine_stats import Counters
from serving.running.pace import Pace
from serving.running.waiting_line import Outcome, Sentence, WaitingLine, expired
from serving.settings import EngineSettings

_LONGEST_RETRY_S = 60.0
_SURE = 0.7  # of the time until a deadline that a wait may be expected to take: some take longer


class Runner(Protocol):
    """A worker, as the others see it."""

    @property
    def reserved(self) -> int:
        """Rows that those who run may come to need."""

    def take_everyone(self) -> list[Sentence]:
        """Who runs there, or is to run again; the worker forgets them."""


class Floor:
    """`changed` guards everything here, and who runs at which worker."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.workers: Sequence[Runner] = ()
        self.changed = threading.Condition()
        self.line = WaitingLine()
        self.counters = Counters()
        self.pace = Pace()
        self.draining = self.closed = False
        self.cancellations = 0
        """Sentences that were cancelled so far; counted without the lock, so only a sign."""

    def check_open(self) -> None:
        """Under the lock.

        Raises:
            UnavailableError: the engine is closed, or draining.
        """
        if self.closed:
            raise UnavailableError("the translator is closed")
        if self.draining:
            raise UnavailableError("the translator is stopping; try another replica, or later")

    def check_room(self, sentences: int, deadline: float) -> None:
        """Under the lock.

        Raises:
            OverloadedError: so many do not fit into the line, or it will hardly move up before the
                deadline: what cannot be answered in time must not take the place of what can.
        """
        waiting = len(self.line)
        rows_at_once = len(self.workers) * self.settings.max_rows
        wait_s = self.pace.wait_s(self.line.rows, rows_at_once)
        if waiting + sentences > self.settings.max_waiting:
            problem = f"at most {self.settings.max_waiting} may"
        elif waiting and wait_s + self.pace.run_s > _SURE * (deadline - time.monotonic()):
            problem = f"for about {wait_s:.0f} s, so the answer would come too late"
        else:
            return
        self.counters.refused += sentences
        running = sum(worker.reserved for worker in self.workers)
        drained_s = wait_s + self.pace.wait_s(running, rows_at_once)
        raise OverloadedError(
            f"{waiting} sentences wait already, {problem}",
            retry_after_s=min(max(drained_s, 1.0), _LONGEST_RETRY_S),
        )

    def wait_for_room(self, sentences: int, deadline: float | None) -> None:
        """Under the lock, which is free meanwhile.

        Raises:
            DeadlineError: the deadline passed first.
        """
        most = self.settings.max_waiting - sentences
        timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        if not self.changed.wait_for(
            lambda: len(self.line) <= most or self.closed or self.draining, timeout
        ):
            raise expired()

    def note_cancelled(self, future: Future[list[Hypothesis]]) -> None:
        """On any thread: that somebody left is counted, who it was will be seen."""
        if future.cancelled():
            self.cancellations += 1

    def close(self) -> None:
        """Take no more, and fail whoever has no answer yet; safe to repeat."""
        with self.changed:
            self.closed = True
            left = [*itertools.chain(*(worker.take_everyone() for worker in self.workers))]
            left += self.line.clear()
            self.changed.notify_all()
        for sentence in left:
            sentence.resolve(UnavailableError("the translator was closed; send the text again"))

    def settle(self, outcomes: Sequence[tuple[Sentence, Outcome]]) -> None:
        """Count outcomes, then hand them out without the lock: callers' callbacks may submit."""
        wanted = [(sentence, outcome) for sentence, outcome in outcomes if sentence.claim()]
        failed = [outcome for _, outcome in wanted if isinstance(outcome, Exception)]
        expired = sum(isinstance(outcome, DeadlineError) for outcome in failed)
        with self.changed:
            for sentence, outcome in outcomes:
                if sentence.entered is not None and not isinstance(outcome, Exception):
                    self.pace.observe(time.monotonic() - sentence.entered)
            self.counters.cancelled += len(outcomes) - len(wanted)
            self.counters.done += len(wanted) - len(failed)
            self.counters.expired += expired
            self.counters.failed += len(failed) - expired
        for sentence, outcome in wanted:
            sentence.hand_over(outcome)
