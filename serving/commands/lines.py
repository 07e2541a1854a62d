"""Translate a stream of lines, however long: a few hundred at a time, in order, one for one."""

from collections.abc import Iterable
from pathlib import Path

import click

from mt.errors import InputError
from mt.search_options import SearchOptions
from serving.commands.line_batches import Progress, batches, with_line_number
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
        for first, texts in batches(source, batch):
            try:
                translations = translator.translate(texts, options)
            except InputError as error:
                raise InputError(with_line_number(str(error), first)) from None
            for translation in translations:
                click.echo("\n".join(_lines_out(translation, options.hypotheses, scores)))
            progress.report(first + len(texts) - 1)
        progress.end()


def _lines_out(translation: Translation, wanted: int, scores: bool) -> list[str]:
    """Exactly as many lines as wanted: where the search found fewer, the last one is repeated."""
    found = list(translation.candidates)
    found += found[-1:] * (wanted - len(found))
    texts = [
        one.text.replace("\n", " ") for one in found
    ]  # a model may emit the byte of a line feed
    scored = [f"{one.score:.4f}\t{text}" for one, text in zip(found, texts, strict=True)]
    return scored if scores else texts
