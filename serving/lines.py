"""Translate a stream of lines, however long: a few hundred at a time, in order, one for one."""

import codecs
import re
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from mt.errors import InputError
from mt.search_options import SearchOptions
from serving.settings import OFFLINE, EngineSettings
from serving.translation import Translation
from serving.translator import Translator


def translate(
    bundle: Path,
    engine: EngineSettings,
    options: SearchOptions,
    source: Iterable[bytes],
    batch: int,
    scores: bool,
) -> None:
    """Translate lines of UTF-8 to standard output, `batch` lines at a time.

    Raises:
        BundleError: the bundle cannot be opened.
        InputError: names the first line that cannot be translated; those before it are written.
    """
    with Translator.open(bundle, engine, OFFLINE) as translator:
        progress = Progress()
        for first, texts in _batches(source, batch):
            try:
                translations = translator.translate(texts, options)
            except InputError as error:
                raise InputError(_with_line_number(str(error), first)) from None
            for translation in translations:
                click.echo("\n".join(_lines_out(translation, options.hypotheses, scores)))
            progress.report(first + len(texts) - 1)
        progress.end()


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


def _batches(source: Iterable[bytes], size: int) -> Iterator[tuple[int, list[str]]]:
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


def _lines_out(translation: Translation, wanted: int, scores: bool) -> list[str]:
    """Exactly as many lines as wanted: where the search found fewer, the last one is repeated."""
    found = list(translation.candidates)
    found += found[-1:] * (wanted - len(found))
    texts = [
        one.text.replace("\n", " ") for one in found
    ]  # a model may emit the byte of a line feed
    scored = [f"{one.score:.4f}\t{text}" for one, text in zip(found, texts, strict=True)]
    return scored if scores else texts


def _with_line_number(message: str, first: int) -> str:
    return re.sub(r"^texts\[(\d+)\]", lambda match: f"line {first + int(match[1])}", message)
