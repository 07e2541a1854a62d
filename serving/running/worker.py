"""One core's part of an engine: a thread that owns the batch that runs there."""

import contextlib
import itertools
import math
import threading
import time
from collections.abc import Hashable, Iterable
from functools import reduce

from mt import log
from serving.running.cores import Batch, Core, Progress
from serving.running.failures import CoreDiedError, as_ours, describe
from serving.running.floor import Floor
from serving.running.waiting_line import Load, Outcome, Room, Sentence, WaitingLine, expired


class Worker:
    """Takes sentences off the floor's line, as many as are its share, turn after turn.

    What is public is guarded by the floor's lock.
    """

    def __init__(self, floor: Floor, core: Core, name: str) -> None:
        """The core is the worker's now; see `start`."""
        self.running: dict[Hashable, Sentence] = {}
        self.suspects = WaitingLine()
        self.next_deadline = math.inf
        self.name = name
        self._floor, self._core = floor, core
        self._batch: Batch = core.begin()
        self._failures_in_a_row = 0
        self._cancellations_seen = 0
        self._turn_began: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until it has noticed that the floor is closed; on its own thread it knows."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        self._core.close()

    @property
    def process(self) -> int | None:
        """The process of its core, where that has one of its own."""
        return self._core.process

    @property
    def rows(self) -> int:
        """Live hypotheses of those who run."""
        return self._batch.rows

    @property
    def reserved(self) -> int:
        """Rows that those who run may come to need."""
        return sum(sentence.rows for sentence in self.running.values())

    @property
    def cache_bytes(self) -> int:
        """What those who run may come to take, beside the weights."""
        return reduce(Load.beside, self.running.values(), Load()).bytes(self._core.facts.footprint)

    @property
    def age_s(self) -> float:
        """Seconds that the turn under way has taken; 0 where there is none."""
        return 0.0 if self._turn_began is None else time.monotonic() - self._turn_began

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do."""
        return not self._has_work() and self._turn_began is None

    @property
    def is_healthy(self) -> bool:
        """Whether the thread lives, no step hangs and the model does not fail again and again."""
        return (
            self._thread.is_alive()
            and self._failures_in_a_row < self._floor.settings.failure_limit
            and self.age_s < self._floor.settings.heartbeat_limit_s
        )

    def take_everyone(self) -> list[Sentence]:
        """Who runs, or is to run again; it forgets them."""
        everyone = [*self.running.values(), *self.suspects.clear()]
        self.running.clear()
        return everyone

    # Under the lock

    def _has_work(self) -> bool:
        return bool(self.running or self.suspects or self._floor.line)

    def _next_in_line(self) -> list[Sentence]:
        settings = self._floor.settings
        overdue_before = time.monotonic() - settings.max_overtaken_s
        room = Room(
            rows=min(settings.max_rows, self._share()) - self.reserved,
            tokens=settings.max_source_tokens_per_step,
            bytes=settings.max_cache_bytes,
            footprint=self._core.facts.footprint,
        )
        return self._floor.line.take(room, self.running.values(), overdue_before)

    def _share(self) -> int:
        """Rows, so that others have work too; with one sentence more nobody waits for rounding."""
        line, workers = self._floor.line, self._floor.workers
        if len(workers) == 1 or not line:
            return self._floor.settings.max_rows
        rows = line.rows + sum(worker.reserved for worker in workers)
        return -(-rows // len(workers)) + next(iter(line)).rows - 1

    def _next_suspect(self) -> list[Sentence]:
        """After a failure its sentences run one by one, so that only the guilty one fails."""
        return [] if self.running else self.suspects.take(Room(rows=0))

    # On its own thread

    def _run(self) -> None:
        """Turn after turn until closed. A bug here must not leave anybody waiting for ever."""
        try:
            while self._wait_for_work():
                self._turn()
        except BaseException as error:
            log.event("engine_died", engine=self.name, error=describe(error))
            self._floor.close()
        finally:
            with self._floor.changed:
                self._turn_began = None
                self._floor.changed.notify_all()

    def _wait_for_work(self) -> bool:
        floor = self._floor
        with floor.changed:
            self._turn_began = None
            floor.changed.notify_all()  # perhaps nothing is left to drain
            floor.changed.wait_for(lambda: self._has_work() or floor.closed)
            self._turn_began = time.monotonic()
            return not floor.closed

    def _turn(self) -> None:
        """Some leave, some enter, all running ones take one step, the finished get answers."""
        try:
            self._dismiss_left()
            self._admit()
            progress = self._batch.step()
        except Exception as error:
            self._recover(error)
        else:
            self._deliver(progress)

    def _dismiss_left(self) -> None:
        """Cancelled and late sentences go, wherever they are; nobody looks while there are none."""
        now, floor = time.monotonic(), self._floor
        cancellations = floor.cancellations
        if cancellations == self._cancellations_seen and now < self.next_deadline:
            return
        with floor.changed:
            self._cancellations_seen = cancellations
            left = [s for s in self.running.values() if s.left(now)]
            stopped = [self.running.pop(s.key).key for s in left]
            for line in (self.suspects, floor.line):
                left += line.remove(lambda s: s.left(now))
            inside = itertools.chain(self.running.values(), self.suspects, floor.line)
            self.next_deadline = min((s.deadline for s in inside), default=math.inf)
        try:
            self._batch.cancel(stopped)
        finally:
            floor.settle([(sentence, expired()) for sentence in left])

    def _admit(self) -> None:
        with self._floor.changed:
            newcomers = self._next_suspect() if self.suspects else self._next_in_line()
            self.running.update((sentence.key, sentence) for sentence in newcomers)
            now = time.monotonic()
            for sentence in newcomers:
                sentence.entered = sentence.entered or now
            self._floor.changed.notify_all()  # there is room in the line
        if newcomers:
            self._batch.admit([sentence.job for sentence in newcomers])

    def _deliver(self, progress: Progress) -> None:
        outcomes: list[tuple[Sentence, Outcome]] = []
        with self._floor.changed:
            for item in progress.finished:
                if (sentence := self.running.pop(item.key, None)) is not None:
                    outcomes.append((sentence, list(item.hypotheses)))
            self._floor.counters.steps += progress.steps
            self._floor.counters.rows_stepped += progress.rows
            if outcomes:
                self._failures_in_a_row = 0
        self._floor.settle(outcomes)

    def _recover(self, error: Exception) -> None:
        """Start a clean batch. Its sentences are tried again alone; one that was alone fails.

        Not at once where a process died: it may have been killed for what others did.
        """
        with self._floor.changed:
            if self._floor.closed:  # everyone has been told
                return
            self._turn_began = time.monotonic()  # a process that is begun anew takes its time
            victims = list(self.running.values())
            self.running.clear()
            self._failures_in_a_row += 1
            doubtful = isinstance(error, CoreDiedError) and not any(s.is_suspect for s in victims)
            guilty = victims if len(victims) == 1 and not doubtful else []
            if not guilty:
                for sentence in victims:
                    sentence.is_suspect = True
                self.suspects.join(victims)
        log.event("engine_failure", engine=self.name, sentences=len(victims), error=describe(error))
        self._abandon_batch(victims)
        self._floor.settle([(sentence, as_ours(error)) for sentence in guilty])

    def _abandon_batch(self, victims: Iterable[Sentence]) -> None:
        """Let the stepper forget everyone, as far as it still can."""
        with contextlib.suppress(Exception):
            self._batch.cancel([sentence.key for sentence in victims])
        batch = self._core.begin()
        with self._floor.changed:
            self._batch = batch
