"""XLIFF 1.2 and 2.0 as corpora: the units whose translation is finished."""

from collections.abc import Iterable, Iterator

from mt.bilingual_files.languages import Languages, direction
from mt.bilingual_files.xml_units import Attributes, UnitReader
from training.corpora.pair import Pair

_FINISHED = frozenset({"", "translated", "signed-off", "reviewed", "final"})
"""States; where none is told (""), a translation that is there is finished."""
_NOT_BY_PEOPLE = frozenset(
    {"fuzzy-match", "leveraged-mt", "mt-suggestion", "rejected-grammar", "rejected-inaccurate",
     "rejected-length", "rejected-spelling"}
)  # fmt: skip
_PARTS = ("file", "group", "trans-unit", "unit")  # what `translate` may stand on


class XliffReader(UnitReader[tuple[Languages, Pair]]):
    """Finished units, with the languages that the file gives them."""

    root = "xliff"
    format_name = "XLIFF"
    codes = frozenset(
        {"x", "bx", "ex", "bpt", "ept", "ph", "it", "sub", "sc", "ec", "cp", "sm", "em"}
    )  # not `g`, `pc` and `mrk`, which stand around words

    def __init__(self) -> None:
        super().__init__()
        self._told: Languages = ("", "")
        self._translated = [True]  # for each part that is open
        self._in_unit = self._is_aside = self._is_finished = False
        self._source = self._target = ""

    def start(self, name: str, attributes: Attributes) -> None:
        """Note languages, states and what is not to be translated, and begin a text."""
        if name == "xliff":
            self._told = attributes.get("srcLang", ""), attributes.get("trgLang", "")
        elif name == "file" and "source-language" in attributes:
            self._told = attributes["source-language"], attributes.get("target-language", "")
        if name in _PARTS:
            told = attributes.get("translate")
            self._translated.append(self._translated[-1] if told is None else told != "no")
        if name in ("trans-unit", "segment"):
            self._in_unit, self._source, self._target = True, "", ""
            self._is_finished = attributes.get("approved") != "no" and _is_finished(attributes)
        elif name == "alt-trans":
            self._is_aside = True
        elif name in ("source", "target") and self._in_unit and not self._is_aside:
            self._is_finished = self._is_finished and _is_finished(attributes)
            self.open_text()

    def end(self, name: str) -> None:
        """Keep a text, and give a unit away."""
        if name == "alt-trans":
            self._is_aside = False
        elif name == "source" and self._in_unit and not self._is_aside:
            self._source = self.close_text()
        elif name == "target" and self._in_unit and not self._is_aside:
            self._target = self.close_text()
        elif name in ("trans-unit", "segment"):
            if self._source and self._target and self._is_finished and self._translated[-1]:
                self.units.append((self._told, Pair(self._source, self._target)))
            self._in_unit = False
        if name in _PARTS:
            self._translated.pop()


def read(chunks: Iterable[bytes], languages: Languages) -> Iterator[Pair]:
    """Pairs of these languages, in either direction; those of others are passed over.

    Raises:
        InputError: not XLIFF, or one that declares entities; names the line.
    """
    for told, (src, tgt) in XliffReader().read(chunks):
        way = direction(told, languages)
        if way is not None:
            yield Pair(src, tgt) if way == "straight" else Pair(tgt, src)


def _is_finished(attributes: Attributes) -> bool:
    return (
        attributes.get("state", "") in _FINISHED
        and attributes.get("state-qualifier", "") not in _NOT_BY_PEOPLE
    )
