"""Distilling: trained models translate the training text, and their pairs are there to train on.

A *forward* model writes new targets: sequence-level knowledge distillation, Kim and Rush 2016,
section 3.2. A *backward* one, of the opposite direction, writes new sources. Both together beside
the original pairs are data diversification, Nguyen et al. 2020.

OUT holds `plan.json` (what the folder is for), a folder of finished chunks for each model at work,
and at the end `<direction>-<checksum>.jsonl.zst` for each model, `corpus.yaml` (the section of a
recipe that trains on all this) and `distilled.json`, which says whose translations these are.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from mt.bundle import Score
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.console import Progress, say
from training.corpora.corpus import Corpus, CorpusConfig, open_corpus
from training.corpora.extra import (
    PROVENANCE,
    Direction,
    DistilledPairs,
    Provenance,
    read_provenance,
)
from training.corpora.own_files import checksum
from training.corpora.pair import Pair
from training.distilled_chunks import Chunks, collect
from training.durable_files import remove_folder, write_file
from training.evaluate import bleu, translate_sentences
from training.resume import locked
from training.system import System, open_system

PLAN = "plan.json"
CORPUS = "corpus.yaml"
COMPARED = 10_000  # translations, evenly spread, that are compared with what people wrote


@dataclass(frozen=True)
class Teacher:
    """A model, and the side of the pairs that it writes."""

    system: System
    direction: Direction

    @property
    def label(self) -> str:
        """Name of its files."""
        return f"{self.direction}-{self.system.sha256[:12]}"

    def identity(self) -> dict[str, str]:
        """What must be the same when its work is continued."""
        return {
            "model": self.system.name,
            "weights_sha256": self.system.sha256,
            "precision": self.system.precision,
            "direction": self.direction,
        }

    def given(self, pair: Pair) -> str:
        """The side that it translates."""
        return pair.src if self.direction == "forward" else pair.tgt

    def written(self, pair: Pair) -> str:
        """The side that it writes, or that people wrote there."""
        return pair.tgt if self.direction == "forward" else pair.src

    def pair(self, given: str, written: str) -> Pair:
        """Both sides, the corpus's source first."""
        return Pair(given, written) if self.direction == "forward" else Pair(written, given)


@dataclass(frozen=True)
class Task:
    """What every teacher works on."""

    config: CorpusConfig
    corpus: Corpus
    sentences: int | None
    search: SearchOptions
    max_rows: int

    def pairs(self) -> Iterator[Pair]:
        """The training pairs that are translated."""
        return islice(self.corpus.train_pairs(), self.sentences)

    def identity(self) -> dict[str, Any]:
        """What must be the same when a distillation is continued, as JSON values."""
        return {
            "corpus": self.config.model_dump(mode="json"),
            "corpus_sha256": self.corpus.sha256,
            "sentences": self.sentences,
            "search": self.search.model_dump(mode="json"),
        }


def distill(
    models: Sequence[Path],
    out: Path,
    corpus: CorpusConfig | None = None,
    search: SearchOptions | None = None,
    sentences: int | None = None,
    precision: str | None = None,
    threads: int = 2,
    max_rows: int = 160,
    keep_original: bool = True,
) -> Provenance:
    """Translate the training side of a corpus with every model; the same call again continues.

    models: runs, checkpoints or bundles; those of the opposite direction are backward ones;
    corpus: whose own training pairs are translated (None: that of the first model);
    sentences: only the first so many; precision: which graphs of bundles answer;
    keep_original: whether `corpus.yaml` trains on the original pairs too.

    Raises:
        ConfigError: a model of other languages or given twice, or `out` is another distillation.
        CheckpointError, BundleError: a model that cannot be opened, or the disk refuses.
        CorpusError: the text cannot be had.
    """
    systems = [open_system(path, precision, threads) for path in models]
    config = original_only(corpus or systems[0].recipe.corpus)
    teachers = _teachers(systems, config)
    task = Task(config, open_corpus(config), sentences, search or SearchOptions(), max_rows)
    with locked(out):
        _claim(out, task, teachers)
        if (out / PROVENANCE).is_file():
            say(f"{out} is already finished")
        else:
            _distill(out, task, teachers)
        write_file(out / CORPUS, corpus_section(out, config, keep_original).encode())
        for teacher in teachers:
            remove_folder(out / teacher.label)
    return read_provenance(out)


def original_only(config: CorpusConfig) -> CorpusConfig:
    """The corpus without what was added to it: nobody translates translations."""
    return config.model_copy(update={"extra_train": (), "keep_original": True})


def corpus_section(out: Path, config: CorpusConfig, keep_original: bool) -> str:
    """The `corpus` section of a recipe that trains on a distilled folder, as YAML."""
    fields = CorpusConfig.model_fields
    said = {name for name in fields if getattr(config, name) != fields[name].default}
    added = {"extra_train": [str(out)], "keep_original": keep_original}
    values = config.model_dump(mode="json", include=said) | added
    return yaml.safe_dump({"corpus": values}, sort_keys=False, allow_unicode=True)


def direction_of(system: System, config: CorpusConfig) -> Direction:
    """Whether a model writes the targets or the sources of a corpus.

    Raises:
        ConfigError: it translates between other languages.
    """
    learnt = system.recipe.corpus.source, system.recipe.corpus.target
    if learnt == (config.source, config.target):
        return "forward"
    if learnt == (config.target, config.source):
        return "backward"
    raise ConfigError(
        f"{system.name} translates {'-'.join(learnt)}, but the text is "
        f"{config.source}-{config.target}; leave that model out, or choose a text with --recipe"
    )


def _teachers(systems: Sequence[System], config: CorpusConfig) -> list[Teacher]:
    teachers: list[Teacher] = []
    for system in systems:
        teacher = Teacher(system, direction_of(system, config))
        if teacher.label in [other.label for other in teachers]:
            raise ConfigError(f"{system.name} ({system.sha256[:12]}) is given twice")
        teachers.append(teacher)
    return teachers


def _claim(out: Path, task: Task, teachers: Sequence[Teacher]) -> None:
    """Note what the folder is for, or check that it is for the same."""
    plan = task.identity() | {"models": [teacher.identity() for teacher in teachers]}
    path = out / PLAN
    if not path.is_file():
        write_file(path, _json(plan))
        return
    try:
        before = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise ConfigError(f"{path} is damaged; distil into another folder") from None
    others = [key for key in plan if before.get(key) != plan[key]]
    if others:
        raise ConfigError(
            f"{out} belongs to another distillation, of other {', '.join(others)}; "
            "repeat its own command to continue it, or choose another folder"
        )


def _distill(out: Path, task: Task, teachers: Sequence[Teacher]) -> None:
    total = sum(1 for _ in task.pairs())
    for teacher in teachers:
        _translate(Chunks(out / teacher.label), task, teacher, total)
    values = task.identity() | {
        "source": task.config.source,
        "target": task.config.target,
        "models": [_collected(out, task, teacher, total) for teacher in teachers],
    }
    write_file(out / PROVENANCE, _json(Provenance.model_validate(values).model_dump(mode="json")))


def _translate(chunks: Chunks, task: Task, teacher: Teacher, total: int) -> None:
    """Translate the chunks that are not on disk yet."""
    system, already = teacher.system, min(chunks.written() / total, 1.0)
    with Progress(f"{system.name} writes {teacher.direction} pairs", already) as bar:
        for first, pairs in chunks.missing(task.pairs()):
            given = [teacher.given(pair) for pair in pairs]
            written = translate_sentences(
                system.stepper,
                system.tokenizer,
                given,
                task.search,
                task.max_rows,
                bar.counter(total, first),
            )
            chunks.write(first, map(teacher.pair, given, written))


def _collected(out: Path, task: Task, teacher: Teacher, total: int) -> dict[str, Any]:
    """Put a model's chunks into one file; what `DistilledPairs` says of it."""
    chunks, path = Chunks(out / teacher.label), out / f"{teacher.label}.jsonl.zst"
    counts = collect(chunks.read(), path)
    facts = {"file": path.name, "file_sha256": checksum(path)}
    score = _compare(chunks, task, teacher, every=-(-total // COMPARED))
    return DistilledPairs.model_validate(
        teacher.identity() | facts | asdict(counts) | {"score": score}
    ).model_dump()


def _compare(chunks: Chunks, task: Task, teacher: Teacher, every: int) -> Score:
    """BLEU of a model on text it may have learnt: a sign of life, no test score."""
    both = islice(zip(chunks.read(), task.pairs(), strict=True), 0, None, every)
    sides = [(teacher.written(new), teacher.written(old)) for new, old in both]
    hypotheses, references = zip(*sides, strict=True)
    test_set = f"{task.corpus.name}:{task.corpus.source}-{task.corpus.target}:train"
    score = bleu(hypotheses, references, f"{test_set}, {len(sides)} pairs")
    return score.model_copy(update={"precision": teacher.system.precision})


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()
