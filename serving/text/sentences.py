"""A text's sentences as its reader wants them: hard-wrapped lines joined, protected spans whole."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from serving.text.protected_spans import ProtectedSpan
from serving.text.segmenter import Segment, segment
from serving.text.text_options import Splitting

_ITEM = re.compile(
    r"^[^\S\r\n]*(?P<mark>[-*+•‣◦▪–—]|\d{1,3}[.)])(?P<gap>[^\S\r\n]+)(?=\S)", re.MULTILINE
)
# One newline between two lines of a paragraph; a list's next item begins a line of its own.
_WRAP = re.compile(r"(?<=\S)[^\S\r\n]*(?:\r\n|\r|\n)[^\S\r\n]*(?=\S)(?![-*+•·–—#>|]|\w{1,3}[.)]\s)")


def sentences(
    text: str, language: str, splitting: Splitting, spans: Sequence[ProtectedSpan]
) -> list[Segment]:
    """Split a text, see `serving.text.segmenter.segment`; no sentence ends inside a protected span.

    The mark of a list's item (`-`, `•`, `1.`) is a segment of its own. Where lines are joined
    (`punctuation`), a newline inside a paragraph is a space in the sentences and the gaps; `off`
    leaves one sentence. Offsets are those of the text.
    """
    if splitting == "off":
        return _whole(text)
    if splitting == "newlines":
        return _without_marks(_unbroken(segment(text, language), spans), text, spans)
    found = _unbroken(segment(_unwrapped(text, spans), language), spans)
    return _without_marks([_flowing(one, text) for one in found], text, spans)


def _without_marks(
    segments: list[Segment], text: str, spans: Sequence[ProtectedSpan]
) -> list[Segment]:
    """Segments with the mark that a list's item begins with split off: models drop it."""
    marks = {found.start("mark"): found for found in _ITEM.finditer(text)}
    for span in spans:
        if span.start in marks and span.end > marks[span.start].end("mark"):
            del marks[span.start]
    parts: list[Segment] = []
    for one in segments:
        mark = marks.get(one.start)
        rest = one.sentence[len(mark["mark"] + mark["gap"]) :] if mark else ""
        if mark and rest:
            parts.append(Segment(mark["mark"], mark["gap"], one.start))
            parts.append(Segment(rest, one.gap, mark.end()))
        else:
            parts.append(one)
    return parts


def _whole(text: str) -> list[Segment]:
    sentence = text.strip()
    start = text.index(sentence) if sentence else len(text)
    lead = [Segment("", text[:start], 0)] if start else []
    gap = text[start + len(sentence) :]
    return [*lead, Segment(sentence, gap, start)] if sentence else lead


def _unwrapped(text: str, spans: Sequence[ProtectedSpan]) -> str:
    """The text with as many spaces in the place of each newline that only wraps a line."""

    def unwrap(wrap: re.Match[str]) -> str:
        before = bisect_left(spans, wrap.end(), key=lambda span: span.start) - 1
        inside = before >= 0 and spans[before].end > wrap.start()
        return wrap[0] if inside else " " * len(wrap[0])

    return _WRAP.sub(unwrap, text)


def _flowing(found: Segment, text: str) -> Segment:
    """A gap that wrapped a line is one space."""
    written = text[found.end : found.end + len(found.gap)]
    return found if written == found.gap else Segment(found.sentence, " ", found.start)


def _unbroken(segments: list[Segment], spans: Sequence[ProtectedSpan]) -> list[Segment]:
    """Join what was split inside a protected span."""
    inside = iter(spans)
    span = next(inside, None)
    joined = segments[:1]
    for before, after in pairwise(segments):
        while span is not None and span.end <= after.start:
            span = next(inside, None)
        if span is not None and span.start < after.start and before.sentence:
            last = joined[-1]
            joined[-1] = Segment(last.sentence + last.gap + after.sentence, after.gap, last.start)
        else:
            joined.append(after)
    return joined
