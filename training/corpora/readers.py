"""Readers: pairs from Moses pairs of files, TSV, JSON lines, TMX, PO and XLIFF, streaming."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mt.bilingual_files import tmx
from mt.bilingual_files.languages import Languages
from mt.config import Strict
from mt.errors import CorpusError, InputError
from training.corpora import po, xliff
from training.corpora.lines import read_chunks, read_lines
from training.corpora.pair import Pair

UNTOLD: Languages = ("", "")


class MosesFiles(Strict):
    """Two files whose lines with the same number translate each other."""

    format: Literal["moses"] = "moses"
    source: Path
    target: Path


class TsvFile(Strict):
    """One file with tabs between columns; columns count from 1."""

    format: Literal["tsv"] = "tsv"
    path: Path
    source_column: int = Field(1, ge=1)
    target_column: int = Field(2, ge=1)


class JsonLinesFile(Strict):
    """One file with a JSON object a line; a dot in a key leads into an inner object."""

    format: Literal["jsonl"] = "jsonl"
    path: Path
    source_key: str = Field("source", min_length=1)
    target_key: str = Field("target", min_length=1)


class TextFile(Strict):
    """Plain text for pretraining: each line is both sides of a pair."""

    format: Literal["text"] = "text"
    path: Path


class TmxFile(Strict):
    """A translation memory; only units in both languages count."""

    format: Literal["tmx"] = "tmx"
    path: Path


class PoFile(Strict):
    """A gettext catalogue; only finished messages count, neither fuzzy nor obsolete."""

    format: Literal["po"] = "po"
    path: Path


class XliffFile(Strict):
    """XLIFF 1.2 or 2.0; only units whose translation is finished count."""

    format: Literal["xliff"] = "xliff"
    path: Path


BilingualFile = TmxFile | PoFile | XliffFile
AnySource = MosesFiles | TsvFile | JsonLinesFile | TextFile | BilingualFile
PairSource = Annotated[AnySource, Field(discriminator="format")]


def read_pairs(source: AnySource, languages: Languages = UNTOLD) -> Iterator[Pair]:
    """All pairs of a source in order, never more than a few lines of it in memory.

    languages: what is wanted of formats that say theirs; `en` also means `en-US`. Pairs with one
    blank side are passed on: cleaning counts and drops them.

    Raises:
        CorpusError: a file is missing, damaged, not UTF-8 or not of this format (names file and
            line), or no pair at all has text on both sides.
    """
    two_sided = False
    for pair in read_all_pairs(source, languages):
        two_sided = two_sided or bool(pair.src.strip() and pair.tgt.strip())
        yield pair
    if not two_sided:
        names = " and ".join(str(path) for path in paths(source))
        if isinstance(source, BilingualFile):
            pair_of = "-".join(languages)
            raise CorpusError(f"{names}: no finished translation of the pair {pair_of}")
        raise CorpusError(f"{names}: no pair with text on both sides; the corpus is empty")


def paths(source: AnySource) -> tuple[Path, ...]:
    """The files behind a source."""
    if isinstance(source, MosesFiles):
        return source.source, source.target
    return (source.path,)


def read_all_pairs(source: AnySource, languages: Languages = UNTOLD) -> Iterator[Pair]:
    """As `read_pairs`, but where there is no text at all that is no error."""
    match source:
        case MosesFiles():
            return _read_moses(source)
        case TsvFile():
            return _read_tsv(source)
        case JsonLinesFile():
            return _read_json_lines(source)
        case TextFile():
            return (Pair(line, line) for line in read_lines(source.path))
        case _:
            return _with_address(source.path, _read_bilingual(source, languages))


def _read_bilingual(file: BilingualFile, languages: Languages) -> Iterator[Pair]:
    match file:
        case PoFile():
            return po.read(read_lines(file.path), languages)
        case XliffFile():
            return xliff.read(read_chunks(file.path), languages)
        case TmxFile():
            found = tmx.read(read_chunks(file.path), *languages)
            return (Pair(one.text, one.translation) for one in found)


def _with_address(path: Path, pairs: Iterator[Pair]) -> Iterator[Pair]:
    try:
        yield from pairs
    except InputError as error:
        raise CorpusError(f"{path}, {error}") from None


def _read_moses(files: MosesFiles) -> Iterator[Pair]:
    both = zip_longest(read_lines(files.source), read_lines(files.target))
    for number, (src, tgt) in enumerate(both, start=1):
        if src is None or tgt is None:
            shorter, longer = files.source, files.target
            if tgt is None:
                shorter, longer = longer, shorter
            raise CorpusError(
                f"{shorter} ends after line {number - 1}, but {longer} has a line {number}; "
                "the two files must have the same number of lines"
            )
        yield Pair(src, tgt)


def _read_tsv(file: TsvFile) -> Iterator[Pair]:
    wanted = max(file.source_column, file.target_column)
    for number, line in enumerate(read_lines(file.path), start=1):
        columns = line.split("\t")
        if len(columns) < wanted:
            raise CorpusError(
                f"{file.path}, line {number}: has {len(columns)} columns, "
                f"column {wanted} is missing"
            )
        yield Pair(columns[file.source_column - 1], columns[file.target_column - 1])


def _read_json_lines(file: JsonLinesFile) -> Iterator[Pair]:
    for number, line in enumerate(read_lines(file.path), start=1):
        where = f"{file.path}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            raise CorpusError(f"{where}: not valid JSON") from None
        src = _text_at(values, file.source_key, where)
        yield Pair(src, _text_at(values, file.target_key, where))


def _text_at(values: object, key: str, where: str) -> str:
    """The text under a dotted key, on one line: a pair is one line on each side."""
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            raise CorpusError(f"{where}: the key {key} is missing")
        values = values[part]
    if not isinstance(values, str):
        raise CorpusError(f"{where}: the value of {key} is not a text")
    if any("\ud800" <= letter <= "\udfff" for letter in values):
        raise CorpusError(f"{where}: the value of {key} holds half a surrogate pair")
    return values.replace("\r\n", " ").replace("\n", " ")
