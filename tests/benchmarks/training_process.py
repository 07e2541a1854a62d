"""A contestant in a process of its own, asked for one round after the other."""

import json
import os
import select
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.training_peers.job import Job

TIMEOUT_S = 600.0  # of one round; the first one includes all loading
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
QUIET = {"TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}


class ContestantError(Exception):
    """A contestant died or hangs; one line says why."""


@dataclass
class Contestant:
    """A process that gets its job as the last argument; `rounds` are its replies after warm-up."""

    name: str
    command: Sequence[str]
    job: Job
    log: Path
    warmup_updates: int
    rounds: list[dict[str, Any]] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _work: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Start it, wait until it is ready, and let it warm up.

        Raises:
            ContestantError: it does not get so far.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._work = tempfile.TemporaryDirectory(prefix="bench-training-")
        job = replace(self.job, work=self._work.name)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                (*self.command, job.to_json()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,  # or select would not see what a buffer holds already
                env={**os.environ, **ONE_THREAD, **QUIET},
            )
        self._ask(self.warmup_updates, 0.0)

    def run_round(self, updates: int, seconds: float) -> None:
        """At least so many updates, and at least so many CPU seconds of them.

        Raises:
            ContestantError: it died or hangs.
        """
        self.rounds.append(self._ask(updates, seconds))

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._work is not None:
            self._work.cleanup()

    def figures(self) -> dict[str, Any]:
        """Medians of the rounds, and the last round's memory and versions."""
        tokens = sum(each["tokens"] for each in self.rounds)
        updates = sum(each["updates"] for each in self.rounds)
        speeds = [round(each["tokens"] / each["cpu_seconds"], 1) for each in self.rounds]
        return {
            "tokens_per_cpu_second": round(statistics.median(speeds), 1),
            "of_rounds": speeds,
            "updates": updates,
            "tokens_per_update": round(tokens / updates),
            "peak_rss_mb": self.rounds[-1]["peak_rss_mb"],
            "versions": self.rounds[-1]["versions"],
        }

    def _ask(self, updates: int, seconds: float) -> dict[str, Any]:
        assert self._process is not None
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"updates": updates, "seconds": seconds}).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise ContestantError(self._last_words()) from None
        while True:
            if not select.select([stdout], [], [], TIMEOUT_S)[0]:
                raise ContestantError(f"no answer for {TIMEOUT_S:.0f} s; see {self.log}")
            line = stdout.readline()
            if not line:
                raise ContestantError(self._last_words())
            if line.startswith(b"{"):  # the rest is what a toolkit prints while it is imported
                reply: dict[str, Any] = json.loads(line)
                return reply

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"{lines[-1].strip() if lines else 'it ended'} (see {self.log})"
