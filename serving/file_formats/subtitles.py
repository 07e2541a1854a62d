"""SubRip and WebVTT: each cue is a passage, and keeps its number of lines.

Numbers, times, settings, notes and styles stay as they are. The formats are a line with `-->` and
the lines up to the next blank one; libraries for them write numbers, times and spaces anew.
"""

import re

from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_DIALOGUE = re.compile(r"\s*(?:<[^>]*>\s*)*[-–—]")
_LONGEST = 42  # characters of a line: what fits on a screen


def read(text: str) -> FileText:
    """Cues; a dialogue, whose lines begin with dashes, is a passage a line."""
    pieces: list[str | Passage] = []
    cue: list[str] | None = None
    for line in _LINE.findall(text):
        if cue is not None and line.strip():
            cue.append(line)
            continue
        pieces += _passages(cue or [])
        cue = [] if "-->" in line else None
        pieces.append(line)
    return FileText(tuple(piece for piece in [*pieces, *_passages(cue or [])] if piece != ""))


def _passages(lines: list[str]) -> list[str | Passage]:
    if not has_letters("".join(lines)):
        return ["".join(lines)]
    if any(_DIALOGUE.match(line) for line in lines):
        return [piece for line in lines for piece in _passage([line])]
    return _passage(lines)


def _passage(lines: list[str]) -> list[str | Passage]:
    texts = [line.rstrip("\r\n") for line in lines]
    breaks = [line[len(text) :] for line, text in zip(lines, texts, strict=True)]
    flowing = " ".join(text.strip() for text in texts)
    return [Passage(flowing, lambda translation: _wrapped(translation, breaks[:-1])), breaks[-1]]


def _wrapped(text: str, breaks: list[str]) -> str:
    """Text over as many lines as there were, of about one length; short text needs no more."""
    if not breaks or len(text) <= _LONGEST // 2:
        return text
    lines, rest = [], text
    for number in range(len(breaks), 0, -1):
        at = _cut(rest, round(len(rest) / (number + 1)))
        lines.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return "".join(line + end for line, end in zip(lines, breaks, strict=True) if line) + rest


def _cut(text: str, wanted: int) -> int:
    """The space nearest to the place wanted; the end where there is none. Tags stay whole."""
    spaces = [found.start() for found in re.finditer(r"\s+(?![^<]*>)", text)]
    return min(spaces, key=lambda at: abs(at - wanted), default=len(text))
