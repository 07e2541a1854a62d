"""XML of any size and origin as a stream of units: the frame of the readers of TMX and XLIFF.

Nothing outside the file is opened, and a file that declares entities, as bombs do, is refused. Of
inline codes only the text around them is kept.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar
from xml.parsers import expat

from mt.errors import InputError

MAX_TEXT_CHARS = 1_000_000  # of one text
_LINE_BREAKS = frozenset({"lb", "xlf:lb"})  # codes that stand for one: words must not grow together
_KINDS_OF_CODE = ("type", "ctype", "subType")

Attributes = Mapping[str, str]
Unit = TypeVar("Unit")


class UnitReader(ABC, Generic[Unit]):
    """Bytes in, whole units out: a format says in `start` and `end` what its units are."""

    root: str
    """Name of the first element."""
    format_name: str
    codes: frozenset[str]
    """Names of the elements whose content is no text."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._refuse_entities
        self._began = False
        self._text: list[str] | None = None
        self._length = 0
        self._codes = 0
        self.units: deque[Unit] = deque()

    @abstractmethod
    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins. Names have no prefix."""

    @abstractmethod
    def end(self, name: str) -> None:
        """An element ends."""

    def read(self, chunks: Iterable[bytes]) -> Iterator[Unit]:
        """The units of a file, in its order.

        Raises:
            InputError: another format, or not well-formed, or it declares entities; with the line.
        """
        for chunk in chunks:
            yield from self._feed(chunk)
        yield from self._feed(b"", last=True)

    @property
    def line(self) -> int:
        """Where the reader is, from 1."""
        return self._parser.CurrentLineNumber

    def open_text(self) -> None:
        """Begin to keep text."""
        self._text, self._length = [], 0

    def close_text(self) -> str:
        """The text since then, on one line; empty where none was begun."""
        text, self._text = "".join(self._text or ()), None
        return " ".join(text.split())

    def _feed(self, chunk: bytes, last: bool = False) -> Iterator[Unit]:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            problem = expat.errors.messages[error.code]
            raise InputError(f"line {error.lineno}: not XML ({problem})") from None
        while self.units:
            yield self.units.popleft()

    def _start(self, name: str, attributes: Attributes) -> None:
        name = _bare(name)
        if not self._began and name != self.root:
            raise InputError(
                f"line {self.line}: no {self.format_name}, since it begins with another element"
            )
        self._began = True
        if name in self.codes:
            if not _LINE_BREAKS.isdisjoint(attributes.get(kind, "") for kind in _KINDS_OF_CODE):
                self._characters(" ")
            self._codes += 1
        else:
            self.start(name, attributes)

    def _end(self, name: str) -> None:
        name = _bare(name)
        if name in self.codes:
            self._codes -= 1
        else:
            self.end(name)

    def _characters(self, text: str) -> None:
        if self._text is None or self._codes:
            return
        self._length += len(text)
        if self._length > MAX_TEXT_CHARS:
            raise InputError(
                f"line {self.line}: a segment of more than {MAX_TEXT_CHARS} characters"
            )
        self._text.append(text)

    def _refuse_entities(self, *_: object) -> None:
        raise InputError(f"line {self.line}: declares entities, which are not taken")


def _bare(name: str) -> str:
    return name.rpartition(":")[2]
