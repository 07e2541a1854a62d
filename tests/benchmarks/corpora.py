"""What a large corpus costs before training: seconds and memory of every stage, one process each.

    python -m tests.benchmarks.corpora --pairs 2000000 --json PATH
    python -m tests.benchmarks.corpora --pairs 100000000 --stages index lengths plan

Pairs are generated, a tenth of them repetitions, and thrown away at the end. The second command
needs no text: it asks the index of pairs for random digests, and plans an epoch of random lengths.
"""

import argparse
import json
import multiprocessing
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from mt.tokenizer import Tokenizer
from tests.benchmarks import report
from training.batching import BLOCK, BatchingConfig, updates
from training.corpora.cleaning import CHUNK, CleaningConfig, CleaningReport, clean
from training.corpora.pair import Pair
from training.corpora.readers import TsvFile, read_pairs
from training.corpora.seen_pairs import SeenPairs
from training.corpora.splitting import SplitConfig, assign_splits
from training.dataset import DatasetFacts, encoded, open_dataset, write_dataset
from training.subwords import SubwordsConfig, train_subwords

REPEATED = 10  # every so manieth pair came before
SYLLABLES = tuple(a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er"))


def generated(pairs: int, seed: int = 1) -> Iterator[Pair]:
    """Sentences of four to twenty made-up words, word by word, some of them twice."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(20_000)]
    earlier: list[Pair] = []
    for number in range(pairs):
        if number % REPEATED == REPEATED - 1:
            yield earlier[draw.randrange(len(earlier))]
            continue
        sentence = draw.choices(words, k=draw.randint(4, 20))
        pair = Pair(" ".join(sentence), " ".join(word[::-1] for word in sentence))
        if len(earlier) < 10_000:
            earlier.append(pair)
        yield pair


def write(folder: Path, pairs: int) -> int:
    """The file that all other stages read."""
    with (folder / "pairs.tsv").open("w", encoding="utf-8") as file:
        file.writelines(f"{pair.src}\t{pair.tgt}\n" for pair in generated(pairs))
    return pairs


def read(folder: Path) -> Iterator[Pair]:
    """The pairs of that file."""
    return read_pairs(TsvFile(path=folder / "pairs.tsv"))


def count(folder: Path, pairs: int) -> int:
    """Reading alone, for comparison."""
    return sum(1 for _ in read(folder))


def clean_all(folder: Path, pairs: int) -> int:
    """Cleaning and deduplication."""
    report = CleaningReport()
    for _ in clean(read(folder), CleaningConfig(), report):
        pass
    expected = pairs - pairs // REPEATED
    if not 0.99 * expected <= report.kept <= expected:
        raise SystemExit(f"cleaning kept {report.kept} pairs, not about {expected}")
    return report.read


def split(folder: Path, pairs: int) -> int:
    """Cutting validation and test off."""
    return len(assign_splits(read(folder), SplitConfig()))


def learn(folder: Path, pairs: int) -> int:
    """Subwords, from a sample."""
    texts = chain.from_iterable(read(folder))
    tokenizer = train_subwords(texts, SubwordsConfig(vocab_size=4000, sample=200_000))
    (folder / "tokenizer.model").write_bytes(tokenizer.model)
    return pairs


def encode(folder: Path, pairs: int) -> int:
    """Token ids to disk."""
    tokenizer = Tokenizer.load(folder / "tokenizer.model")
    write_dataset(folder / "data", encoded(read(folder), tokenizer), 128, {})
    return pairs


def plan(folder: Path, pairs: int) -> int:
    """The batches of a whole epoch, planned, and a thousand of them read."""
    stream = updates(open_dataset(folder / "data"), BatchingConfig(), seed=1)
    for _ in islice(stream, 1000):
        pass
    return pairs


def index(folder: Path, pairs: int) -> int:
    """Looking digests up and remembering them, a tenth of them repetitions."""
    draw, seen, new = np.random.default_rng(1), SeenPairs(), 0
    for start in range(0, pairs, CHUNK):
        digests = draw.integers(2**64, size=min(CHUNK, pairs - start), dtype=np.uint64)
        digests[::REPEATED] = digests[1]
        fresh = seen.unseen(digests)
        seen.add(digests[fresh])
        new += int(fresh.sum())
    if len(seen) != new:
        raise SystemExit(f"{len(seen)} digests are kept, not {new}")
    return pairs


def lengths(folder: Path, pairs: int) -> int:
    """Encoded pairs without their ids, for `plan`."""
    data, draw = folder / "data", np.random.default_rng(1)
    data.mkdir()
    for side in ("src", "tgt"):
        path = data / f"{side}.offsets.npy"
        offsets = np.lib.format.open_memmap(path, "w+", np.int64, (pairs + 1,))
        for start in range(0, pairs, BLOCK):
            some = draw.integers(4, 40, size=min(BLOCK, pairs - start))
            offsets[start + 1 : start + 1 + len(some)] = offsets[start] + np.cumsum(some)
        with (data / f"{side}.ids").open("wb") as ids:
            ids.truncate(4 * int(offsets[-1]))  # a file of holes
    facts = DatasetFacts({}, 128, pairs, 0, 0, 0)
    (data / "dataset.json").write_text(json.dumps(asdict(facts)))
    return pairs


STAGES: tuple[Callable[[Path, int], int], ...] = (
    write,
    count,
    clean_all,
    split,
    learn,
    encode,
    plan,
)
TEXTLESS = (index, lengths)


def measure(stage: Callable[[Path, int], int], folder: Path, pairs: int) -> dict[str, Any]:
    """Figures of one stage, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (stage, folder, pairs))


def _measured(stage: Callable[[Path, int], int], folder: Path, pairs: int) -> dict[str, Any]:
    idle_mib = _peak_mib()
    began, cpu = time.perf_counter(), time.process_time()
    done = stage(folder, pairs)
    seconds = time.perf_counter() - began
    return {
        "stage": stage.__name__,
        "pairs": done,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "pairs_per_cpu_second": round(done / max(time.process_time() - cpu, 1e-9)),
        "idle_mib": round(idle_mib),
        "peak_mib": round(_peak_mib()),
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure every stage and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--json", type=Path, help="result [build/bench/corpora.json]")
    known = {stage.__name__: stage for stage in (*STAGES, *TEXTLESS)}
    parser.add_argument("--stages", nargs="+", choices=known, default=[s.__name__ for s in STAGES])
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="seq2serve-corpora-"))
    try:
        rows = []
        for name in chosen.stages:
            rows.append(row := measure(known[name], folder, chosen.pairs))
            speed = f"{row['pairs_per_cpu_second']:>11,} pairs a CPU second"
            print(f"{row['stage']:<10}{row['seconds']:>9.1f} s {speed} {row['peak_mib']:>7} MiB")
            found = {"machine": report.machine(("torch", "sentencepiece")), "rows": rows}
            report.write("corpora", found, chosen.json)  # so far: the next stage may take hours
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
