"""Translation Memory eXchange 1.4: units of text in several languages, read as a stream.

Written for files of any size and origin: nothing outside the file is opened, and a file that
declares entities, as bombs do, is refused. Of inline codes only the text around them is kept.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, TextIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from mt.errors import InputError
from serving.stores.memory_store import Pair

_CHUNK = 1 << 16
_MAX_SEGMENT_CHARS = 1_000_000
_CODES = frozenset({"bpt", "ept", "it", "ph", "ut", "sub"})  # `hi` marks words, which stay
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4">
<header creationtool="seq2serve" creationtoolversion="1" segtype="sentence" o-tmf="seq2serve"
 adminlang="en" srclang="*all*" datatype="plaintext"/>
<body>
"""


def read(file: BinaryIO, source: str | None = None, target: str | None = None) -> Iterator[Pair]:
    """The pairs of a file, in its order.

    source: the language translated from; None: as the unit or the header says, else the unit's
    first. target: the language wanted; None: every other one. `en` also means `en-US`.

    Raises:
        InputError: not TMX, or one that declares entities; names the line.
    """
    reader = _Reader()
    while chunk := file.read(_CHUNK):
        yield from _pairs(reader.feed(chunk), source, target)
    yield from _pairs(reader.feed(b"", last=True), source, target)


def write(pairs: Iterable[Pair], file: TextIO) -> int:
    """Write pairs as units of two languages; returns how many."""
    file.write(_HEAD)
    written = 0
    for pair in pairs:
        sides = ((pair.source, pair.text), (pair.target, pair.translation))
        variants = "".join(
            f"<tuv xml:lang={quoteattr(code)}><seg>{escape(text)}</seg></tuv>"
            for code, text in sides
        )
        file.write(f"<tu srclang={quoteattr(pair.source)}>{variants}</tu>\n")
        written += 1
    file.write("</body>\n</tmx>\n")
    return written


class _Unit:
    """A `tu` under way: its own source language, and its texts."""

    def __init__(self, source: str | None) -> None:
        self.source = source
        self.texts: list[tuple[str, str]] = []


class _Reader:
    """Bytes in, whole units out."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._refuse_entities
        self._units: deque[_Unit] = deque()
        self._unit: _Unit | None = None
        self._source: str | None = None
        self._language = ""
        self._segment: list[str] | None = None
        self._length = 0
        self._codes = 0
        self._is_tmx = False

    def feed(self, chunk: bytes, last: bool = False) -> Iterator[_Unit]:
        """The units that end in this chunk."""
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            problem = expat.errors.messages[error.code]
            raise InputError(f"line {error.lineno}: not XML ({problem})") from None
        while self._units:
            yield self._units.popleft()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._is_tmx and name != "tmx":
            raise InputError(f"{self._line()}: no TMX, since it begins with another element")
        self._is_tmx = True
        if name == "header":
            self._source = _language(attributes.get("srclang", ""))
        elif name == "tu":
            self._unit = _Unit(_language(attributes.get("srclang", "")) or self._source)
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang", "")
        elif name == "seg":
            self._segment, self._length = [], 0
        elif name in _CODES:
            self._codes += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._unit is not None and self._segment is not None:
            self._unit.texts.append((self._language, " ".join("".join(self._segment).split())))
            self._segment = None
        elif name == "tu" and self._unit is not None:
            self._units.append(self._unit)
            self._unit = None
        elif name in _CODES:
            self._codes -= 1

    def _characters(self, text: str) -> None:
        if self._segment is None or self._codes:
            return
        self._length += len(text)
        if self._length > _MAX_SEGMENT_CHARS:
            raise InputError(f"{self._line()}: a segment of more than {_MAX_SEGMENT_CHARS}")
        self._segment.append(text)

    def _refuse_entities(self, *_: object) -> None:
        raise InputError(f"{self._line()}: declares entities, which are not taken")

    def _line(self) -> str:
        return f"line {self._parser.CurrentLineNumber}"


def _pairs(units: Iterable[_Unit], source: str | None, target: str | None) -> Iterator[Pair]:
    for unit in units:
        told = source or unit.source
        first = next((one for one in unit.texts if told is None or _same(one[0], told)), None)
        if first is None or not first[1]:
            continue
        for code, text in unit.texts:
            if code and text and not _same(code, first[0]) and _same(code, target or code):
                yield Pair(first[0], code, first[1], text)


def _language(code: str) -> str | None:
    """`*all*` and nothing tell no language."""
    return None if code in ("", "*all*") else code


def _same(code: str, wanted: str) -> bool:
    code, wanted = code.lower(), wanted.lower()
    return code == wanted or code.startswith(f"{wanted}-")
