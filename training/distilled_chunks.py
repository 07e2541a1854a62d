"""Pairs on their way to disk: finished chunks of one model, then all of them as one file."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress, islice
from json import dumps
from pathlib import Path

import zstandard

from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, read_all_pairs
from training.corpora.seen_pairs import SeenPairs, digests
from training.durable_files import write_file

CHUNK = 2000  # pairs; a kill loses at most the chunk in work
SOME = 1 << 14  # pairs that are compared with all before them at once


@dataclass
class Counts:
    """What became of translated pairs when they were collected."""

    translated: int = 0
    written: int = 0
    repeated: int = 0
    blank: int = 0


class Chunks:
    """A folder of files with `CHUNK` pairs each, every one whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def missing(self, pairs: Iterable[Pair]) -> Iterator[tuple[int, list[Pair]]]:
        """Chunks of the original pairs that are not on disk, each after its first pair's index."""
        rest, first = iter(pairs), 0
        while chunk := list(islice(rest, CHUNK)):
            if not self._path(first).is_file():
                yield first, chunk
            first += len(chunk)

    def written(self) -> int:
        """How many pairs are on disk, the last chunk counted as a whole one."""
        return CHUNK * len(self._files())

    def write(self, first: int, pairs: Iterable[Pair]) -> None:
        """Put one chunk on disk for good."""
        lines = "".join(map(_line, pairs)).encode()
        write_file(self._path(first), zstandard.ZstdCompressor().compress(lines))

    def read(self) -> Iterator[Pair]:
        """All pairs in order.

        Raises:
            CorpusError: a file is damaged.
        """
        for path in self._files():
            yield from read_all_pairs(JsonLinesFile(path=path))

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.jsonl.zst"))

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:010}.jsonl.zst"


def collect(pairs: Iterable[Pair], path: Path) -> Counts:
    """Write pairs into one file, JSON lines under zstd, without blank and repeated ones."""
    counts = Counts()
    fresh = path.with_name(f".{path.name}.tmp")
    with fresh.open("wb") as file:
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
            for pair in _worth_keeping(pairs, counts):
                packed.write(_line(pair).encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return counts


def _worth_keeping(pairs: Iterable[Pair], counts: Counts) -> Iterator[Pair]:
    seen, rest = SeenPairs(), iter(pairs)
    while chunk := list(islice(rest, SOME)):
        whole = [pair for pair in chunk if all(text.strip() for text in pair)]
        found = digests(whole)
        new = seen.unseen(found)
        seen.add(found[new])
        counts.translated += len(chunk)
        counts.blank += len(chunk) - len(whole)
        counts.repeated += len(whole) - int(new.sum())
        counts.written += int(new.sum())
        yield from compress(whole, new)


def _line(pair: Pair) -> str:
    return dumps({"source": pair.src, "target": pair.tgt}, ensure_ascii=False) + "\n"
