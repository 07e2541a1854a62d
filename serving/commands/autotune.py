"""Which workers and threads translate most on this machine, found by trying them.

A worker steps a batch of its own; threads share the work of one step. Which of the two uses several
cores better hangs on the model's size and the machine, so it is measured, in turns, and medians
count.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import yaml

from mt import bundle as bundles
from mt.bundle import Bundle, Manifest
from mt.errors import ConfigError, InputError
from mt.search_options import SearchOptions
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running.process_core import process_cores
from serving.settings import EngineSettings

ROUNDS = 3
SENTENCES = 64  # for each core
LENGTHS = (5, 30)  # tokens of made-up sentences
Sources = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Trial:
    """One choice and what it gave: tokens written a second, and seconds for one sentence alone."""

    workers: int
    threads: int
    tokens_per_s: float
    alone_s: float


def choices(cores: int) -> list[tuple[int, int]]:
    """Workers and threads that use one core or all of them; the simplest first."""
    all_cores = [(cores // threads, threads) for threads in divisors(cores)]
    return list(dict.fromkeys([(1, 1), *all_cores]))


def divisors(number: int) -> list[int]:
    """In ascending order."""
    return [n for n in range(1, number + 1) if number % n == 0]


def available_cores() -> int:
    """Of this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def autotune(
    folder: Path,
    precision: str | None = None,
    beam_size: int = 5,
    cores: int | None = None,
    texts: Sequence[str] = (),
    report: Callable[[str], None] = lambda _: None,
) -> list[Trial]:
    """Try every choice on a bundle; the best first.

    texts: real sentences, which end where they end; without them made-up ones, which are translated
    by as many tokens as they have.

    Raises:
        BundleError: the bundle cannot be opened.
        InputError: no text has anything to translate.
    """
    cores = cores or available_cores()
    bundle = bundles.open(folder)
    sources = _sources(bundle, texts, SENTENCES * cores)

    def options(length: int) -> SearchOptions:
        if texts:
            return SearchOptions(beam_size=beam_size)
        return SearchOptions(beam_size=beam_size, min_length=length, max_length=length)

    found: dict[tuple[int, int], list[Timed]] = {choice: [] for choice in choices(cores)}
    for number in range(ROUNDS):
        report(f"round {number + 1} of {ROUNDS}")
        for (workers, threads), times in found.items():
            with _engine(bundle, precision, workers, threads) as engine:
                times.append(_measure(engine, sources, options))
    trials = [_medians(*choice, times) for choice, times in found.items()]
    return sorted(trials, key=lambda trial: -trial.tokens_per_s)


@dataclass(frozen=True)
class Timed:
    """What one choice gave in one round."""

    tokens_per_s: float
    alone_s: float


def _medians(workers: int, threads: int, times: Sequence[Timed]) -> Trial:
    rate = statistics.median(one.tokens_per_s for one in times)
    return Trial(workers, threads, rate, statistics.median(one.alone_s for one in times))


def _measure(engine: Engine, sources: Sources, options: Callable[[int], SearchOptions]) -> Timed:
    """One round: all sentences together, then the one of middle length alone.

    options: those of a sentence of so many ids.
    """

    def translate(chosen: Sources) -> int:
        futures = [engine.submit(source, options(len(source))) for source in chosen]
        return sum(len(future.result()[0].token_log_probs) for future in futures)

    middle = sorted(sources, key=len)[len(sources) // 2]
    translate([middle] * engine.settings.workers)  # what is slow only once
    began = time.perf_counter()
    tokens = translate(sources)
    together = time.perf_counter() - began
    began = time.perf_counter()
    translate([middle])
    return Timed(tokens / together, time.perf_counter() - began)


def settings_of(folder: Path, best: Trial, precision: str | None) -> str:
    """A settings file for `seq2serve serve --settings`, as YAML."""
    engine: dict[str, int | str] = {"workers": best.workers, "threads": best.threads}
    if precision is not None:
        engine["precision"] = precision
    return yaml.safe_dump({"bundles": [{"path": str(folder), "engine": engine}]}, sort_keys=False)


def reserve(path: Path) -> TextIO:
    """Open a file that is not there yet, before anything slow happens.

    Raises:
        ConfigError: it is there, or cannot be written.
    """
    try:
        return path.open("x", encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{path} is there already; name another --out, or delete it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from None


def _engine(bundle: Bundle, precision: str | None, workers: int, threads: int) -> Engine:
    settings = EngineSettings(
        precision=precision, workers=workers, threads=threads, max_waiting=1_000_000
    )
    return Engine(process_cores(bundle, settings), settings)


def _sources(bundle: Bundle, texts: Sequence[str], most: int) -> Sources:
    """Ids of real sentences, or of made-up ones."""
    if not texts:
        return _made_up(bundle.manifest, most)
    sources = [bundle.tokenizer.encode_source(text) for text in texts]
    longest = bundle.manifest.max_source_tokens
    kept = [ids for ids in sources if 1 < len(ids) <= longest][:most]
    if not kept:
        raise InputError("--text has no line to translate; give it sentences, one a line")
    return kept


def _made_up(manifest: Manifest, count: int) -> Sources:
    """Random pieces of the vocabulary, the same at every call."""
    draw = random.Random(1)  # nosec B311 # no secret
    pieces = range(max(manifest.special_ids.model_dump().values()) + 1, manifest.vocab_size)
    lengths = [draw.randint(*LENGTHS) for _ in range(count)]
    return [[*draw.choices(pieces, k=length), EOS_ID] for length in lengths]
