"""Translation Memory eXchange 1.4: units of text in several languages, read as a stream."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mt.bilingual_files.languages import is_language
from mt.bilingual_files.xml_units import Attributes, UnitReader


class TmxPair(NamedTuple):
    """A text and its translation, with the languages that the file gives them."""

    source: str
    target: str
    text: str
    translation: str


def read(
    chunks: Iterable[bytes], source: str | None = None, target: str | None = None
) -> Iterator[TmxPair]:
    """The pairs of a file, in its order.

    source: the language translated from; None: as the unit or the header says, else the unit's
    first. target: the language wanted; None: every other one. `en` also means `en-US`.

    Raises:
        InputError: not TMX, or one that declares entities; names the line.
    """
    for unit in TmxReader().read(chunks):
        yield from _pairs(unit, source, target)


class TmxUnit:
    """A `tu`: its own source language, and its texts with theirs."""

    def __init__(self, source: str | None) -> None:
        self.source = source
        self.texts: list[tuple[str, str]] = []


class TmxReader(UnitReader[TmxUnit]):
    """Units of a file."""

    root = "tmx"
    format_name = "TMX"
    codes = frozenset({"bpt", "ept", "it", "ph", "ut", "sub"})  # `hi` marks words, which stay

    def __init__(self) -> None:
        super().__init__()
        self._unit: TmxUnit | None = None
        self._source: str | None = None
        self._language = ""

    def start(self, name: str, attributes: Attributes) -> None:
        """Note languages, and begin a text."""
        if name == "header":
            self._source = _language(attributes.get("srclang", ""))
        elif name == "tu":
            self._unit = TmxUnit(_language(attributes.get("srclang", "")) or self._source)
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang", "")
        elif name == "seg":
            self.open_text()

    def end(self, name: str) -> None:
        """Keep a text, and give a unit away."""
        if name == "seg" and self._unit is not None:
            self._unit.texts.append((self._language, self.close_text()))
        elif name == "tu" and self._unit is not None:
            self.units.append(self._unit)
            self._unit = None


def _pairs(unit: TmxUnit, source: str | None, target: str | None) -> Iterator[TmxPair]:
    told = source or unit.source
    first = next((one for one in unit.texts if told is None or is_language(one[0], told)), None)
    if first is None or not first[1]:
        return
    for code, text in unit.texts:
        other = not is_language(code, first[0])
        if code and text and other and is_language(code, target or code):
            yield TmxPair(first[0], code, first[1], text)


def _language(code: str) -> str | None:
    """`*all*` and nothing tell no language."""
    return None if code in ("", "*all*") else code
