"""`seq2serve` as a process of its own, on a free port."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx

from tests.app_client import REQUEST

COMMAND = (sys.executable, "-c", "from mt.cli import main; main()")
PATIENCE_S = 500.0  # a busy machine; no test waits as long on an idle one


def seq2serve(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, timeout=PATIENCE_S, check=False
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


class Server:
    """A running `seq2serve serve`; the block begins when it is ready and leaves nothing behind."""

    def __init__(self, *arguments: str, port: int = 0, env: dict[str, str] | None = None) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *arguments, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | (env or {}),
        )
        self.first_line = ""

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline().decode()
        if self.first_line.startswith("Serving "):
            return self
        try:
            self.process.wait(PATIENCE_S)  # it says last what it died of
        finally:
            log = self.log()
            self.__exit__(None, None, None)
        raise AssertionError(f"it never served: {self.first_line}{log}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()

    @property
    def url(self) -> str:
        found = re.search(r"http://[\w.:]+", self.first_line)
        assert found is not None
        return found.group()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE_S)

    def translate(self, timeout: float = PATIENCE_S, **changes: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/translate", json=REQUEST | changes, timeout=timeout)

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE_S)

    def wait_until_busy(self) -> None:
        _until(lambda: self._running_rows() > 0)

    def wait_until_idle(self) -> None:
        _until(lambda: self._running_rows() == 0)

    def wait_until_draining(self) -> None:
        _until(lambda: self.get("/readyz").status_code == 503)

    def log(self) -> str:
        """What it has written to standard error."""
        return Path(f"/proc/self/fd/{self._stderr.fileno()}").read_bytes().decode()

    def _running_rows(self) -> float:
        found = re.findall(r"mt_engine_running_rows{.*} (.*)", self.get("/metrics").text)
        return sum(map(float, found))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
