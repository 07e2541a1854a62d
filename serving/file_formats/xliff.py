"""XLIFF 1.2 and 2.0: units without a translation get one; all else stays as it is.

Inline codes stay where their words go: `<g>`, `<pc>` and `<mrk>` go around them, the others are
kept whole. Units marked `translate="no"` are left alone.
"""

from collections.abc import Sequence

from mt.errors import InputError
from serving.file_formats.passages import FileText, Passage
from serving.text.markup_tokens import Token, tokens
from serving.text.text_checks import has_letters
from serving.text.text_options import TextOptions

_AROUND = ("g", "pc", "mrk")
_KEPT = ("x", "bx", "ex", "bpt", "ept", "ph", "it", "sub", "sc", "ec", "cp", "sm", "em")
_XML = TextOptions(
    format="xml",
    ignore_tags=_KEPT,
    non_splitting_tags=(*_AROUND, *_KEPT),
    preserve_formatting=True,
)
_UNITS = ("trans-unit", "unit", "segment", "group", "file")


def read(text: str) -> FileText:
    """Sources with letters and without a target.

    Raises:
        InputError: not XML, or no XLIFF.
    """
    found = tokens(text, is_html=False)
    if not any(token.kind == "open" and token.name == "xliff" for token in found):
        raise InputError("no XLIFF: it has no element of that name")
    pieces: list[str | Passage] = []
    kept = [False]
    at = 0
    while at < len(found):
        token = found[at]
        if token.name in _UNITS and token.kind == "open":
            told = token.attributes.get("translate")
            kept.append(kept[-1] if told is None else told == "no")
        elif token.name in _UNITS and token.kind == "close":
            kept.pop()
        if token.name == "source" and token.kind == "open" and not kept[-1]:
            unit, at = _unit(found, at)
            pieces += unit
        else:
            pieces.append(token.raw)
            at += 1
    return FileText(tuple(pieces), _XML)


def _unit(found: Sequence[Token], at: int) -> tuple[list[str | Passage], int]:
    """A source and the target behind it, filled in or made; and where they end."""
    end = _end(found, at)
    source = "".join(token.raw for token in found[at : end + 1])
    inside = "".join(token.raw for token in found[at + 1 : end])
    words = any(has_letters(token.text) for token in found[at + 1 : end])
    gap, target = "", end + 1
    while target < len(found) and found[target].kind in ("text", "other"):
        gap += found[target].raw
        target += 1
    has_target = target < len(found) and found[target].name == "target"
    if not words or (has_target and _has_text(found, target)):
        return [source], end + 1
    if not has_target:
        before = found[at - 1] if at else found[at]
        space = before.raw if before.kind == "text" and not before.raw.strip() else ""
        return [source, space, "<target>", Passage(inside), "</target>"], end + 1
    opening, close = found[target], _end(found, target)
    tag = opening.raw if opening.kind == "open" else f"{opening.raw[:-2].rstrip()}>"
    return [source, gap, tag, Passage(inside), "</target>"], close + 1


def _has_text(found: Sequence[Token], at: int) -> bool:
    return any(token.text.strip() for token in found[at : _end(found, at)])


def _end(found: Sequence[Token], at: int) -> int:
    """The place of an element's end tag; its own where it is empty."""
    depth = 0
    for place in range(at, len(found)):
        if found[place].name == found[at].name:
            depth += {"open": 1, "close": -1}.get(found[place].kind, 0)
        if depth == 0:
            return place
    return len(found) - 1  # not in well-formed XML
