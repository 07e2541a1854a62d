"""Two replicas on a Ray Serve of their own: their processes, which may be killed, and updates."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.test_ray_serve import folder_for_sockets, free_port
from tests.echo_bundle import write_echo_bundle

REPLICA, CONTROLLER, PROXY = "ray::ServeReplica", "ray::ServeController", "ray::ProxyActor"
BOARD = "ray::Board"
"""Titles of processes; the last one holds the metrics of all replicas."""
PATIENCE_S = 300.0
GOOD, NEW, BAD = "good", "new", "bad"
"""Bundles: the one served at first, the one of an update, and one whose graph is damaged."""


class RayServed:
    """A running host; its bundles lie in `folder`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, port: int) -> None:
        self.process, self.folder, self.port = process, folder, port
        self.url = f"http://127.0.0.1:{port}"

    def deploy(self, name: str) -> Mapping[str, str]:
        """Serve another bundle from now on; returns when that is so, or has failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.folder / name}.yaml\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('{"failure"'):  # the others are the replicas' log
                found: Mapping[str, str] = json.loads(line)
                return found
        raise AssertionError("the host ended")

    def pids(self, title: str) -> list[int]:
        """Processes of this Ray that are called so."""
        children = _children()
        found, waiting = [], [self.process.pid]
        while waiting:
            mine = children.get(waiting.pop(), [])
            found += [pid for pid, command in mine if command.startswith(title)]
            waiting += [pid for pid, _ in mine]
        return sorted(found)

    def environment(self, pid: int) -> Mapping[str, str]:
        """What one of them was started with."""
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def kill(self, title: str) -> int:
        """SIGKILL one of them."""
        pid = self.pids(title)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for(self, title: str, number: int, besides: int = 0) -> float:
        """Seconds until so many of them run, that one not counted, and the server is ready."""
        began = time.perf_counter()
        while len(set(self.pids(title)) - {besides}) < number or not self._is_ready():
            assert time.perf_counter() - began < PATIENCE_S
            time.sleep(0.05)
        return time.perf_counter() - began

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def ray_served(busy: int = 100, **settings: Any) -> Iterator[RayServed]:
    """A host that serves the good bundle in two replicas."""
    folder, port = folder_for_sockets(), free_port()
    for name in (GOOD, NEW, BAD):
        write_echo_bundle(folder / name, name=name, busy=busy)
        _write_settings(folder, name, {"port": port} | settings)
    graph = folder / BAD / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"?")
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.faults.ray_host", f"{folder / GOOD}.yaml", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"TMPDIR": str(folder), "HOME": str(folder)},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            if not first.startswith("Serving "):
                errors.seek(0)
                raise AssertionError(f"it never served: {first}{errors.read().decode()[-2000:]}")
            yield RayServed(process, folder, port)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            process.stdin.close()
            process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def _write_settings(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    values = {"bundles": [{"path": str(folder / name)}], "cache_mib": 0, "replicas": 2}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(values | dict(settings)))


def _children() -> dict[int, list[tuple[int, str]]]:
    """Every process of this machine and its command, by its parent."""
    found: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        found.setdefault(parent, []).append((int(folder.name), command))
    return found
