"""Lines read a few hundred at a time, and progress in lines: for a bundle and for a server."""

import codecs
import re
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from mt.errors import InputError


class Progress:
    """Lines done and lines a second, on standard error, for people only."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._began = time.monotonic()

    def report(self, done: int) -> None:
        """Show how many lines are written."""
        if self._shown:
            speed = done / max(time.monotonic() - self._began, 1e-9)
            sys.stderr.write(f"\r{done} lines, {speed:.1f}/s ")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the figures standing."""
        if self._shown:
            sys.stderr.write("\n")


def batches(source: Iterable[bytes], size: int) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line, from 1, and the texts of some lines."""
    numbered = enumerate(source, start=1)
    while batch := list(islice(numbered, size)):
        yield batch[0][0], [_decode(raw, number) for number, raw in batch]


def _decode(raw: bytes, number: int) -> str:
    if number == 1:
        raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"line {number}: byte {error.start + 1} is not UTF-8") from None


def with_line_number(message: str, first: int) -> str:
    """A message about a text, as one about the line it was."""
    return re.sub(r"^texts\[(\d+)\]", lambda match: f"line {first + int(match[1])}", message)
