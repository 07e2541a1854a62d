"""A recipe's corpus: published, embedded or own files, all seen the same way by what follows."""

import hashlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import Annotated, Protocol

from pydantic import Field, model_validator

from mt.config import Strict
from mt.errors import CorpusError
from training.corpora import embedded
from training.corpora.cleaning import CleaningConfig, CleaningReport, clean
from training.corpora.extra import ExtraPairs, Extras
from training.corpora.own_files import CutFiles, OwnFiles, Sources
from training.corpora.pair import Pair
from training.corpora.registry import PublishedCorpus, registry
from training.corpora.seen_pairs import SeenPairs
from training.corpora.splitting import TRAIN, SplitConfig, side_keys

EMBEDDED = "embedded"
EMBEDDED_SPLITS = ("train", "validation", "test", "test-long")
EMBEDDED_TRAIN_PAIRS = 20_000


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class CorpusConfig(Strict):
    """The `corpus` section of a recipe."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="in the registry, or `embedded`, or your own with `files`",
    )
    source: Language = Field(description="code of the source language: en, de, ...")
    target: Language = Field(description="code of the target language")
    train_pairs: int | None = Field(
        None, ge=1, description="embedded: how many are made; else: only the first that are clean"
    )
    seed: int = Field(1, description="of the embedded corpus's training sentences")
    files: dict[str, Sources] | None = Field(
        None, description="own files by split: train, validation, test, or more tests"
    )
    licence: str | None = Field(None, description="of own files; goes into every bundle")
    split: SplitConfig | None = Field(
        None, description="cut validation and test off `files.train`, if they have no own files"
    )
    cleaning: CleaningConfig = CleaningConfig()
    extra_train: Extras = Field(
        (), description="more training pairs: folders `seq2serve distill` wrote, or files"
    )
    keep_original: bool = Field(True, description="false: train on extra_train alone")

    @model_validator(mode="after")
    def _fits_together(self) -> "CorpusConfig":
        if self.source == self.target:
            raise ValueError("source and target are the same language")
        if not self.keep_original and not self.extra_train:
            raise ValueError("keep_original is false, but extra_train names nothing to train on")
        if self.files is None:
            self._check_named()
        else:
            self._check_own(self.files)
        return self

    def _check_named(self) -> None:
        known = sorted([EMBEDDED, *registry()])
        if self.name not in known:
            raise ValueError(f"no corpus has this name; known are {', '.join(known)}; or add files")
        if self.split is not None or self.licence is not None:
            raise ValueError("split and licence belong to own files only")
        if self.name == EMBEDDED and {self.source, self.target} != {"en", "fr"}:
            raise ValueError("the embedded corpus is French and English (source fr, target en)")

    def _check_own(self, files: dict[str, Sources]) -> None:
        if self.name == EMBEDDED or self.name in registry():
            raise ValueError(f"{self.name} is taken; give your own files another name")
        if TRAIN not in files:
            raise ValueError("files.train is missing")
        if not self.licence:
            raise ValueError("licence is missing; say under which terms your files may be used")
        if self.split is not None and len(files) > 1:
            raise ValueError("split cuts files.train only; remove it, or the other files")
        if self.split is None and "validation" not in files:
            raise ValueError("files.validation is missing; name it, or add a split section")


class Origin(Protocol):
    """Where a corpus comes from, in one language direction."""

    @property
    def licence(self) -> str:
        """Terms of use of the text."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that can be read."""

    @property
    def sha256(self) -> dict[str, str]:
        """Checksums of what is read, by file name."""

    def pairs(self, split: str) -> Iterator[Pair]:
        """Pairs of one of these splits, in order."""


class Corpus:
    """Pairs by split, source language first.

    Attributes:
        name, source, target: as in the recipe.
        report: what cleaning did; None until `train_pairs` has been read to its end.
    """

    def __init__(self, config: CorpusConfig, origin: Origin) -> None:
        self.name, self.source, self.target = config.name, config.source, config.target
        self.report: CleaningReport | None = None
        self._config, self._origin = config, origin
        self._extra = ExtraPairs(config.extra_train, config.source, config.target)

    @property
    def licence(self) -> str:
        """Terms of use of the text."""
        return self._origin.licence

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that can be read; `train` and `validation` are the usual first."""
        return self._origin.splits

    @property
    def sha256(self) -> dict[str, str]:
        """Checksums of the files behind these splits, by file name; the same on every machine."""
        return {**self._origin.sha256, **self._extra.sha256}

    def changed_since(self, trained: Mapping[str, str]) -> list[str]:
        """Names of own files that are not what they were when a model was trained on them.

        trained: `sha256` of that time. Files that are gone are not missed, and published or
        generated text does not change.
        """
        try:
            own = self._origin.sha256 if self._config.files is not None else {}
            return _differing({**own, **self._extra.sha256}, trained)
        except CorpusError:
            return []

    def check_cut(self, trained: Mapping[str, str]) -> None:
        """Refuse files that a splitter cuts otherwise than when a model was trained on them, for
        what was training text then may be test text now. trained: `sha256` of that time.

        Raises:
            CorpusError: names the files.
        """
        if self._config.split is None:
            return
        if changed := _differing(self._origin.sha256, trained):
            raise CorpusError(
                f"{self.name}: {', '.join(changed)} is not what the model was trained on; cut "
                "anew, its training pairs would be among those it is tested on: bring the old "
                "file back, or train again"
            )

    def pairs(self, split: str) -> Iterator[Pair]:
        """Pairs of a split as they were written, streaming.

        Raises:
            CorpusError: there is no such split, or a file of it cannot be had or read.
        """
        if split not in self.splits:
            offered = ", ".join(self.splits)
            raise CorpusError(f"{self.name} has no split {split}, only {offered}")
        return self._origin.pairs(split)

    def train_pairs(self) -> Iterator[Pair]:
        """Cleaned training pairs, streaming: the split's own, then the extra ones that are new.

        `report` tells afterwards what was lost.

        Raises:
            CorpusError: as for `pairs`, or cleaning left nothing.
        """
        report, seen = CleaningReport(), SeenPairs()
        if self._config.keep_original:
            with closing(self._own(report, seen)) as own:
                yield from islice(own, self._config.train_pairs)
        if self._config.extra_train:
            extra, held_out = self._extra.pairs(), self._held_out()
            yield from clean(extra, self._config.cleaning, report, seen, held_out)
        if not report.kept:
            raise CorpusError(
                f"{self.name}: cleaning left no training pair ({'; '.join(report.lines())}); "
                "check corpus.source, corpus.target and corpus.cleaning"
            )
        self.report = report

    def _own(self, report: CleaningReport, seen: SeenPairs) -> Generator[Pair, None, None]:
        """Clean pairs of the training split."""
        if isinstance(self._origin, CutFiles):  # cleaned before it was cut
            return self._origin.pairs(TRAIN, report, seen)
        return clean(self._origin.pairs(TRAIN), self._config.cleaning, report, seen)

    def _held_out(self) -> frozenset[bytes]:
        """Sides of all pairs that models of this corpus are validated or tested on."""
        others = (split for split in self.splits if split != TRAIN)
        pairs = (pair for split in others for pair in self._origin.pairs(split))
        return frozenset(key for pair in pairs for key in side_keys(pair))


def open_corpus(config: CorpusConfig) -> Corpus:
    """The corpus of a recipe; nothing is read or downloaded before its pairs are.

    Raises:
        CorpusError: it lacks the languages, or cannot be had.
    """
    if config.files is not None:
        own = OwnFiles(config.files, config.licence or "", (config.source, config.target))
        if config.split is None:
            return Corpus(config, own)
        return Corpus(config, CutFiles(own, config.split, config.cleaning))
    if config.name == EMBEDDED:
        return Corpus(config, EmbeddedText(config))
    entry = registry()[config.name]
    return Corpus(config, PublishedCorpus(config.name, entry, config.source, config.target))


def _differing(now: Mapping[str, str], trained: Mapping[str, str]) -> list[str]:
    return [name for name, digest in now.items() if trained.get(name) != digest]


class EmbeddedText:
    """The corpus that is generated, French to English or turned round."""

    licence = "MIT, generated by this program"
    splits = EMBEDDED_SPLITS

    def __init__(self, config: CorpusConfig) -> None:
        self._seed, self._turned = config.seed, config.source == "en"
        self._train_pairs = config.train_pairs or EMBEDDED_TRAIN_PAIRS

    def pairs(self, split: str) -> Iterator[Pair]:
        """Pairs of a split, generated."""
        made = embedded.generate(split, seed=self._seed, train_pairs=self._train_pairs)
        return (Pair(tgt, src) for src, tgt in made) if self._turned else made

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of the training split as a TSV file; the same generator makes the others."""
        return {f"{EMBEDDED}.{TRAIN}.tsv": _hash_pairs(self.pairs(TRAIN))}


def _hash_pairs(pairs: Iterator[Pair]) -> str:
    digest = hashlib.sha256()
    for src, tgt in pairs:
        digest.update(f"{src}\t{tgt}\n".encode())
    return digest.hexdigest()
