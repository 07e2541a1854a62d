"""Large files of texts: what a shard of one is, how it is read, and how its results are written.

Plain lines, JSON lines and Parquet. Cutting a file reads none of its text: a shard of lines is a
range of bytes, and has the lines that begin in it.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from mt.errors import ConfigError, InputError

Kind = Literal["lines", "jsonl", "parquet"]
ENDINGS = (".txt", ".jsonl", ".parquet")
"""Of the files that are taken from a folder; any other file is one of lines."""

TRANSLATION = "translation"


class Span(NamedTuple):
    """What a shard has of its file: bytes of it, or rows of a row group of a Parquet file."""

    start: int
    stop: int
    group: int = -1


class Rows(NamedTuple):
    """What a shard holds: the texts, and whatever stands beside them."""

    texts: list[str]
    beside: Any


def kind_of(path: Path) -> Kind:
    """By its ending."""
    endings: dict[str, Kind] = {".jsonl": "jsonl", ".parquet": "parquet"}
    return endings.get(path.suffix.lower(), "lines")


def cut(path: Path, shard_bytes: int, shard_rows: int) -> list[Span]:
    """The shards of a file, in order; an empty file has none.

    Raises:
        ConfigError: it cannot be read.
    """
    if kind_of(path) == "parquet":
        sizes = _row_groups(path)
        return [
            Span(start, min(start + shard_rows, size), group)
            for group, size in enumerate(sizes)
            for start in range(0, size, shard_rows)
        ]
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    starts = range(0, size, shard_bytes)
    return [Span(start, min(start + shard_bytes, size)) for start in starts]


def read(path: Path, span: Span, field: str) -> Rows:
    """The texts of a shard.

    Raises:
        InputError: not UTF-8, no JSON, or nothing of the name `field`; says where.
    """
    match kind_of(path):
        case "lines":
            lines = list(_lines(path, span))
            return Rows(lines, lines)
        case "jsonl":
            objects = [_object(line, field) for line in _lines(path, span)]
            return Rows([one[field] for one in objects], objects)
        case "parquet":
            return _read_rows(path, span, field)


def written(kind: Kind, rows: Rows, translations: Sequence[str]) -> bytes:
    """A shard's part of the output: lines for lines, or the rows with one column more."""
    match kind:
        case "lines":
            return "".join(f"{one}\n" for one in map(on_one_line, translations)).encode()
        case "jsonl":
            pairs = zip(rows.beside, translations, strict=True)
            return b"".join(json_line(row | {TRANSLATION: text}) for row, text in pairs)
        case "parquet":
            return _written_rows(rows.beside, translations)


def join(kind: Kind, parts: Sequence[Path], target: BinaryIO) -> None:
    """All parts of a file, in order, as one."""
    if kind == "parquet":
        _join_rows(parts, target)
        return
    for part in parts:
        target.write(part.read_bytes())


def on_one_line(text: str) -> str:
    """A model may emit the byte of a line feed."""
    return text.replace("\r", " ").replace("\n", " ")


def json_line(values: dict[str, Any]) -> bytes:
    """One object of JSON lines."""
    return (json.dumps(values, ensure_ascii=False) + "\n").encode()


def _lines(path: Path, span: Span) -> Iterator[str]:
    """The lines that begin in a range of bytes, without their ends."""
    with path.open("rb") as file:
        if span.start:
            file.seek(span.start - 1)
            file.readline()  # ends the line that began before
        while (place := file.tell()) < span.stop and (raw := file.readline()):
            raw = raw.removeprefix(b"\xef\xbb\xbf") if place == 0 else raw
            try:
                yield raw.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                raise InputError(f"byte {place + error.start + 1} is not UTF-8") from None


def _object(line: str, field: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise InputError("a line is no JSON object") from None
    if not isinstance(found, dict) or not isinstance(found.get(field), str):
        raise InputError(f"a line has no text named {field}; choose another by --field")
    return found


def _parquet() -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ConfigError("Parquet needs pyarrow: pip install 'seq2serve[ray]'") from None
    return pyarrow.parquet


def _row_groups(path: Path) -> list[int]:
    parquet = _parquet()
    try:
        facts = parquet.ParquetFile(path).metadata
    except (OSError, ValueError) as error:  # pyarrow's own are ValueErrors
        raise ConfigError(f"cannot read {path} as Parquet: {_line(error)}") from None
    if not facts.num_rows:
        raise ConfigError(f"{path} has no rows")
    return [facts.row_group(group).num_rows for group in range(facts.num_row_groups)]


def _read_rows(path: Path, span: Span, field: str) -> Rows:
    table = _parquet().ParquetFile(path).read_row_group(span.group)
    table = table.slice(span.start, span.stop - span.start)
    if field not in table.column_names:
        raise InputError(f"no column is named {field}; choose another by --field")
    texts = table.column(field).to_pylist()
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"column {field} has rows without text")
    return Rows(texts, table)


def _written_rows(table: Any, translations: Sequence[str]) -> bytes:  # noqa: ANN401
    column = table.schema.get_field_index(TRANSLATION)
    table = table if column < 0 else table.remove_column(column)
    found = io.BytesIO()
    _parquet().write_table(table.append_column(TRANSLATION, [list(translations)]), found)
    return found.getvalue()


def _join_rows(parts: Sequence[Path], target: BinaryIO) -> None:
    parquet = _parquet()
    schema = parquet.read_schema(parts[0])
    with parquet.ParquetWriter(target, schema) as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
