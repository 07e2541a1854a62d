"""What must come through a translation as it is: placeholders, addresses, codes, numbers, tags.

`{name}`, `{{x}}`, `${x}`, `%1$s`, `%(n)d`, `%-5.2f`, `$x`, `:x`, `&amp;`; URLs, e-mail addresses,
@handles, #hashtags; `A380`, `max_rows`; 3,500.75 and 10:30; `<b>` in plain text; emoji.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mt.tokenizer import Span

Kind = Literal["term", "tag", "address", "placeholder", "code", "number", "symbol"]


@dataclass(frozen=True, order=True)
class ProtectedSpan:
    """Characters `start` (included) to `end` (excluded) of a text, and what they are."""

    start: int
    end: int
    kind: Kind

    def of(self, text: str) -> str:
        """The characters themselves."""
        return text[self.start : self.end]


_BRACES = r"\{(?:[^{}\n]++|\{(?:[^{}\n]++|\{[^{}\n]*+\})*+\})++\}"
_CONVERSION = r"[-+#0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh?|ll?|[Lqjzt])?[diouxXeEfFgGaAcCsSpr@]"
_ADDRESS_CHAR = r"[A-Za-z0-9\u00c0-\u024f\-._~:/?#\[\]@!$&'()*+,;=%]"
_TAG = r"</?[A-Za-z][\w:.-]*(?:\s+[\w:.-]+(?:\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[\w.%-]+))?)*\s*/?>"
_EMOJI = "\u00a9\u00ae\u2122\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff"
_EMOJI += "\U0001f000-\U0001faff"
_JOINERS = "\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
_NUMBER = (
    r"\d{4}-\d{2}-\d{2}(?!\d)"
    r"|\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)"
    r"|\d+(?:[.,:/'’]\d+)*"
)
_UNIT = r"(?!(?:st|nd|rd|th)\b)(?:[A-Za-z\u00b5]{1,4}(?!\w))?"  # 5km whole, no 1st at all
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("tag", f"{_TAG}|<!--[^<\\n]*?-->"),
    (
        "address",
        rf"(?<![A-Za-z0-9+.-])(?:[a-z][a-z0-9+.-]*://|(?:mailto|tel):|www\.){_ADDRESS_CHAR}+",
    ),
    ("address", r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ("address", r"(?<![\w.-])(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}/[A-Za-z0-9\-._~/?#&=%+]*"),
    ("address", r"(?<![\w.-])(?:[a-z0-9-]+\.)+(?:com|org|net|info|dev|io|de|fr|uk|eu)\b"),
    ("address", r"(?<![\w@])@\w+(?:@[\w.-]+\w)?|(?<![\w#&])\#[^\W\d_]\w+"),
    ("placeholder", rf"[$#%@]?{_BRACES}|\[\[[^\[\]\n]+\]\]"),
    ("placeholder", rf"%(?:\d+\$|\([\w.\- ]+\)){_CONVERSION}"),
    ("placeholder", rf"(?<![\d%])%{_CONVERSION}(?![^\W\d_]{{3}})|%%|%@|%[A-Za-z]\w*%"),
    ("placeholder", r"\$[A-Za-z_]\w*|(?<!\S):[A-Za-z_]\w+|&(?:[A-Za-z]\w+|\#\w+);"),
    ("code", r"(?<![\w-])(?:[A-Z]{2,}-\d+\w*|(?=[A-Za-z_]\w*\d)[A-Za-z_]\w*)(?![\w-]|\.\w)"),
    ("code", r"(?<!\w)[A-Za-z0-9]*_\w*(?!\w)"),
    ("number", rf"(?<![A-Za-z\u00c0-\u024f_\d])(?>{_NUMBER}){_UNIT}"),
    ("symbol", rf"(?:[{_EMOJI}][{_EMOJI}{_JOINERS}]*)+|[#*0-9]\ufe0f?\u20e3"),
)
_PATTERN = re.compile("|".join(f"(?P<p{i}>{one})" for i, (_, one) in enumerate(_PATTERNS)))
_NUMBERS = re.compile(_NUMBER)
_AFTER_ADDRESS = ".,;:!?'*"
_GLUED = re.compile(r"[A-Za-z0-9_]*")
_BETWEEN = re.compile(r"[^\w\s.!?]{0,2} ?")
_WEAK: tuple[Kind, ...] = ("tag", "symbol", "number")  # beside which another kind is telling
_TOUCHING: tuple[Kind, ...] = ("tag", "placeholder", "symbol", "code")


def find(
    text: str, terms: Sequence[str] = (), given: Iterable[ProtectedSpan] = ()
) -> list[ProtectedSpan]:
    """All protected spans in their order, none over another; `terms` where they stand alone.

    `given` spans win over what they overlap, terms over patterns that are no longer. Placeholders
    with only a mark or a space between them are one span, since they stay together.
    """
    patterns = list(_patterns(text))
    spans = _add(sorted(given), _not_inside(_terms(text, terms), patterns))
    spans = _add(spans, patterns)
    return _merged(spans, text)


@dataclass(frozen=True)
class Located:
    """Protected spans of a source that its translation lacks, and where it has the others."""

    lost: tuple[ProtectedSpan, ...]
    kept: tuple[Span, ...]


def locate(spans: Iterable[ProtectedSpan], source: str, target: str) -> Located:
    """Look for each span in the translation; what stands twice must be there twice.

    A number is there where its digits are, whatever separates them: 3,500.75 may become 3.500,75.
    The longest choose first, since a shorter one may be part of them: `<b>` of `<b><b>`.
    """
    places: dict[str, list[Span]] = {}
    lost: list[ProtectedSpan] = []
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start - one.end):
        text = span.of(source)
        if text not in places:
            places[text] = _places(span.kind, text, target)
        free = [place for place in places[text] if all(_apart(place, one) for one in kept)]
        if free:
            kept.append(free[0])
        else:
            lost.append(span)
    return Located(tuple(sorted(lost)), tuple(sorted(kept)))


def _apart(one: Span, other: Span) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]


def _places(kind: Kind, text: str, target: str) -> list[Span]:
    """Where a text stands in a translation; of a number, also where it is written otherwise."""
    if kind != "number":
        return [found.span() for found in re.finditer(re.escape(text), target)]
    exact = re.finditer(rf"(?<!\d){re.escape(text)}(?!\d)", target)
    places = [found.span() for found in exact]
    others = [found for found in _NUMBERS.finditer(target) if digits(found.group()) == digits(text)]
    return places + [found.span() for found in others if found.span() not in places]


def digits(number: str) -> str:
    """A number without its separators."""
    return "".join(character for character in number if character.isdecimal())


def _terms(text: str, terms: Sequence[str]) -> Iterable[ProtectedSpan]:
    if not terms:
        return
    longest_first = sorted(set(terms), key=lambda term: (-len(term), term))
    pattern = "|".join(map(re.escape, longest_first))
    for found in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text):
        yield ProtectedSpan(*found.span(), "term")


def _patterns(text: str) -> Iterable[ProtectedSpan]:
    for found in _PATTERN.finditer(text):
        kind = _PATTERNS[int((found.lastgroup or "p0")[1:])][0]
        start, end = found.span()
        if kind == "address":
            end = start + len(_trimmed(found.group()))
        elif kind == "placeholder":
            end += len(_matched(_GLUED, text, end))
            start -= len(_matched(_GLUED, text[max(0, start - 40) : start][::-1], 0))
        yield ProtectedSpan(start, end, kind)


def _matched(pattern: re.Pattern[str], text: str, at: int) -> str:
    found = pattern.match(text, at)
    return found.group() if found else ""


def _trimmed(address: str) -> str:
    """Without the marks of the sentence around it, and a bracket that was opened before it."""
    while address:
        last = address[-1]
        unopened = last in ")]" and address.count(last) > address.count("(" if last == ")" else "[")
        if last not in _AFTER_ADDRESS and not unopened:
            break
        address = address[:-1]
    return address


def _add(spans: list[ProtectedSpan], more: Iterable[ProtectedSpan]) -> list[ProtectedSpan]:
    """Spans and those of `more` that overlap none of them; both in order, without overlaps."""
    free, i = [], 0
    for one in more:
        while i < len(spans) and spans[i].end <= one.start:
            i += 1
        if one.start < one.end and (i == len(spans) or one.end <= spans[i].start):
            free.append(one)
    return sorted(spans + free)


def _not_inside(
    terms: Iterable[ProtectedSpan], patterns: Sequence[ProtectedSpan]
) -> Iterable[ProtectedSpan]:
    """Terms that are no part of something longer, as of an address."""
    i = 0
    for term in terms:
        while i < len(patterns) and patterns[i].end < term.end:
            i += 1
        if i == len(patterns) or patterns[i].start > term.start:
            yield term


def _merged(spans: list[ProtectedSpan], text: str) -> list[ProtectedSpan]:
    merged: list[ProtectedSpan] = []
    for span in spans:
        before = merged[-1] if merged else None
        if before is not None and _together(before, span, text):
            kind = before.kind if before.kind not in _WEAK else span.kind
            merged[-1] = replace(before, end=max(before.end, span.end), kind=kind)
        else:
            merged.append(span)
    return merged


def _together(before: ProtectedSpan, after: ProtectedSpan, text: str) -> bool:
    between = text[before.end : after.start]
    if after.start < before.end:  # a figure that a placeholder took in
        return True
    if before.kind == after.kind == "placeholder":
        return _BETWEEN.fullmatch(between) is not None
    both = {before.kind, after.kind}
    return not between and (both <= set(_TOUCHING) or "term" in both)
