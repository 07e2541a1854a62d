"""A bulk job: which shards are left, one shard's work, and the file that all of them make.

Beside a target stands `.NAME.shards` while it is in work, with a file for every finished shard,
which is whole or not there; so whoever is killed, a finished shard is never done again, and each
text comes out exactly once.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mt.errors import BundleError, ConfigError
from mt.search_options import SearchOptions
from serving.bulk import tables
from serving.bulk.tables import Span
from serving.commands.file_jobs import FileJob
from serving.settings import EngineSettings
from serving.stores.documents import batches
from serving.translator import Translator

SHARD_BYTES = 1 << 18
SHARD_ROWS = 2_000
BATCH_TEXTS = 256
BATCH_CHARS = 100_000


@dataclass(frozen=True)
class Pairs:
    """Write sentence pairs instead of translations: for whom the given text is which side.

    tag: stands before a source that a model wrote (Caswell et al. 2019); None: nothing does.
    """

    given: str  # "source" or "target"
    tag: str | None = None


@dataclass(frozen=True)
class Order:
    """How all shards are translated."""

    bundle: Path
    engine: EngineSettings
    options: SearchOptions
    field: str = "text"
    pairs: Pairs | None = None

    def facts(self) -> dict[str, Any]:
        """What must be the same when a job is continued."""
        try:
            manifest = (self.bundle / "manifest.json").read_bytes()
        except OSError:
            raise BundleError(f"{self.bundle}: no such bundle folder") from None
        return {
            "bundle_sha256": hashlib.sha256(manifest).hexdigest(),
            "precision": self.engine.precision,
            "shortlist": self.engine.shortlist,
            "search": self.options.model_dump(mode="json"),
            "field": self.field,
            "pairs": self.pairs and asdict(self.pairs),
        }


@dataclass(frozen=True)
class Shard:
    """One part of a file and where its translation goes."""

    job: int
    source: Path
    span: Span
    target: Path


@dataclass(frozen=True)
class BulkFile:
    """A file in work."""

    job: FileJob
    shards: tuple[Shard, ...]

    @property
    def left(self) -> list[Shard]:
        """Shards that are not finished."""
        return [shard for shard in self.shards if not shard.target.exists()]

    def finish(self, order: Order) -> None:
        """Put the target in place and take the shards away.

        Raises:
            ConfigError: the disk refuses.
        """
        target = self.job.target
        part = target.with_name(f".{target.name}.part")
        kind: tables.Kind = "jsonl" if order.pairs else tables.kind_of(self.job.source)
        try:
            with part.open("wb") as file:
                if self.shards:
                    tables.join(kind, [shard.target for shard in self.shards], file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise ConfigError(f"cannot write {target}: {error.strerror}") from None
        shutil.rmtree(_folder(self.job))


def open_file(number: int, job: FileJob, order: Order) -> BulkFile:
    """The shards of a job; those of an earlier run count if it was the very same.

    Raises:
        ConfigError: the file cannot be read, or another job is in work there.
    """
    spans = tables.cut(job.source, SHARD_BYTES, SHARD_ROWS)
    folder, stat = _folder(job), job.source.stat()
    facts = order.facts() | {
        "file": [stat.st_size, stat.st_mtime_ns],
        "shards": [SHARD_BYTES, SHARD_ROWS],
    }
    _claim(folder, json.dumps(facts, sort_keys=True))
    shards = (
        Shard(number, job.source.resolve(), span, folder.resolve() / f"{at:07}")
        for at, span in enumerate(spans)
    )
    return BulkFile(job, tuple(shards))


def translate(translator: Translator, order: Order, shard: Shard) -> None:
    """One shard, to its file.

    Raises:
        InputError: its texts cannot be read or translated.
    """
    rows = tables.read(shard.source, shard.span, order.field)
    done: list[str] = []
    for batch in batches(rows.texts, BATCH_TEXTS, BATCH_CHARS):
        done += [one.text for one in translator.translate(batch, order.options)]
    if order.pairs is None:
        content = tables.written(tables.kind_of(shard.source), rows, done)
    else:
        content = b"".join(map(tables.json_line, _pairs(order.pairs, rows.texts, done)))
    aside = shard.target.with_name(f".{shard.target.name}.{uuid4().hex}")
    aside.write_bytes(content)
    aside.replace(shard.target)


def _pairs(pairs: Pairs, given: Sequence[str], written: Sequence[str]) -> list[dict[str, Any]]:
    """Pairs of texts; those of which a side is blank teach nothing."""
    tag = f"{pairs.tag} " if pairs.tag else ""
    both = ((a.strip(), b.strip()) for a, b in zip(given, written, strict=True))
    found = [(a, tables.on_one_line(b)) for a, b in both if a and b]
    if pairs.given == "source":
        return [{"source": tag + a, "target": b} for a, b in found]
    return [{"source": tag + b, "target": a} for a, b in found]


def _folder(job: FileJob) -> Path:
    return job.target.with_name(f".{job.target.name}.shards")


def _claim(folder: Path, facts: str) -> None:
    """Note what a folder of shards is for, or check that it is for the same."""
    note = folder / "job.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            aside = note.with_name(f".{note.name}.tmp")
            aside.write_text(facts)
            aside.replace(note)
        before = note.read_text()
    except OSError as error:
        raise ConfigError(f"cannot write {folder}: {error.strerror}") from None
    if before != facts:
        raise ConfigError(
            f"{folder} was begun with another file, bundle or options; "
            "repeat that command to continue it, or delete the folder"
        )
