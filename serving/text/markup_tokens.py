"""HTML and XML as tokens that, put end to end, are the markup as it was written, byte for byte.

The standard library's parsers do the reading: `html.parser` forgives what browsers forgive, expat
knows what XML is. Both tell where each token begins, which tree builders (lxml, html5lib) do not:
those would write quotes, entities and spaces of their own, and wrap fragments in a whole document.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.entities import html5
from html.parser import HTMLParser
from itertools import accumulate, cycle, pairwise
from typing import Any, Literal
from xml.parsers import expat

from mt.errors import InputError

Kind = Literal["text", "open", "close", "empty", "other"]
Attributes = Mapping[str, str | None]
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"}
    | {"source", "track", "wbr"}
)  # HTML elements that have no end tag
_RAW_TEXT = frozenset({"script", "style"})


@dataclass(frozen=True)
class Token:
    """A piece of markup. raw: as written; text: what a text token means, entities decoded.

    other: comments, declarations, processing instructions. name and attributes: of tags; names of
    HTML are small letters.
    """

    kind: Kind
    raw: str
    name: str = ""
    attributes: Attributes = field(default_factory=dict)
    text: str = ""


def tokens(markup: str, is_html: bool) -> list[Token]:
    """The tokens of a fragment or a document.

    Raises:
        InputError: XML that is not well-formed, or declares entities.
    """
    return _html(markup) if is_html else _xml(markup)


def _html(markup: str) -> list[Token]:
    starts = _HTMLReader(markup).starts
    ends = [*(start for start, _ in starts), len(markup)][1:]
    found = zip(starts, ends, strict=False)  # an empty text has no token
    return [make(markup[start:end]) for (start, make), end in found if start < end]


Make = Callable[[str], Token]


def _html_text(raw: str) -> Token:
    return Token("text", raw, text=html.unescape(raw))


def _other(raw: str) -> Token:
    return Token("other", raw)


class _HTMLReader(HTMLParser):
    """Where each token starts, and how to make it of its raw text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=False)
        self.starts: list[tuple[int, Make]] = []
        self._lines = [0, *accumulate(len(line) + 1 for line in markup.split("\n"))]
        self._in_raw_text = False
        self.feed(markup)
        self.close()
        if markup and (not self.starts or self.starts[0][0] > 0):
            self.starts.insert(0, (0, _html_text))

    def _note(self, make: Make) -> None:
        line, column = self.getpos()
        start = self._lines[line - 1] + column
        if make is _html_text and self.starts and self.starts[-1][1] is _html_text:
            return  # text and its entities are one token
        self.starts.append((start, make))

    def parse_html_declaration(self, i: int) -> int:
        """Marked sections are of SGML; browsers take them for comments, this parser for errors."""
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind: Kind = "empty" if tag in VOID else "open"
        self._in_raw_text = tag in _RAW_TEXT
        self._note(lambda raw: Token(kind, raw, tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(lambda raw: Token("empty", raw, tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._in_raw_text = False
        self._note(lambda raw: Token("close", raw, tag))

    def handle_data(self, data: str) -> None:
        self._note(_other if self._in_raw_text else _html_text)

    def handle_entityref(self, name: str) -> None:
        self._note(_html_text)

    def handle_charref(self, name: str) -> None:
        self._note(_html_text)

    def handle_comment(self, data: str) -> None:
        self._note(_other)

    def handle_decl(self, decl: str) -> None:
        self._note(_other)

    def handle_pi(self, data: str) -> None:
        self._note(_other)

    def unknown_decl(self, data: str) -> None:
        self._note(_other)


_ROOT = "<x>", "</x>"
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


def _xml(markup: str) -> list[Token]:
    """A fragment may have several roots, or none: one is lent to it."""
    whole = markup.lstrip().startswith(("<?xml", "<!DOCTYPE"))
    before, after = ("", "") if whole else _ROOT
    data = f"{before}{markup}{after}".encode()
    found = list(_xml_tokens(data))
    return found if whole else found[1:-1]


def _xml_tokens(data: bytes) -> Iterator[Token]:
    events = _xml_events(data)
    for (start, kind, name, attributes), (end, *_) in pairwise([*events, (len(data), "", "", {})]):
        raw = data[start:end].decode()
        if kind == "text":
            yield Token("text", raw, text=_xml_text(raw))
        elif raw:
            yield Token(kind, raw, name, attributes)


def _xml_text(raw: str) -> str:
    """What character data means; every other piece is the inside of a CDATA section."""
    pieces = _CDATA.split(raw)
    return "".join(
        piece if inside else html.unescape(piece) for piece, inside in zip(pieces, cycle((0, 1)))
    )


Event = tuple[int, Any, str, Attributes]


def _xml_events(data: bytes) -> list[Event]:
    """Where each token starts; an empty element is told as a start and, where it ends, an end."""
    events: list[Event] = []
    parser = expat.ParserCreate()
    parser.buffer_text = False
    parser.UseForeignDTD(True)  # an entity of a DTD that is not here stays as it is written

    def note(kind: str, name: str = "", attributes: Attributes | None = None) -> None:
        start = parser.CurrentByteIndex if events else 0
        last = events[-1] if events else (0, "", "", {})
        if kind == "close" and last[1] == "open" and data[last[0] : start].endswith(b"/>"):
            events[-1] = (last[0], "empty", last[2], last[3])
        elif kind != last[1] or kind not in ("text", "other"):
            events.append((start, kind, name, attributes or {}))

    def refuse(*_: object) -> None:
        raise InputError("declares XML entities; replace them by what they stand for")

    parser.StartElementHandler = lambda name, attributes: note("open", name, attributes)
    parser.EndElementHandler = lambda name: note("close", name)
    parser.CharacterDataHandler = lambda _: note("text")
    parser.SkippedEntityHandler = lambda name, _: note("text" if f"{name};" in html5 else "other")
    parser.StartCdataSectionHandler = lambda: note("text")
    parser.EndCdataSectionHandler = lambda: note("text")
    parser.CommentHandler = lambda _: note("other")
    parser.ProcessingInstructionHandler = lambda *_: note("other")
    parser.XmlDeclHandler = lambda *_: note("other")
    parser.StartDoctypeDeclHandler = lambda *_: note("other")
    parser.DefaultHandler = lambda _: note("other")
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"not well-formed XML: {reason}, line {error.lineno}") from None
    return events
