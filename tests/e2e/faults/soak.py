"""Hours of mixed requests, some of which are cancelled: nothing grows, nothing fails.

python -m tests.e2e.faults.soak [--seconds 7200] [--json PATH]
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.faults import load, results
from tests.e2e.faults.load import Asked, Crowd, Tally, milliseconds
from tests.e2e.faults.served import Resources, echo_server

CLIENTS = 8
CANCELLED = 0.05
LONGEST_WORDS = 60
SAMPLES = 60


@dataclass(frozen=True)
class Sample:
    """What the server held after so many requests."""

    requests: int
    resources: Resources


@dataclass(frozen=True)
class Soak:
    """What was seen."""

    tally: Tally
    samples: Sequence[Sample]

    @property
    def settled(self) -> Sequence[Sample]:
        """Without the first fifth, in which caches fill and threads start."""
        return self.samples[len(self.samples) // 5 :]

    @property
    def slope_mib(self) -> float:
        """Memory gained in ten thousand requests: a least-squares line."""
        x = [one.requests / 10_000 for one in self.settled]
        y = [one.resources.memory_mib for one in self.settled]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        spread = sum((a - mean_x) ** 2 for a in x)
        return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread

    def most(self, name: str, last: bool) -> float:
        """Most threads or files in the first or last third of the settled time."""
        third = len(self.settled) // 3
        part = self.settled[-third:] if last else self.settled[:third]
        return max(float(getattr(one.resources, name)) for one in part)

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        tenth = len(self.tally.answered) // 10
        return self.tally.report() | {
            "server_errors": sum(one.status >= 500 for one in self.tally.asked),
            "memory_slope_mib_per_10000": round(self.slope_mib, 3),
            "first_tenth_p99_ms": milliseconds(self.tally.answered[:tenth], 99),
            "last_tenth_p99_ms": milliseconds(self.tally.answered[-tenth:], 99),
            "first": self.samples[0].resources.report(),
            "last": self.samples[-1].resources.report(),
            "most_threads": [self.most("threads", last=False), self.most("threads", last=True)],
            "most_files": [self.most("files", last=False), self.most("files", last=True)],
        }


def soak(seconds: float, **settings: Any) -> Soak:
    """Ask for so long."""
    with echo_server(busy=150, **settings) as server:
        samples: list[Sample] = []

        async def work(crowd: Crowd) -> Tally:
            until = time.perf_counter() + seconds
            asking = [asyncio.create_task(_client(crowd, n, until)) for n in range(CLIENTS)]
            while time.perf_counter() < until:
                await asyncio.sleep(seconds / SAMPLES)
                held = Resources.of(server.process.pid)
                samples.append(Sample(len(crowd.tally.asked), held))
            await asyncio.gather(*asking)
            return crowd.tally

        return Soak(load.run(server.url, work), samples)


async def _client(crowd: Crowd, number: int, until: float) -> None:
    draw = random.Random(number)
    for text in load.texts(number, LONGEST_WORDS):
        if time.perf_counter() >= until:
            return
        if draw.random() < CANCELLED:
            stay_s = draw.uniform(0.0, 0.05)
            with suppress(TimeoutError):
                await asyncio.wait_for(crowd.ask(text), stay_s)
                continue
            crowd.tally.asked.append(Asked(time.perf_counter() - stay_s, stay_s, 0, by="left"))
        else:
            await crowd.ask(text)


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description="Hours of mixed requests")
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--json", type=Path, help="result [build/faults/soak.json]")
    arguments = parser.parse_args()
    found = soak(arguments.seconds).report()
    for name, value in found.items():
        print(f"{name}: {value}")
    print(f"written to {results.write('soak', found, arguments.json)}")


if __name__ == "__main__":
    main()
