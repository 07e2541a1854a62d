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
from serving.running.waiting_line import DrainRate, Outcome, Sentence, WaitingLine, expired
from serving.settings import EngineSettings

_LONGEST_RETRY_S = 60.0


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
        self.rate = DrainRate()
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

    def check_room(self, sentences: int, running: int) -> None:
        """Under the lock; `running` sentences are ahead of the line.

        Raises:
            OverloadedError: so many do not fit into the line.
        """
        if len(self.line) + sentences <= self.settings.max_waiting:
            return
        self.counters.refused += sentences
        seconds = self.rate.seconds_for(len(self.line) + running)
        raise OverloadedError(
            f"{len(self.line)} sentences wait already, at most {self.settings.max_waiting} may",
            retry_after_s=min(max(seconds, 1.0), _LONGEST_RETRY_S),
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
        """Hand out outcomes without the lock: callers' callbacks run here, and may submit."""
        wanted = [outcome for sentence, outcome in outcomes if sentence.resolve(outcome)]
        failed = [outcome for outcome in wanted if isinstance(outcome, Exception)]
        expired = sum(isinstance(outcome, DeadlineError) for outcome in failed)
        with self.changed:
            self.counters.cancelled += len(outcomes) - len(wanted)
            self.counters.done += len(wanted) - len(failed)
            self.counters.expired += expired
            self.counters.failed += len(failed) - expired
