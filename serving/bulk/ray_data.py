"""Shards by Ray Data: a pool of actors, each with the bundle open, on one machine or a cluster.

All machines must see files and bundle under the same paths.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mt.attempts import RAY_STARTS, insist
from mt.errors import ConfigError
from serving.bulk.bulk import Done, Workers, attempt
from serving.bulk.shards import Order, Shard
from serving.bulk.tables import Span
from serving.settings import OFFLINE
from serving.translator import Translator

MOST_BLOCKS = 10_000
_AGAIN = "Ray did not start; trying again"


class ShardTranslator:
    """One actor of the pool. Ray starts another where it dies, and gives its shard out again."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._translator = Translator.open(order.bundle, order.engine, OFFLINE)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Translate the shards of a batch; a row for each says how it went."""
        done = [self._done(*row) for row in zip(*(batch[name] for name in COLUMNS), strict=True)]
        return {"job": [one.job for one in done], "problem": [one.problem or "" for one in done]}

    def _done(self, job: int, source: str, start: int, stop: int, group: int, target: str) -> Done:
        span = Span(int(start), int(stop), int(group))
        shard = Shard(int(job), Path(source), span, Path(target))
        return attempt(self._translator, self._order, shard)


COLUMNS = ("job", "source", "start", "stop", "group", "target")


def on_ray(actors: int | None) -> Workers:
    """Workers that are so many actors (None: as many as there are cores for).

    The cluster is the one that RAY_ADDRESS names, else this machine.
    """

    def work(order: Order, shards: Sequence[Shard]) -> Iterator[Done]:
        ray = _connect()
        try:
            yield from _work(ray, order, shards, actors)
        finally:
            ray.shutdown()

    return work


def _work(ray: Any, order: Order, shards: Sequence[Shard], actors: int | None) -> Iterator[Done]:  # noqa: ANN401
    cores = order.engine.threads * order.engine.workers
    room = int(ray.cluster_resources().get("CPU", 0)) // cores
    wanted = actors or max(room, 1)
    if wanted > room:
        raise ConfigError(
            f"--actors {wanted} of {cores} cores need {wanted * cores}, but Ray has "
            f"{ray.cluster_resources().get('CPU', 0):.0f}; ask for fewer, or lower --threads"
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # ours counts shards
    rows = ray.data.from_items(
        list(map(_row, shards)), override_num_blocks=min(len(shards), MOST_BLOCKS)
    )
    done = rows.map_batches(
        ShardTranslator,
        fn_constructor_kwargs={"order": order},
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(wanted, len(shards))),
        num_cpus=cores,
        num_gpus=1 if order.engine.device == "cuda" else None,
    )
    for row in done.iter_rows():
        yield Done(int(row["job"]), row["problem"] or None)


def _row(shard: Shard) -> dict[str, Any]:
    values = (shard.job, str(shard.source), *shard.span, str(shard.target))
    return dict(zip(COLUMNS, values, strict=True))


def _connect() -> Any:  # noqa: ANN401 - Ray has no types
    try:
        import ray
        import ray.data
    except ImportError as error:
        missing = error.name or "ray"
        raise ConfigError(f"--ray needs {missing}: pip install 'seq2serve[ray]'") from None
    own = "RAY_ADDRESS" not in os.environ

    def start() -> None:
        ray.init(
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )

    try:
        insist(start, RAY_STARTS if own else 1, lambda _: click.echo(_AGAIN, err=True))
    except Exception as error:  # Ray raises bare ones, too
        why = " ".join(str(error).split())
        raise ConfigError(f"--ray: the cluster cannot be used ({why})") from None
    return ray
