"""Processes that do jobs, several at once, until they are done or time is up."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
Message = dict[str, Any]
LOG = "workers.log"


class Worker:
    """One process; what it says goes to `log`, its results into `inbox` with itself."""

    def __init__(self, folder: Path, log: Path, inbox: "Queue[tuple[Worker, Message]]") -> None:
        self.job: str | None = None
        command = [sys.executable, "-m", "tests.benchmarks.gpu_jobs", str(folder)]
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **ONE_THREAD},
                text=True,
                encoding="utf-8",
            )
        self._listener = Thread(target=self._listen, args=(inbox,), daemon=True)
        self._listener.start()

    def give(self, job: Message) -> None:
        """Let it do this job."""
        self.job = job["name"]
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # then its end is in the inbox
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]

    def _listen(self, inbox: "Queue[tuple[Worker, Message]]") -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            inbox.put((self, json.loads(line)))
        inbox.put((self, {"ended": True}))


class Workers:
    """As many processes as a set of jobs asks for, kept for the next set."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._log = folder, folder / LOG
        self._inbox: Queue[tuple[Worker, Message]] = Queue()
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []

    def run(
        self,
        jobs: Sequence[Message],
        parallel: int,
        deadline: float,
        receive: Callable[[Message], None],
    ) -> list[str]:
        """Do jobs, so many at once; the names of those that were cut off or never begun.

        deadline: `time.monotonic` at which running jobs are killed.
        """
        waiting = deque(jobs)
        while waiting or self._busy:
            while waiting and len(self._busy) < parallel:
                worker = self._idle.pop() if self._idle else self._start()
                self._busy.append(worker)
                worker.give(waiting.popleft())
            try:
                worker, message = self._next_message(deadline)
            except Empty:
                cut = [self._kill(worker) for worker in list(self._busy)]
                return cut + [job["name"] for job in waiting]
            if worker in self._busy:
                self._take(worker, message, receive)
        return []

    def stop(self) -> None:
        """End all processes."""
        for worker in self._idle + self._busy:
            worker.stop()

    def _next_message(self, deadline: float) -> tuple[Worker, Message]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Empty
        return self._inbox.get(timeout=left)

    def _start(self) -> Worker:
        return Worker(self._folder, self._log, self._inbox)

    def _kill(self, worker: Worker) -> str:
        self._busy.remove(worker)
        worker.stop()
        return worker.job or ""

    def _take(self, worker: Worker, message: Message, receive: Callable[[Message], None]) -> None:
        if "done" in message:
            self._busy.remove(worker)
            self._idle.append(worker)
        elif "ended" in message:
            name = self._kill(worker)
            receive({"name": name, "failed": "its process died; see the log"})
        else:
            receive(message)
