"""Where replicas post their metrics, so that a scrape of one shows all of them.

Nothing is added up: each sample gets the label `replica`, and whoever asks sums. So a replica that
goes takes its series along, and a counter of the others never falls, as a sum would; Prometheus
would take that for a restart and count everything again. The embedded server needs no board.

Rejected: Ray's own export (its names have a prefix, a local Ray has no agent, each node is another
target), prometheus_client's files of several processes (one machine, no collectors of our own).
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from prometheus_client.core import Metric

POST_S = 1.0
"""How often a replica posts."""
SILENT_S = 15.0
"""Without a post for so long a replica is taken for gone."""


class Board:
    """The newest metrics of each replica. On Ray it is an actor; it knows nothing of that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._posts: dict[str, tuple[float, Sequence[Metric]]] = {}

    def post(self, replica: str, families: Sequence[Metric]) -> None:
        """Replace what this replica posted before."""
        self._posts[replica] = self._clock(), families

    def read(self) -> list[Metric]:
        """Those of all replicas that are not silent, each sample with its replica."""
        eldest = self._clock() - SILENT_S
        self._posts = {who: one for who, one in self._posts.items() if one[0] >= eldest}
        whole: dict[str, Metric] = {}
        for replica, (_, families) in sorted(self._posts.items()):
            for family in families:
                _add(whole, family, replica)
        return list(whole.values())


class Poster(Protocol):
    """One replica's way to the board. Neither method fails: without a board it is alone."""

    async def post(self, families: Sequence[Metric]) -> None:
        """Put this replica's metrics up."""

    async def read(self, families: Sequence[Metric]) -> list[Metric]:
        """Put them up, and give those of all replicas; without a board, these alone."""


def _add(whole: dict[str, Metric], family: Metric, replica: str) -> None:
    same = whole.setdefault(
        family.name, Metric(family.name, family.documentation, family.type, family.unit)
    )
    same.samples += [
        sample._replace(labels=sample.labels | {"replica": replica}) for sample in family.samples
    ]
