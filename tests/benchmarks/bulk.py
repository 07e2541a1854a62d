"""Whether a bulk job is twice as fast with twice the actors: sentences/s of 1 and 2, and the ratio.

    python -m tests.benchmarks.bulk BUNDLE LINES.txt --actors 1 2 --json build/bench/bulk.json

The job is `translate --ray` on this machine, each of its actors with one core. A rate is that
between the first shard of the last actor to begin and the last shard of all, so that Ray's start
and the models' loading are left out; `seconds` is the whole command.
"""

import argparse
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from mt.search_options import SearchOptions
from serving.bulk import bulk, shards
from serving.bulk.bulk import Done, Workers
from serving.bulk.ray_data import on_ray
from serving.bulk.shards import Order, Shard
from serving.commands import file_jobs
from serving.settings import EngineSettings
from tests.benchmarks import report

SHARD_BYTES = 1 << 14  # some 250 sentences: a short job must not end with idle actors


def watched(workers: Workers, ends: list[float]) -> Workers:
    """The same workers; when each shard ended is noted."""

    def work(order: Order, left: Sequence[Shard]) -> Iterator[Done]:
        for done in workers(order, left):
            ends.append(time.perf_counter())
            yield done

    return work


def measure(order: Order, source: Path, sentences: int, actors: int) -> dict[str, Any]:
    """One job by so many actors."""
    out = Path(tempfile.mkdtemp(prefix="seq2serve-bulk-"))
    ends: list[float] = []
    began = time.perf_counter()
    try:
        bulk.run(
            file_jobs.plan([str(source)], out / "out.txt"), order, watched(on_ray(actors), ends)
        )
        seconds = time.perf_counter() - began
        written = len((out / "out.txt").read_text(encoding="utf-8").splitlines())
    finally:
        shutil.rmtree(out)
    if written != sentences:
        raise SystemExit(f"{written} lines came out of {sentences}")
    if len(ends) < 4 * actors:
        raise SystemExit(f"{len(ends)} shards tell nothing of {actors} actors: raise --sentences")
    steady = ends[-1] - ends[actors - 1]
    share = (len(ends) - actors) / len(ends)
    return {
        "actors": actors,
        "sentences": sentences,
        "shards": len(ends),
        "seconds": round(seconds, 1),
        "sentences_per_second": round(sentences * share / steady, 1),
    }


def summary(rows: Sequence[dict[str, Any]], counts: Sequence[int]) -> dict[str, Any]:
    """Medians, and how many times the first count's rate each has."""
    rates = {
        count: round(
            median(row["sentences_per_second"] for row in rows if row["actors"] == count), 1
        )
        for count in counts
    }
    first = rates[counts[0]]
    return {
        "machine": report.machine(("onnxruntime-gpu", "ray")),
        "median_sentences_per_second": rates,
        "times_the_first": {count: round(rate / first, 2) for count, rate in rates.items()},
        "runs": list(rows),
    }


def repeated(path: Path, sentences: int, folder: Path) -> Path:
    """A file of so many lines, the given ones over and over."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    target = folder / "in.txt"
    target.write_text("".join(islice(cycle(lines), sentences)), encoding="utf-8")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--sentences", type=int, default=8_000)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--beam-size", type=int, default=5)
    parser.add_argument("--json", type=Path, help="result [build/bench/bulk.json]")
    chosen = parser.parse_args()
    for path in (chosen.bundle, chosen.lines):
        if not path.exists():
            parser.error(f"there is no {path}")
    shards.SHARD_BYTES = SHARD_BYTES
    options = SearchOptions(beam_size=chosen.beam_size)
    order = Order(chosen.bundle.resolve(), EngineSettings(), options)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = repeated(chosen.lines, chosen.sentences, Path(folder))
        for _ in range(chosen.rounds):
            for actors in chosen.actors:
                rows.append(measure(order, source, chosen.sentences, actors))
                print(json.dumps(rows[-1]), flush=True)
    found = summary(rows, chosen.actors)
    print(json.dumps({key: found[key] for key in found if key != "runs"}, indent=1))
    print(f"\nwritten to {report.write('bulk', found, chosen.json)}")


if __name__ == "__main__":
    main()
