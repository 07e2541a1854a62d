"""A bulk job from its files to its targets, whoever does the work."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import click
from tqdm import tqdm

from mt import bundle as bundles
from mt.errors import ConfigError, MTError
from serving.bulk.shards import BulkFile, Order, Shard, open_file, translate
from serving.commands.file_jobs import FileJob
from serving.settings import OFFLINE
from serving.translator import Translator


class Done(NamedTuple):
    """A shard's end: the number of its job, and what was wrong with it, if anything."""

    job: int
    problem: str | None


Workers = Callable[[Order, Sequence[Shard]], Iterable[Done]]
"""Do all these shards, in any order, and tell of each."""


def workers(ray: bool, actors: int | None) -> Workers:
    """Actors of Ray Data (None: as many as there are cores for), or this process."""
    if not ray:
        return here
    from serving.bulk.ray_data import on_ray  # with pyarrow

    return on_ray(actors)


def here(order: Order, shards: Sequence[Shard]) -> Iterator[Done]:
    """All work by this process."""
    with Translator.open(order.bundle, order.engine, OFFLINE) as translator:
        for shard in shards:
            yield attempt(translator, order, shard)


def attempt(translator: Translator, order: Order, shard: Shard) -> Done:
    """One shard; what is wrong with it stops no other."""
    try:
        translate(translator, order, shard)
    except (MTError, OSError) as error:
        return Done(shard.job, str(error))
    return Done(shard.job, None)


def run(jobs: Sequence[FileJob], order: Order, workers: Workers = here) -> None:
    """Translate every file that has not been, each put in place as soon as its last shard is done.

    Raises:
        BundleError: the bundle cannot be opened.
        ConfigError: some could not be translated; each was named on standard error.
    """
    bundles.open(order.bundle).graphs(order.engine.precision)  # before any actor fails by it
    files = [
        open_file(number, job, order) for number, job in enumerate(jobs) if not job.target.exists()
    ]
    by_number = {file.shards[0].job: file for file in files if file.shards}
    open_shards = {number: len(file.left) for number, file in by_number.items()}
    for file in files:
        if not file.left:
            file.finish(order)
    failed = _work(order, workers, by_number, open_shards)
    if failed:
        raise ConfigError(f"{len(failed)} of {len(jobs)} files failed; the others are written")


def _work(
    order: Order, workers: Workers, files: dict[int, BulkFile], open_shards: dict[int, int]
) -> set[int]:
    """Numbers of the files that failed."""
    left = [shard for file in files.values() for shard in file.left]
    total = sum(len(file.shards) for file in files.values())
    failed: set[int] = set()
    if not left:
        return failed
    with tqdm(total=total, initial=total - len(left), unit="shard", disable=None) as bar:
        for done in workers(order, left):
            bar.update()
            if done.problem is not None:
                if done.job not in failed:
                    bar.clear()
                    click.echo(f"{files[done.job].job.source}: {done.problem}", err=True)
                failed.add(done.job)
                continue
            open_shards[done.job] -= 1
            if not open_shards[done.job]:
                files[done.job].finish(order)
    return failed
