"""In-flight batching: sentences join and leave the running batch of a model at any step.

The way of the serving engines of large language models, for encoder-decoder beams. A request never
waits for the batch before it to end, and a finished, cancelled or late sentence frees its rows
within one step. Several workers, each a core with a batch of its own, take from one line. Knows
neither HTTP nor Ray.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType

from mt.beam_search import Hypothesis, RunningBatch, SearchOptions
from mt.bundle import Bundle
from mt.phrases import Mask
from mt.stepper import Stepper, runtime
from serving.running.engine_stats import EngineStats
from serving.running.floor import Floor
from serving.running.waiting_line import Sentence
from serving.running.worker import Worker
from serving.settings import EngineSettings


def open_steppers(bundle: Bundle, settings: EngineSettings) -> list[Stepper]:
    """One for each worker, all on the same weights.

    Raises:
        BundleError: no such precision, no shortlist, or a graph is damaged.
        ConfigError: the runtime is not installed.
    """
    first = runtime("onnx")(
        bundle, settings.precision, settings.threads, settings.device, settings.shortlist
    )
    return [first, *(first.twin() for _ in range(1, settings.workers))]


class Engine:
    """One model's steppers, their workers and their line. The steppers are the engine's now."""

    def __init__(
        self,
        steppers: Sequence[Stepper],
        settings: EngineSettings,
        max_target_tokens: int,
        name: str = "",
        continuing: Mask | None = None,
    ) -> None:
        """One worker for each stepper, all of them alike; `continuing`: see `RunningBatch`."""
        self.name = name
        self.settings = settings
        self._max_target_tokens = max_target_tokens
        self._floor = Floor(settings)
        batches = [
            partial(RunningBatch, stepper, max_target_tokens, continuing) for stepper in steppers
        ]
        self._workers = [
            Worker(self._floor, batch, stepper.footprint, name)
            for batch, stepper in zip(batches, steppers, strict=True)
        ]
        self._door = batches[0]()  # never runs; it knows what a batch would refuse
        self._floor.workers = self._workers
        for worker in self._workers:
            worker.start()

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
        sentences = [self._sentence(src_ids, options, latest) for src_ids in sources]
        with self._floor.changed:
            if block:
                self._floor.wait_for_room(len(sentences), deadline)
            self._floor.check_open()
            self._floor.check_room(len(sentences), latest)
            self._floor.line.join(sentences)
            for worker in self._workers:
                worker.next_deadline = min(worker.next_deadline, latest)
            self._floor.changed.notify_all()
        for sentence in sentences:
            sentence.future.add_done_callback(self._floor.note_cancelled)
        return [sentence.future for sentence in sentences]

    def stats(self) -> EngineStats:
        """A consistent picture of this moment."""
        with self._floor.changed:
            counters = self._floor.counters
            suspects = sum(len(worker.suspects) for worker in self._workers)
            return EngineStats(
                name=self.name,
                ready=self._is_healthy() and not self._floor.draining,
                healthy=self._is_healthy(),
                running=self._running() - suspects,
                rows=sum(worker.rows for worker in self._workers),
                waiting=len(self._floor.line) + suspects,
                done=counters.done,
                cancelled=counters.cancelled,
                expired=counters.expired,
                failed=counters.failed,
                refused=counters.refused,
                steps=counters.steps,
                mean_rows=counters.mean_rows,
                age_s=max(worker.age_s for worker in self._workers),
                cache_bytes=sum(worker.cache_bytes for worker in self._workers),
            )

    def healthy(self) -> bool:
        """Whether every worker lives, no step hangs and no model fails again and again."""
        with self._floor.changed:
            return self._is_healthy()

    def drain(self, timeout_s: float) -> bool:
        """Refuse new sentences and wait for those inside; True when all have their answer."""
        with self._floor.changed:
            self._floor.draining = True
            self._floor.changed.notify_all()
            return self._floor.changed.wait_for(
                lambda: all(worker.is_idle for worker in self._workers), timeout_s
            )

    def close(self) -> None:
        """Stop now: what has not finished fails with UnavailableError. Safe to repeat."""
        self._floor.close()
        for worker in self._workers:
            worker.join(self.settings.close_timeout_s)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sentence(
        self, src_ids: Sequence[int], options: SearchOptions, deadline: float
    ) -> Sentence:
        longest = options.length_limit(len(src_ids), self._max_target_tokens)
        sentence = Sentence(list(src_ids), options, deadline, longest, engine=self.name)
        self._door.check(sentence.job)
        return sentence

    # Under the lock

    def _running(self) -> int:
        """Sentences beyond the line, those that are to run again included."""
        return sum(len(worker.running) + len(worker.suspects) for worker in self._workers)

    def _is_healthy(self) -> bool:
        return not self._floor.closed and all(worker.is_healthy for worker in self._workers)
