"""Text to sentences and back, every space and newline kept.

Rules of punctuation, for Latin, Greek and Cyrillic script, for Chinese and Japanese, and for the
full stops of Arabic and Devanagari. In doubt a boundary is *not* one: two sentences in one are
translated well, half a sentence is not. A newline always ends a sentence.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from serving.text.abbreviations import before_name, before_number, has_dotted_ordinals


@dataclass(frozen=True)
class Segment:
    """A sentence without the space around it, and the space (newlines too) that follows it.

    Leading space of a text is a segment with an empty sentence. Put end to end, `sentence + gap`
    of all segments is the text.
    """

    sentence: str
    gap: str
    start: int
    """Of the sentence in its text, in characters."""

    @property
    def end(self) -> int:
        """Of the sentence in its text, in characters; the gap begins here."""
        return self.start + len(self.sentence)


_LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_LINE = re.compile(f"[^{_LINE_BREAKS}]+")

_CLOSERS = "\"'”’“‘»«›‹)\\]}"
_OPENERS = "\"'“‘„‚”’«»‹›(\\[{¿¡–—―-"
_WIDE_CLOSERS = "”’」』）】》〉］"
# An end and what closes with it; French sets a space before its last guillemet.
_END = re.compile(
    f"(?P<wide>[。！？｡]++[{_WIDE_CLOSERS}]*+)"
    f"|(?P<mark>[.!?…‼⁇⁈⁉؟۔।]++)[{_CLOSERS}]*+(?:[ \u00a0\u202f][»›](?=\\s|$))?+"
)
_NEXT = re.compile(f"\\s+(?:[{_OPENERS}]\\s?)*+(?P<first>\\w)")
_WORD_BEFORE = re.compile(r"[^\s\"'“”„‘’«»‹›(\[{–—―/]+$")
_LONGEST_ABBREVIATION = 24
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
_ENGLISH_I = re.compile(r"I\b")
_ROMAN = re.compile(r"[IVX]{1,5}")
UNSPACED = (  # Thai, Lao, Burmese, Khmer; Han, kana and what they write with
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff"
)
"""Scripts that put no space between words, as ranges of a regular expression's character class."""
_UNSPACED = re.compile(f"[{UNSPACED}]")
UNSPACED_LANGUAGES = frozenset({"zh", "ja", "yue", "wuu", "th", "lo", "km", "my"})


def segment(text: str, language: str = "") -> list[Segment]:
    """Split a text into sentences; `language` (such as "de") refines what a full stop means."""
    bounds = [0]
    for line in _LINE.finditer(text):
        bounds += [line.start(), *_ends(line.group(), line.start(), language), line.end()]
    bounds.append(len(text))
    pieces = [(start, text[start:end]) for start, end in pairwise(bounds)]
    return _with_gaps((start, piece) for start, piece in pieces if piece)


def join(segments: Sequence[Segment], translations: Sequence[str], language: str = "") -> str:
    """Put translations in the place of their sentences.

    Where the source has no space between two sentences because its script has none, a target
    `language` that has spaces gets one.
    """
    return "".join(
        translation + gap
        for translation, gap in zip(translations, gaps(segments, language), strict=True)
    )


def gaps(segments: Sequence[Segment], language: str = "") -> list[str]:
    """What follows each translation, see `join`."""
    after = [segment.sentence for segment in segments[1:]] + [""]
    return [
        here.gap or " " * _needs_space(here.sentence, following, language)
        for here, following in zip(segments, after, strict=False)
    ]


def _needs_space(before: str, after: str, language: str) -> bool:
    if not before or not after or language.partition("-")[0] in UNSPACED_LANGUAGES:
        return False
    return bool(_UNSPACED.match(before[-1]) or _UNSPACED.match(after[0]))


def _ends(line: str, offset: int, language: str) -> Iterator[int]:
    """Where sentences end inside one line."""
    for match in _END.finditer(line):
        if _is_wide_end(line, match) if match["wide"] else _is_end(line, match, language):
            yield offset + match.end()


def _is_wide_end(line: str, match: re.Match[str]) -> bool:
    """Chinese and Japanese need no space; a Japanese quotation runs on with "to" or "tte"."""
    quotes = match["wide"][-1] in _WIDE_CLOSERS
    return not (quotes and line.startswith(("と", "って"), match.end()))


def _is_end(line: str, match: re.Match[str], language: str) -> bool:
    """A mark ends a sentence where space and anything but a small letter follow."""
    following = _NEXT.match(line, match.end())
    if following is None or following["first"].islower():
        return False
    mark = match["mark"]
    if mark == ".":
        return not _is_abbreviated(line, match.start(), following["first"], language)
    if set(mark) <= {".", "…"} and language.startswith("en"):  # "Well... I see."
        return not _ENGLISH_I.match(line, following.start("first"))
    return True


def _is_abbreviated(line: str, stop: int, following: str, language: str) -> bool:
    """Whether the full stop at `stop` belongs to the word before it, not to the sentence."""
    found = _WORD_BEFORE.search(line[max(0, stop - _LONGEST_ABBREVIATION) : stop])
    word = found.group() if found else ""
    if word.isdecimal():
        begins_line = not line[: stop - len(word)].strip()  # "1. First item"
        return begins_line or (len(word) < 3 and has_dotted_ordinals(language))
    if len(word) == 1 and word.isupper():
        return True
    if _ROMAN.fullmatch(word) and has_dotted_ordinals(language):
        return True
    small = word.lower()
    if following.isdecimal() and small in before_number(language):
        return True
    return _DOTTED.fullmatch(word) is not None or not before_name(language).isdisjoint(
        (word, small)
    )


def _with_gaps(pieces: Iterable[tuple[int, str]]) -> list[Segment]:
    """Pieces with space anywhere around them, to sentences with space only behind them."""
    segments: list[Segment] = []
    for start, piece in pieces:
        sentence = piece.strip()
        lead = piece.index(sentence) if sentence else len(piece)
        if lead and segments:
            segments[-1] = replace(segments[-1], gap=segments[-1].gap + piece[:lead])
        elif lead:
            segments.append(Segment("", piece[:lead], start))
        if sentence:
            segments.append(Segment(sentence, piece[lead + len(sentence) :], start + lead))
    return segments
