"""A file as passages to translate, in their order, between pieces that stay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serving.text.text_options import TextOptions

PLAIN = TextOptions(preserve_formatting=True)
"""Plain text, in which titles and labels get no full stop."""


def _as_is(translation: str) -> str:
    return translation


@dataclass(frozen=True)
class Passage:
    """A text to translate. write: what stands in the file for its translation."""

    text: str
    write: Callable[[str], str] = _as_is


def _joined(written: Sequence[str]) -> bytes:
    return "".join(written).encode()


@dataclass(frozen=True)
class FileText:
    """A file taken apart.

    text_options: how its passages are to be translated; pack: makes the file of what is written for
    each piece.
    """

    pieces: tuple[str | Passage, ...]
    text_options: TextOptions = PLAIN
    pack: Callable[[Sequence[str]], bytes] = _joined

    @property
    def texts(self) -> list[str]:
        """What to translate."""
        return [piece.text for piece in self.pieces if isinstance(piece, Passage)]

    def filled(self, translations: Sequence[str]) -> bytes:
        """The file with a translation in the place of each text."""
        remaining = iter(translations)
        written = [
            piece if isinstance(piece, str) else piece.write(next(remaining))
            for piece in self.pieces
        ]
        return self.pack(written)

    def behind(self, start: str) -> "FileText":
        """The same with something more at the start."""
        return replace(self, pieces=(start, *self.pieces))
