"""Translate the test sets with the weights of one point, once; what was translated is kept.

The length penalty, and which of a point's candidate weights stand for it, are chosen on validation.
Everything is remembered by what it hangs on: weights, sentences, search.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mt.bundle import Score
from mt.config import Strict
from mt.search_options import SearchOptions
from training.compare.counts import METRICS, Table, count, score_of
from training.compare.energy import EnergyMeter
from training.compare.memory import forget_peak, peak_mib
from training.compare.outcome import Decoding, Metric, SingleSeedTest
from training.corpora.pair import Pair
from training.evaluate import translate_sentences
from training.length_penalty import NEUTRAL, tune_length_penalty
from training.remembered import remembered
from training.system import System, open_system


@dataclass(frozen=True)
class Sentences:
    """A split, or what is made of one; title is the name that scores give it."""

    name: str
    split: str
    joined: int
    title: str
    pairs: tuple[Pair, ...]

    @property
    def sha256(self) -> str:
        """Of both sides."""
        return hashlib.sha256(json.dumps(self.pairs).encode()).hexdigest()


@dataclass(frozen=True)
class Search:
    """How every point is searched; decoding has so many threads."""

    beam_size: int
    length_penalties: tuple[float, ...]
    threads: int

    def options(self, length_penalty: float) -> SearchOptions:
        """With one of the penalties."""
        return SearchOptions(beam_size=self.beam_size, length_penalty=length_penalty)


class Chosen(Strict):
    """A candidate on validation: BLEU of each penalty, and the best of them."""

    length_penalty: float
    validation_bleu: dict[str, float]

    @property
    def bleu(self) -> float:
        """Of the best penalty."""
        return self.validation_bleu[f"{self.length_penalty:g}"]


class Translated(Strict):
    """A test set translated and scored."""

    hypotheses: tuple[str, ...]
    scores: tuple[Score, ...]
    decoding: Decoding


class Counted(Strict):
    """A row for each sentence of what a metric adds up (`training.compare.counts`)."""

    rows: tuple[tuple[float, ...], ...]


class RememberedTests(Strict):
    """What sacreBLEU's tests of two outputs found."""

    tests: tuple[SingleSeedTest, ...]


@dataclass(frozen=True)
class PointJob:
    """Weights that may stand for a point, and where all that is found out about them is kept."""

    candidates: tuple[tuple[Path, str], ...]  # folder of a checkpoint, and its weights' sha256
    search: Search
    validation: Sentences
    tests: tuple[Sentences, ...]
    memory: Path


@dataclass(frozen=True)
class ScoredPoint:
    """Which candidate it is, how it is searched, and what it reached on each test set.

    counts: of each test set and metric, (sentences, counts).
    """

    checkpoint: Path
    weights_sha256: str
    chosen: Chosen
    tests: dict[str, Translated]
    counts: dict[str, dict[Metric, Table]]


def score_points(jobs: Sequence[PointJob]) -> list[ScoredPoint]:
    """Several points, one after the other."""
    return [score_point(job) for job in jobs]


def score_point(job: PointJob) -> ScoredPoint:
    """Choose on validation, then translate and score every test set; what is known is not redone.

    Raises:
        CheckpointError: the weights are damaged.
    """
    chosen = [_chosen(job, path, sha256) for path, sha256 in job.candidates]
    best = max(range(len(chosen)), key=lambda i: (round(chosen[i].bleu, 2), -i))
    path, sha256 = job.candidates[best]
    options = job.search.options(chosen[best].length_penalty)
    tests = {test.name: _translated(job, path, sha256, test, options) for test in job.tests}
    counts = {test.name: _counted(job, test, tests[test.name].hypotheses) for test in job.tests}
    return ScoredPoint(path, sha256, chosen[best], tests, counts)


def _chosen(job: PointJob, path: Path, weights: str) -> Chosen:
    """Every penalty tried on validation."""

    def find() -> Chosen:
        found = tune_length_penalty(
            open_system(path, threads=job.search.threads),
            job.validation.pairs,
            job.validation.title,
            job.search.options(NEUTRAL),
            job.search.length_penalties,
        )
        bleu_of = {f"{alpha:g}": score.value for alpha, score in found.scores.items()}
        return Chosen(length_penalty=found.best, validation_bleu=bleu_of)

    search = (job.search.beam_size, job.search.length_penalties)
    return remembered(job.memory, Chosen, find, weights, job.validation.sha256, search)


def _translated(
    job: PointJob, path: Path, weights: str, test: Sentences, options: SearchOptions
) -> Translated:
    threads = job.search.threads
    search = (options.beam_size, options.length_penalty, threads)
    return remembered(
        job.memory,
        Translated,
        lambda: translate_test(
            open_system(path, threads=threads), test, options, partial(_counted, job, test)
        ),
        *(weights, test.title, test.sha256, search),
    )


def _counted(job: PointJob, test: Sentences, hypotheses: tuple[str, ...]) -> dict[Metric, Table]:
    """Every metric's counts; TER's take longer than the translations did."""
    references = [pair.tgt for pair in test.pairs]

    def find(metric: Metric) -> Counted:
        return Counted(rows=tuple(map(tuple, count(metric, hypotheses, references).tolist())))

    return {
        metric: np.array(
            remembered(
                job.memory, Counted, partial(find, metric), metric, test.sha256, hypotheses
            ).rows
        )
        for metric in METRICS
    }


def translate_test(
    system: System,
    test: Sentences,
    options: SearchOptions,
    counted: Callable[[tuple[str, ...]], dict[Metric, Table]],
) -> Translated:
    """Translate a test set, watched by clock, processor time and energy, and score it."""
    sources = [pair.src for pair in test.pairs]
    forget_peak()
    meter, began, cpu = EnergyMeter(), time.perf_counter(), time.process_time()
    found = translate_sentences(system.stepper, system.tokenizer, sources, options, system.max_rows)
    seconds, processor_s = time.perf_counter() - began, time.process_time() - cpu
    energy, memory_mib = meter.spent(), peak_mib()
    tokens = sum(len(system.tokenizer.encode(text)) + 1 for text in found)  # with eos
    tables = counted(tuple(found))
    scores = [score_of(metric, table, test.title) for metric, table in tables.items()]
    precision = {"precision": system.precision}
    return Translated(
        hypotheses=tuple(found),
        scores=tuple(score.model_copy(update=precision) for score in scores),
        decoding=Decoding(
            seconds=round(seconds, 4),
            processor_seconds=round(processor_s, 4),
            sentences_per_s=len(found) / seconds,
            tokens_per_s=tokens / seconds,
            sentences_per_processor_s=len(found) / processor_s,
            memory_mib=memory_mib,
            energy=energy,
        ),
    )
