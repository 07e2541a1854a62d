"""In-flight batching: sentences join and leave the running batch of a model at any step.

The way of the serving engines of large language models, for encoder-decoder beams. A request never
waits for the batch before it to end, and a finished, cancelled or late sentence frees its rows
within one step. Several workers, each a core with a batch of its own, take from one line. Knows
neither HTTP nor Ray.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType

from mt.beam_search import Hypothesis, SearchOptions
from serving.running.cores import Core
from serving.running.engine_stats import EngineStats
from serving.running.floor import Floor
from serving.running.waiting_line import Sentence
from serving.running.worker import Worker
from serving.settings import EngineSettings


class Engine:
    """One model's cores, their workers and their line. The cores are the engine's now."""

    def __init__(self, cores: Sequence[Core], settings: EngineSettings, name: str = "") -> None:
        """One worker for each core, all of them on the same model."""
        self.name = name
        self.settings = settings
        self._floor = Floor(settings)
        self._facts = cores[0].facts
        self._workers = [Worker(self._floor, core, name) for core in cores]
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

    @property
    def processes(self) -> list[int]:
        """Those that its cores have for themselves."""
        found = (worker.process for worker in self._workers)
        return [process for process in found if process is not None]

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
        sentence = Sentence(list(src_ids), options, deadline, engine=self.name)
        sentence.longest = sentence.job.limit(self._facts.max_target_tokens)
        sentence.job.check(self._facts.vocab_size, self._facts.max_target_tokens)
        return sentence

    # Under the lock

    def _running(self) -> int:
        """Sentences beyond the line, those that are to run again included."""
        return sum(len(worker.running) + len(worker.suspects) for worker in self._workers)

    def _is_healthy(self) -> bool:
        return not self._floor.closed and all(worker.is_healthy for worker in self._workers)
