"""Faults of a Ray Serve with two replicas, under load."""

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.faults.load import Tally, during
from tests.e2e.faults.ray_served import BAD, GOOD, NEW, PATIENCE_S, RayServed

CLIENTS = 4


@dataclass
class Fault:
    """What came of a load beside one kind of fault."""

    tally: Tally = field(default_factory=Tally)
    back_after_s: list[float] = field(default_factory=list)
    """From each fault until the server was whole again."""
    told: list[Mapping[str, str]] = field(default_factory=list)
    """What Ray Serve said of each update."""

    @property
    def failed(self) -> int:
        """Requests without a translation."""
        return len(self.tally.asked) - len(self.tally.answered)

    @property
    def models(self) -> set[str]:
        """Who answered."""
        return {one.by for one in self.tally.answered}

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return self.tally.report() | {
            "failed": self.failed,
            "back_after_s": [round(seconds, 1) for seconds in self.back_after_s],
            "models": sorted(self.models),
            "updates": [one["status"] for one in self.told],
        }


def kills(
    served: RayServed, title: str, times: int = 1, every_s: float = 0.0, retrying: bool = True
) -> Fault:
    """SIGKILL one of the processes so called, again and again; each time wait for the next."""
    fault, number = Fault(), len(served.pids(title))

    def kill() -> None:
        for _ in range(times):
            began = time.perf_counter()
            pid = served.kill(title)
            fault.back_after_s.append(served.wait_for(title, number, besides=pid))
            time.sleep(max(began + every_s - time.perf_counter(), 0.0))

    fault.tally = during(served.url, kill, CLIENTS, retrying)
    return fault


def updates(served: RayServed, times: int = 1) -> Fault:
    """Roll from one model to the other and back."""
    fault = Fault()

    def update() -> None:
        for number in range(times):
            fault.told.append(served.deploy((NEW, GOOD)[number % 2]))

    fault.tally = during(served.url, update, CLIENTS, retrying=False)
    return fault


def bad_update(served: RayServed, then: str) -> Fault:
    """Deploy a damaged bundle, and the good one again."""
    fault = Fault()

    def update() -> None:
        fault.told += [served.deploy(BAD), served.deploy(then)]

    fault.tally = during(served.url, update, CLIENTS, retrying=False)
    return fault


@dataclass
class Drain(Fault):
    """What came of stopping; that nobody answers afterwards is no failure."""

    exit_code: int | None = None

    @property
    def cut_off(self) -> int:
        """Requests without an answer that were sent before the last one with a translation."""
        last = max(one.began for one in self.tally.answered)
        return sum(one.status == 0 and one.began < last for one in self.tally.asked)

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return self.tally.report() | {"cut_off": self.cut_off, "exit_code": self.exit_code}


def drain(served: RayServed) -> Drain:
    """Stop it."""
    fault = Drain()

    def stop() -> None:
        served.process.send_signal(signal.SIGTERM)
        fault.exit_code = served.process.wait(PATIENCE_S)

    fault.tally = during(served.url, stop, CLIENTS, retrying=False)
    return fault
