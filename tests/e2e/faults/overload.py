"""Twice as much is asked as can be answered: what is accepted is answered in time."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.faults import load
from tests.e2e.faults.load import Tally
from tests.e2e.faults.served import Resources, echo_server

CLIENTS = 10  # fewer than run and wait, so that none is refused while the capacity is measured


@dataclass(frozen=True)
class Overload:
    """What was seen."""

    capacity: float
    """Sentences a second, of clients that wait for each answer; of before and after, the mean."""
    tally: Tally
    seconds: float
    """From the first question to the last answer."""
    before: Resources
    after: Resources

    @property
    def goodput(self) -> float:
        """Share of the capacity that was answered while twice as much was asked."""
        return len(self.tally.answered) / self.seconds / self.capacity

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return self.tally.report() | {
            "capacity_per_s": round(self.capacity, 1),
            "goodput_of_capacity": round(self.goodput, 3),
            "before": self.before.report(),
            "after": self.after.report(),
        }


def overload(
    measure_s: float, seconds: float, deadline_s: float, factor: float = 2.0, **engine: Any
) -> Overload:
    """Measure what a server can, ask for so many times that, and measure again."""
    engine = {"max_rows": 4, "max_waiting": 8} | engine
    with echo_server(engine=engine, limits={"deadline_s": deadline_s}) as server:

        def capacity() -> float:
            peak = load.run(server.url, lambda crowd: crowd.closed(CLIENTS, measure_s))
            return len(peak.answered) / measure_s

        load.run(server.url, lambda crowd: crowd.closed(CLIENTS, measure_s / 2))  # warm
        at_first, before = capacity(), Resources.of(server.process.pid)
        tally = load.run(server.url, lambda crowd: crowd.open(factor * at_first, seconds))
        last = max(one.began + one.seconds for one in tally.answered)
        took = last - min(one.began for one in tally.asked)
        after = Resources.of(server.process.pid)
        return Overload((at_first + capacity()) / 2, tally, took, before, after)
