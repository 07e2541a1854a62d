"""What a server's metrics say, at a moment and between two of them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from mt.errors import UnavailableError

Labels = frozenset[tuple[str, str]]
Series = tuple[str, Labels]


@dataclass(frozen=True)
class Snapshot:
    """Every sample of one scrape; `at` in seconds since 1970."""

    at: float
    values: Mapping[Series, float]

    @classmethod
    def parse(cls, text: str, at: float) -> "Snapshot":
        """Read the Prometheus text format.

        Raises:
            UnavailableError: it is not that, or not by such a server.
        """
        try:
            values = {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        except ValueError:
            values = {}
        if not any(name == "mt_ready" for name, _ in values):
            raise UnavailableError("what answers there is no seq2serve server")
        return cls(at, values)

    def select(self, name: str, **labels: str) -> Iterator[tuple[Series, float]]:
        """The samples of a metric that have these labels."""
        wanted = labels.items()
        for series, value in self.values.items():
            if series[0] == name and wanted <= series[1]:
                yield series, value

    def total(self, name: str, **labels: str) -> float:
        """Their sum."""
        return sum(value for _, value in self.select(name, **labels))

    def seen(self, name: str, label: str, **labels: str) -> list[str]:
        """The values of one label, without the empty one."""
        found = {dict(series[1]).get(label, "") for series, _ in self.select(name, **labels)}
        return sorted(found - {""})


def ratio(part: float, whole: float) -> float:
    """`part` of `whole`; of nothing, nothing."""
    return part / whole if whole else 0.0


class Window:
    """What happened between two snapshots; without a first one, since the oldest replica began."""

    def __init__(self, now: Snapshot, before: Snapshot | None = None) -> None:
        self.now = now
        self.since_start = before is None
        self._before = before.values if before else {}
        starts = [value for _, value in now.select("process_start_time_seconds")]
        began = before.at if before else min(starts, default=now.at)
        self.seconds = max(now.at - began, 1e-9)

    def increase(self, name: str, **labels: str) -> float:
        """By how much counters rose; one that fell was begun anew."""
        rise = 0.0
        for series, value in self.now.select(name, **labels):
            before = self._before.get(series, 0.0)
            rise += value - before if value >= before else value
        return rise

    def rate(self, name: str, **labels: str) -> float:
        """The same, in a second."""
        return self.increase(name, **labels) / self.seconds

    def quantile(self, q: float, histogram: str, **labels: str) -> float | None:
        """Of what was observed, by its buckets as Prometheus does; None where nothing was."""
        bounds = {
            float(bound): self.increase(f"{histogram}_bucket", le=bound, **labels)
            for bound in self.now.seen(f"{histogram}_bucket", "le", **labels)
        }
        rank, lower, below = q * bounds.get(math.inf, 0.0), 0.0, 0.0
        if not rank:
            return None
        for upper, reached in sorted(bounds.items()):
            if reached >= rank:
                inside = (rank - below) / (reached - below)
                return lower if math.isinf(upper) else lower + (upper - lower) * inside
            lower, below = upper, reached
        return None
