"""The servers under test, and what they take of the machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml

from tests.echo_bundle import write_echo_bundle
from tests.server_process import Server

BUSY = 400  # rows of the matrices that a step multiplies: a few milliseconds
FILES = 4  # more may be open than before, of our own last question
CLOSING_S = 60.0


@dataclass(frozen=True)
class Resources:
    """What a process and those that it has begun hold."""

    memory_mib: float
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> "Resources":
        """At this moment."""
        first = psutil.Process(pid)
        everyone = [first, *first.children(recursive=True)]
        memory = sum(one.memory_info().rss for one in everyone) / 2**20
        return cls(
            round(memory, 2),
            sum(one.num_threads() for one in everyone),
            sum(one.num_fds() for one in everyone),
        )

    @classmethod
    def after(cls, pid: int, before: "Resources") -> "Resources":
        """What it holds when it has closed the files of what came since; one that leaks does not.

        A busy machine closes a connection some time after the client has left.
        """
        patience_ends = time.monotonic() + CLOSING_S
        while (now := cls.of(pid)).files > before.files + FILES:
            if time.monotonic() > patience_ends:
                break
            time.sleep(0.1)
        return now

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@contextmanager
def echo_server(*arguments: str, busy: int = BUSY, **settings: Any) -> Iterator[Server]:
    """An embedded server that says every text back, none from memory, with these settings."""
    with TemporaryDirectory(prefix="s2s-") as folder:
        bundle, file = Path(folder) / "echo", Path(folder) / "settings.yaml"
        write_echo_bundle(bundle, busy=busy)
        values = {"bundles": [{"path": str(bundle)}], "cache_mib": 0} | settings
        file.write_text(yaml.safe_dump(values))
        with Server("--settings", str(file), *arguments) as server:
            yield server
