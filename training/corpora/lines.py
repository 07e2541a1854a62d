"""Lines of a text file, streaming: plain, gzip or zstd by its suffix, decoded line by line."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from mt.errors import CorpusError

CHUNK_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[str]:
    r"""Lines of a UTF-8 file (`.gz`, `.zst` or plain), without their end (\n or \r\n).

    Only \n ends a line: other separators of Unicode are text. A byte-order mark is dropped.

    Raises:
        CorpusError: the file is missing, unreadable, damaged or not UTF-8; names file and line.
    """
    for number, line in enumerate(_raw_lines(path), start=1):
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        try:
            yield line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}, line {number}: not valid UTF-8 (byte {error.start + 1} of the line); "
                "convert the file to UTF-8"
            ) from None


def _raw_lines(path: Path) -> Iterator[bytes]:
    """Bytes between line ends."""
    for number, line in enumerate(_split_lines(read_chunks(path)), start=1):
        if len(line) > MAX_LINE_BYTES:
            raise CorpusError(
                f"{path}, line {number}: longer than {MAX_LINE_BYTES} bytes; "
                "a corpus has one sentence a line"
            )
        yield line


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file (`.gz`, `.zst` or plain), unpacked.

    Raises:
        CorpusError: the file is missing, unreadable or damaged; names the line where it is.
    """
    line = 1
    try:
        with path.expanduser().open("rb") as file:
            for chunk in _chunks(file, path.suffix):
                yield chunk
                line += chunk.count(b"\n")
    except FileNotFoundError:
        raise CorpusError(f"{path}: no such file") from None
    except EOFError:
        raise CorpusError(
            f"{path}, line {line}: the compressed file ends too early; it was cut off, "
            "copy or download it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        raise CorpusError(
            f"{path}, line {line}: not valid {path.suffix.removeprefix('.')} data; "
            "copy or download it again"
        ) from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream at every line feed; a line that grows too long is handed out as it is."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > MAX_LINE_BYTES:
            break
    if rest:
        yield rest


def _chunks(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix == ".zst":
        yield from _unzstd(file)
    elif suffix == ".gz":
        with gzip.open(file, "rb") as unpacked:
            yield from iter(lambda: unpacked.read(CHUNK_BYTES), b"")
    else:
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Decompress frame after frame (zstandard's own reader takes a cut-off file for a whole one).

    Raises:
        EOFError: the last frame is not complete.
    """
    frame = None
    while data := file.read(CHUNK_BYTES):
        while data:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(data)
            data = frame.unused_data
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError
