"""A Redis of Debian's on a free port, for the tests that count in one."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMAND = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(COMMAND is None, reason="redis-server is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[str]:
    """Its address, as long as the block lasts; it keeps nothing."""
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    assert COMMAND is not None
    process = subprocess.Popen([COMMAND, *options], stdout=subprocess.DEVNULL)
    try:
        _until_it_listens(port)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
