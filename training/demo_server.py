"""The demo's own `seq2serve serve --ray`: started, asked, stopped, its log in a file."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mt.errors import EngineError, UnavailableError
from training.console import Progress

START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
USUAL_START_S = 20.0  # on two cores; only the bar's estimate rests on it


class DemoServer:
    """Use it as a context; it answers inside, and nothing of it is left outside."""

    def __init__(self, bundles: Sequence[Path], folder: Path, port: int = 0) -> None:
        self._port = port or _free_port()
        self._bundles, self._log = bundles, folder / "serve.log"
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "DemoServer":
        command = [sys.executable, "-m", "mt", "serve", "--ray", "--port", str(self._port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *map(str, self._bundles)], stdout=log, stderr=log
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop()

    def post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON is anything
        """The JSON answer to a JSON question.

        Raises:
            EngineError: the server answered with an error, or not at all.
        """
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # nosec B310 # our own server
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise EngineError(f"{self.address}{path}: {error}; see {self._log}") from None

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        started = time.monotonic()
        with Progress("starting Ray Serve") as bar:
            while not self._is_ready():
                waited = time.monotonic() - started
                if process.poll() is not None:
                    raise UnavailableError(f"the server ended at its start; see {self._log}")
                if waited > START_LIMIT_S:
                    raise UnavailableError(f"no answer in {START_LIMIT_S:.0f} s; see {self._log}")
                bar.update(min(waited / USUAL_START_S, 0.99))
                time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5):  # nosec B310 # our own server
                return True
        except OSError:
            return False

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
