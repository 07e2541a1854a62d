"""In-flight batching: one thread owns the running batch; sentences join and leave at any step.

The way of the serving engines of large language models, for encoder-decoder beams. A request never
waits for the batch before it to end, and a finished, cancelled or late sentence frees its rows
within one step. Knows neither HTTP nor Ray.
"""

import contextlib
import itertools
import math
import threading
import time
import traceback
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

from mt import log
from mt.beam_search import Finished, Hypothesis, RunningBatch, SearchOptions
from mt.errors import DeadlineError, EngineError, MTError, OverloadedError, UnavailableError
from mt.phrases import Mask
from mt.stepper import Stepper
from serving.engine_stats import Counters, EngineStats
from serving.settings import EngineSettings
from serving.waiting_line import DrainRate, Outcome, Sentence, WaitingLine, expired

_LONGEST_RETRY_S = 60.0


class Engine:
    """A stepper, its thread and its queue. The stepper belongs to the engine from here on."""

    def __init__(
        self,
        stepper: Stepper,
        settings: EngineSettings,
        max_target_tokens: int,
        name: str = "",
        continuing: Mask | None = None,
    ) -> None:
        """`continuing`: see `RunningBatch`."""
        self.name = name
        self.settings = settings
        self._stepper = stepper
        self._max_target_tokens = max_target_tokens
        self._continuing = continuing
        self._batch = RunningBatch(stepper, max_target_tokens, continuing)
        self._changed = threading.Condition()  # guards everything below
        self._line = WaitingLine()
        self._running: dict[Hashable, Sentence] = {}
        self._suspects = WaitingLine()
        self._counters = Counters()
        self._rate = DrainRate()
        self._failures_in_a_row = 0
        self._someone_cancelled = False
        self._next_deadline = math.inf
        self._turn_began: float | None = None
        self._draining = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)
        self._thread.start()

    def submit(
        self,
        src_ids: Sequence[int],
        options: SearchOptions,
        deadline: float | None = None,
        block: bool = False,
    ) -> Future[list[Hypothesis]]:
        """Queue one sentence (ids with eos); the future gives its hypotheses, best first.

        `deadline` is a time of `time.monotonic`. `block` waits for room in the queue instead of
        refusing. The future may be cancelled at any time and its rows are free one step later; it
        fails with DeadlineError, EngineError or UnavailableError. Any thread may call.

        Raises:
            InputError: the source is empty, or the forced prefix does not fit.
            OverloadedError: the queue is full.
            UnavailableError: the engine is draining or closed.
            DeadlineError: the deadline passed while waiting for room.
        """
        return self.submit_many([src_ids], options, deadline, block)[0]

    def submit_many(
        self,
        sources: Sequence[Sequence[int]],
        options: SearchOptions,
        deadline: float | None = None,
        block: bool = False,
    ) -> list[Future[list[Hypothesis]]]:
        """Queue several sentences, all or none; otherwise as `submit`.

        Raises:
            InputError: a source is empty, or the forced prefix does not fit.
            OverloadedError: the queue has no room for all of them.
            UnavailableError: the engine is draining or closed.
            DeadlineError: the deadline passed while waiting for room.
        """
        latest = math.inf if deadline is None else deadline
        sentences = [Sentence(list(src_ids), options, latest) for src_ids in sources]
        for sentence in sentences:
            self._batch.check(sentence.job)
        with self._changed:
            if block:
                self._wait_for_room(len(sentences), deadline)
            self._check_open()
            self._check_room(len(sentences))
            self._line.join(sentences)
            self._next_deadline = min(self._next_deadline, latest)
            self._changed.notify_all()
        for sentence in sentences:
            sentence.future.add_done_callback(self._note_cancelled)
        return [sentence.future for sentence in sentences]

    def stats(self) -> EngineStats:
        """A consistent picture of this moment."""
        with self._changed:
            counters = self._counters
            return EngineStats(
                name=self.name,
                ready=self._is_healthy() and not self._draining,
                healthy=self._is_healthy(),
                running=len(self._running),
                rows=self._batch.rows,
                waiting=len(self._line) + len(self._suspects),
                done=counters.done,
                cancelled=counters.cancelled,
                expired=counters.expired,
                failed=counters.failed,
                refused=counters.refused,
                steps=counters.steps,
                mean_rows=counters.mean_rows,
                age_s=self._age_s(),
            )

    def healthy(self) -> bool:
        """Whether the thread lives, no step hangs and the model does not fail again and again."""
        with self._changed:
            return self._is_healthy()

    def drain(self, timeout_s: float) -> bool:
        """Refuse new sentences and wait for those inside; True when all have their answer."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_idle, timeout_s)

    def close(self) -> None:
        """Stop now: what has not finished fails with UnavailableError. Safe to repeat."""
        with self._changed:
            self._closed = True
            left = self._take_everyone()
            self._changed.notify_all()
        for sentence in left:
            sentence.resolve(UnavailableError("the translator was closed; send the text again"))
        if threading.current_thread() is not self._thread:
            self._thread.join(self.settings.close_timeout_s)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Under the lock

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the translator is closed")
        if self._draining:
            raise UnavailableError("the translator is stopping; try another replica, or later")

    def _check_room(self, sentences: int) -> None:
        if len(self._line) + sentences <= self.settings.max_waiting:
            return
        self._counters.refused += sentences
        ahead = len(self._line) + len(self._suspects) + len(self._running)
        raise OverloadedError(
            f"{len(self._line)} sentences wait already, at most {self.settings.max_waiting} may",
            retry_after_s=min(max(self._rate.seconds_for(ahead), 1.0), _LONGEST_RETRY_S),
        )

    def _wait_for_room(self, sentences: int, deadline: float | None) -> None:
        most = self.settings.max_waiting - sentences
        timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        if not self._changed.wait_for(
            lambda: len(self._line) <= most or self._closed or self._draining, timeout
        ):
            raise expired()

    def _has_work(self) -> bool:
        return bool(self._line or self._running or self._suspects)

    def _is_idle(self) -> bool:
        return not self._has_work() and self._turn_began is None

    def _age_s(self) -> float:
        return 0.0 if self._turn_began is None else time.monotonic() - self._turn_began

    def _is_healthy(self) -> bool:
        return (
            self._thread.is_alive()
            and not self._closed
            and self._failures_in_a_row < self.settings.failure_limit
            and self._age_s() < self.settings.heartbeat_limit_s
        )

    def _take_everyone(self) -> list[Sentence]:
        everyone = [*self._running.values(), *self._suspects.clear(), *self._line.clear()]
        self._running.clear()
        return everyone

    # On any thread: setting a flag needs no lock

    def _note_cancelled(self, future: Future[list[Hypothesis]]) -> None:
        if future.cancelled():
            self._someone_cancelled = True

    # On the engine's thread

    def _run(self) -> None:
        """Turn after turn until closed. A bug here must not leave anybody waiting for ever."""
        try:
            while self._wait_for_work():
                self._turn()
        except BaseException as error:
            log.event("engine_died", engine=self.name, error=_describe(error))
            self.close()
        finally:
            with self._changed:
                self._turn_began = None
                self._changed.notify_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._turn_began = None
            self._changed.notify_all()  # perhaps nothing is left to drain
            self._changed.wait_for(lambda: self._has_work() or self._closed)
            self._turn_began = time.monotonic()
            return not self._closed

    def _turn(self) -> None:
        """Some leave, some enter, all running ones take one step, the finished get answers."""
        began = time.monotonic()
        try:
            self._dismiss_left()
            self._admit()
            rows, finished = self._batch.rows, self._batch.step()
        except Exception as error:
            self._recover(error)
        else:
            self._deliver(finished, rows, time.monotonic() - began)

    def _dismiss_left(self) -> None:
        """Cancelled and late sentences go, wherever they are; nobody looks while there are none."""
        now = time.monotonic()
        if not self._someone_cancelled and now < self._next_deadline:
            return
        with self._changed:
            self._someone_cancelled = False
            left = [s for s in self._running.values() if s.left(now)]
            stopped = [self._running.pop(s.key).key for s in left]
            for line in (self._suspects, self._line):
                left += line.remove(lambda s: s.left(now))
            inside = itertools.chain(self._running.values(), self._suspects, self._line)
            self._next_deadline = min((s.deadline for s in inside), default=math.inf)
        try:
            self._batch.cancel(stopped)
        finally:
            self._settle([(sentence, expired()) for sentence in left])

    def _admit(self) -> None:
        with self._changed:
            newcomers = self._next_suspect() if self._suspects else self._next_in_line()
            self._running.update((sentence.key, sentence) for sentence in newcomers)
            self._changed.notify_all()  # there is room in the line
        if newcomers:
            self._batch.admit([sentence.job for sentence in newcomers])

    def _next_in_line(self) -> list[Sentence]:
        reserved = sum(sentence.rows for sentence in self._running.values())
        free = self.settings.max_rows - reserved
        tokens = self.settings.max_source_tokens_per_step
        overdue_before = time.monotonic() - self.settings.max_overtaken_s
        return self._line.take(free, tokens, not self._running, overdue_before)

    def _next_suspect(self) -> list[Sentence]:
        """After a failure its sentences run one by one, so that only the guilty one fails."""
        return [] if self._running else self._suspects.take(0, 0, alone=True)

    def _deliver(self, finished: Iterable[Finished], rows: int, seconds: float) -> None:
        outcomes: list[tuple[Sentence, Outcome]] = []
        with self._changed:
            for item in finished:
                if (sentence := self._running.pop(item.key, None)) is not None:
                    outcomes.append((sentence, list(item.hypotheses)))
            self._counters.steps += 1 if rows else 0
            self._counters.rows_stepped += rows
            self._rate.observe(seconds, len(outcomes))
            if outcomes:
                self._failures_in_a_row = 0
        self._settle(outcomes)

    def _recover(self, error: Exception) -> None:
        """Start a clean batch. Its sentences are tried again alone; one that was alone fails."""
        with self._changed:
            victims = list(self._running.values())
            self._running.clear()
            self._failures_in_a_row += 1
            if len(victims) > 1:
                self._suspects.join(victims)
        log.event(
            "engine_failure", engine=self.name, sentences=len(victims), error=_describe(error)
        )
        self._abandon_batch(victims)
        if len(victims) == 1:
            self._settle([(victims[0], _as_ours(error))])

    def _abandon_batch(self, victims: Iterable[Sentence]) -> None:
        """Let the stepper forget everyone, as far as it still can."""
        with contextlib.suppress(Exception):
            self._batch.cancel([sentence.key for sentence in victims])
        with self._changed:
            self._batch = RunningBatch(self._stepper, self._max_target_tokens, self._continuing)

    def _settle(self, outcomes: Sequence[tuple[Sentence, Outcome]]) -> None:
        """Hand out outcomes without the lock: callers' callbacks run here, and may submit."""
        wanted = [outcome for sentence, outcome in outcomes if sentence.resolve(outcome)]
        failed = [outcome for outcome in wanted if isinstance(outcome, Exception)]
        expired = sum(isinstance(outcome, DeadlineError) for outcome in failed)
        with self._changed:
            self._counters.cancelled += len(outcomes) - len(wanted)
            self._counters.done += len(wanted) - len(failed)
            self._counters.expired += expired
            self._counters.failed += len(failed) - expired


def _describe(error: BaseException) -> str:
    """Type and place of an error. Its message might repeat what was to be translated."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + "".join(f" at {Path(p.filename).name}:{p.lineno}" for p in place)


def _as_ours(error: Exception) -> MTError:
    if isinstance(error, MTError):
        return error
    ours = EngineError("the model failed on this text; try again, or report it with the log")
    ours.__cause__ = error
    return ours
