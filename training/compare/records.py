"""From what was found to comparison.json: every figure with what it belongs to."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.errors import CheckpointError
from training.budget import RunState
from training.checkpoint import read_checkpoint
from training.compare.comparing import Comparing
from training.compare.contrasts import CORRECTION
from training.compare.energy import estimate_energy
from training.compare.flops import embedding_parameters
from training.compare.jobs import SELECTION, Job, at_mark, checkpoints
from training.compare.outcome import (
    ComparedSystem,
    Comparison,
    Contrast,
    CorpusFacts,
    CurvePoint,
    Point,
    Protocol,
    Result,
    Run,
    Summary,
    TestSet,
    ViewName,
)
from training.compare.plan import ALL_PAIRS
from training.compare.scored import ScoredPoint, Sentences
from training.compare.statistics import CONFIDENCE, RANDOM_SEED
from training.corpora.corpus import Corpus
from training.machine import describe_machine, source_revision
from training.models import build_model
from training.models.seq2seq import count_parameters
from training.precision import choose_device_to_read_on
from training.recipe import to_values

_LIBRARIES = ("seq2serve", "torch", "numpy", "sacrebleu", "sentencepiece")
_NOT_SETTINGS = ("seed", "training", "tune")


@dataclass(frozen=True)
class Found:
    """All that scoring found; points by run folder and view."""

    corpus: Corpus
    validation: Sentences
    tests: tuple[Sentences, ...]
    jobs: Sequence[Job]
    points: dict[tuple[Path, ViewName], ScoredPoint]

    def point(self, system: str, seed: int, data: str, view: ViewName) -> ScoredPoint:
        """The one of a system and seed."""
        return next(
            self.points[job.run, view]
            for job in self.jobs
            if (job.system, job.seed, job.data.name) == (system, seed, data) and view in job.marks
        )


def record(
    comparing: Comparing,
    found: Found,
    summaries: Sequence[Summary],
    contrasts: Sequence[Contrast],
    command: str,
) -> tuple[Comparison, dict[str, bytes]]:
    """The whole comparison, and the text files that go into its `translations`.

    Raises:
        CheckpointError: a run's metrics cannot be read.
    """
    texts: dict[str, bytes] = {}
    plan = comparing.plan
    first = next(iter(comparing.recipes.values()))
    outcome = Comparison(
        name=plan.name,
        command=command,
        versions={"python": platform.python_version()} | {lib: version(lib) for lib in _LIBRARIES},
        machine=describe_machine(choose_device_to_read_on(first.training.device)),
        revision=source_revision(),
        corpus=_corpus(comparing, found.corpus),
        protocol=_protocol(comparing, found),
        systems=tuple(_systems(comparing)),
        seeds=plan.seeds,
        data=plan.conditions,
        views=plan.views,
        test_sets=tuple(_test_set(test, texts) for test in found.tests),
        runs=tuple(_run(comparing, job) for job in found.jobs),
        points=tuple(point for job in found.jobs for point in _points(comparing, found, job)),
        results=tuple(result for job in found.jobs for result in _results(found, job, texts)),
        summaries=tuple(summaries),
        contrasts=tuple(contrasts),
    )
    return outcome, texts


def _corpus(comparing: Comparing, corpus: Corpus) -> CorpusFacts:
    pieces = comparing.shared.tokenizer
    return CorpusFacts(
        name=corpus.name,
        source=corpus.source,
        target=corpus.target,
        licence=corpus.licence,
        sha256=corpus.sha256,
        tokenizer=_relative(pieces, comparing.folder),
        tokenizer_sha256=comparing.shared.tokenizer_sha256,
        vocab_size=comparing.shared.pieces.vocab_size,
    )


def _protocol(comparing: Comparing, found: Found) -> Protocol:
    plan, fair = comparing.plan, comparing.fair
    return Protocol(
        selection=SELECTION,
        validation_split=found.validation.name,
        validation_sentences=len(found.validation.pairs),
        beam_size=plan.search.beam_size,
        length_penalties=plan.search.length_penalties,
        threads=plan.threads,
        samples=plan.samples,
        random_seed=RANDOM_SEED,
        confidence=CONFIDENCE,
        correction=CORRECTION,
        checks=fair.checks,
        notes=fair.notes,
    )


def _systems(comparing: Comparing) -> Iterator[ComparedSystem]:
    for system in comparing.plan.systems:
        recipe = comparing.recipes[system.name]
        model = build_model(recipe.model, comparing.shared.pieces.vocab_size)
        values = to_values(recipe)
        values["subwords"] = {k: v for k, v in values["subwords"].items() if k != "model"}
        yield ComparedSystem(
            name=system.name,
            recipe=recipe.name,
            family=recipe.model.family,
            settings={key: part for key, part in values.items() if key not in _NOT_SETTINGS},
            parameters=count_parameters(model),
            embedding_parameters=embedding_parameters(model),
            flops_per_target_token=comparing.shared.costs[system.name, ALL_PAIRS.name].flops,
            unmatched=system.unmatched,
            tuning=comparing.fair.tuning.get(system.name),
        )


def _test_set(test: Sentences, texts: dict[str, bytes]) -> TestSet:
    return TestSet(
        name=test.name,
        split=test.split,
        joined=test.joined,
        sentences=len(test.pairs),
        sources=_text(f"{test.name}.source.txt", [pair.src for pair in test.pairs], texts),
        references=_text(f"{test.name}.reference.txt", [pair.tgt for pair in test.pairs], texts),
    )


def _run(comparing: Comparing, job: Job) -> Run:
    state = checkpoints(job.run)[-1].state
    flops = comparing.shared.costs[job.system, job.data.name].flops
    return Run(
        system=job.system,
        seed=job.seed,
        data=job.data.name,
        views=tuple(job.marks),
        folder=_relative(job.run, comparing.folder),
        updates=state.update,
        epochs=round(state.epochs, 2),
        target_tokens=state.target_tokens,
        processor_minutes=_minutes(state),
        minutes=round(state.seconds / 60, 4),
        flops=state.target_tokens * flops,
        trained=tuple(state.sittings),
        target_tokens_per_processor_s=state.target_tokens / state.cpu_seconds,
        peak_memory_mib=round(state.peak_rss_mib, 1),
        energy=estimate_energy(state.cpu_seconds),
        curve=tuple(_curve(job.run, state, flops)),
    )


def _curve(run: Path, state: RunState, flops: float) -> Iterator[CurvePoint]:
    """The validation lines of a run's metrics; old runs did not log tokens, which are even."""
    path = run / "metrics.jsonl"
    try:
        lines: list[dict[str, Any]] = list(map(json.loads, path.read_bytes().splitlines()))
    except (OSError, ValueError):
        raise CheckpointError(f"{path} cannot be read; the learning curve is in it") from None
    for line in lines:
        if line["kind"] == "validation":
            share = line["update"] / state.update
            tokens = line.get("target_tokens", share * state.target_tokens)
            yield CurvePoint(
                update=line["update"],
                target_tokens=tokens,
                processor_minutes=line.get("cpu_minutes", share * state.cpu_seconds / 60),
                minutes=line["minutes"],
                flops=tokens * flops,
                validation_bleu=line["BLEU"],
            )


def _points(comparing: Comparing, found: Found, job: Job) -> Iterator[Point]:
    kept = checkpoints(job.run)
    flops = comparing.shared.costs[job.system, job.data.name].flops
    for view, mark in job.marks.items():
        scored = found.points[job.run, view]
        spent = at_mark(kept, mark, job.run).state
        update = read_checkpoint(scored.checkpoint).state.update
        yield Point(
            system=job.system,
            seed=job.seed,
            data=job.data.name,
            view=view,
            checkpoint=_relative(scored.checkpoint, comparing.folder),
            weights_sha256=scored.weights_sha256,
            updates=spent.update,
            target_tokens=spent.target_tokens,
            processor_minutes=_minutes(spent),
            flops=spent.target_tokens * flops,
            weights_of_update=update,
            length_penalty=scored.chosen.length_penalty,
            validation_bleu=scored.chosen.validation_bleu,
        )


def _results(found: Found, job: Job, texts: dict[str, bytes]) -> Iterator[Result]:
    for view in job.marks:
        scored = found.points[job.run, view]
        for test, translated in scored.tests.items():
            which = f"{job.system}.{job.data.name}.seed-{job.seed}.{scored.weights_sha256[:8]}"
            yield Result(
                system=job.system,
                seed=job.seed,
                data=job.data.name,
                view=view,
                test_set=test,
                scores=translated.scores,
                hypotheses=_text(f"{test}.{which}.txt", translated.hypotheses, texts),
                decoding=translated.decoding,
            )


def _text(name: str, lines: Sequence[str], texts: dict[str, bytes]) -> str:
    """Keep a text file, a sentence a line, and return its path."""
    texts[name] = "".join(" ".join(line.splitlines()) + "\n" for line in lines).encode()
    return f"translations/{name}"


def _relative(path: Path, folder: Path) -> str:
    """A path from the comparison's folder, so that both may move together."""
    return os.path.relpath(path, folder)


def _minutes(state: RunState) -> float:
    return round(state.cpu_seconds / 60, 4)
