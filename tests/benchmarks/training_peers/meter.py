"""Counts tokens and CPU seconds of a training loop that somebody else runs.

The benchmark writes one line a round, {"updates": 2, "seconds": 5}, and gets one line back. Between
two rounds the loop stands still at the start of an update, so a round is whole updates with the
loading of their batches.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO


class Meter:
    """Told at the start of every update how many target tokens it will train."""

    def __init__(
        self,
        packages: Sequence[str] = (),
        commands: TextIO | None = None,
        replies: TextIO | None = None,
        clock: Callable[[], float] = time.process_time,
        leave: Callable[[], object] = lambda: os._exit(0),
    ) -> None:
        self._packages = packages
        self._commands = commands or sys.stdin
        self._replies = replies or _own_standard_output()
        self._clock, self._leave = clock, leave
        self._asked: dict[str, float] | None = None
        self._updates = self._tokens = 0
        self._began = 0.0

    def before(self, owner: Any, method: str, tokens_of: Callable[..., int]) -> None:
        """Count each call of a toolkit's step; `tokens_of` gets the arguments of that call."""
        step = getattr(owner, method)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.begin_update(int(tokens_of(*args, **kwargs)))
            return step(*args, **kwargs)

        setattr(owner, method, counted)

    def begin_update(self, tokens: int) -> None:
        """The update that begins now has so many target tokens without padding, eos counted."""
        if self._asked is None:
            self._wait()
        elif self._is_over(self._asked):
            self._report()
            self._wait()
        self._updates += 1
        self._tokens += tokens

    def _is_over(self, asked: dict[str, float]) -> bool:
        return self._updates >= asked["updates"] and self._seconds() >= asked["seconds"]

    def _seconds(self) -> float:
        return self._clock() - self._began

    def _report(self) -> None:
        figures = {
            "tokens": self._tokens,
            "updates": self._updates,
            "cpu_seconds": self._seconds(),
            "peak_rss_mb": peak_rss_mb(),
            "versions": {name: version(name) for name in self._packages},
        }
        self._replies.write(json.dumps(figures) + "\n")
        self._replies.flush()

    def _wait(self) -> None:
        line = self._commands.readline()
        if not line:
            self._leave()
        self._asked = json.loads(line)
        self._updates = self._tokens = 0
        self._began = self._clock()


def peak_rss_mb() -> float:
    """The most memory this process ever had resident, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the parent's memory too, if that was more
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _own_standard_output() -> TextIO:
    """Standard output for replies alone: what a toolkit prints goes to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies
