"""Word documents (OOXML): each paragraph is a passage, whatever runs its text is cut into.

A run is text of one look. The look that most of a paragraph has is the passage's plain text; runs
of another one are inline elements, so that a bold word is bold in the translation. Tabs, breaks,
pictures and references are kept; text boxes and tracked changes are kept as they are.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape, unescape

from serving.file_formats import archives
from serving.file_formats.passages import FileText, Passage
from serving.text.markup_tokens import Token, tokens
from serving.text.text_checks import has_letters
from serving.text.text_options import TextOptions

_XML = TextOptions(
    format="xml",
    ignore_tags=("bx",),  # something that is no word, as in XLIFF
    non_splitting_tags=("r", "h", "bx"),
    outline_detection=False,
    preserve_formatting=True,
)
_MEMBER = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml")
_TAG = re.compile(r'<(?P<name>r|h|bx) id="(?P<id>\d+)"\s*/?>|</(?P<close>[rh])>')
_FORGOTTEN = ("w:proofErr", "w:lastRenderedPageBreak", "w:noBreakHyphen", "w:softHyphen")


def read(content: bytes) -> FileText:
    """The passages of the text, headers, footers and notes.

    Raises:
        InputError: see `serving.file_formats.archives.read`.
    """
    return archives.read(content, lambda name: _read if _MEMBER.fullmatch(name) else None, _XML)


def _read(text: str) -> FileText:
    found = tokens(text, is_html=False)
    pieces: list[str | Passage] = []
    at = 0
    while at < len(found):
        if found[at].name == "w:p" and found[at].kind == "open":
            end = _end(found, at)
            pieces += _paragraph(found[at : end + 1])
            at = end + 1
        else:
            pieces.append(found[at].raw)
            at += 1
    return FileText(tuple(pieces), _XML)


@dataclass
class _Paragraph:
    """A paragraph's content: (look, text), or (None, markup to keep), or tags around others."""

    content: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    """Markup, and where it goes around something also the end of it."""

    def text(self, look: str, text: str) -> None:
        if self.content and self.content[-1][0] == look:
            look, before = self.content.pop()
            text = before + text
        self.content.append((look, text))

    def keep(self, raw: str) -> None:
        self.content.append((_KEPT, str(len(self.kept))))
        self.kept.append((raw, ""))

    def open(self, opening: str, closing: str) -> None:
        self.content.append((_OPEN, str(len(self.kept))))
        self.kept.append((opening, closing))

    def close(self) -> None:
        self.content.append((_CLOSE, ""))


_KEPT, _OPEN, _CLOSE = "\x00kept", "\x00open", "\x00close"  # no look is like these


def _paragraph(found: Sequence[Token]) -> list[str | Passage]:
    """A paragraph from its start tag to its end tag."""
    start = 1
    if found[1].name == "w:pPr":
        start = 1 + _end(found[1:], 0) + 1
    paragraph = _Paragraph()
    _contents(found[start:-1], paragraph)
    words = [(look, text) for look, text in paragraph.content if not look.startswith("\x00")]
    if not has_letters("".join(text for _, text in words)):
        return ["".join(token.raw for token in found)]
    sizes: Counter[str] = Counter()
    for look, text in words:
        sizes[look] += len(text)
    base = sizes.most_common(1)[0][0]
    looks = list(sizes)
    source = "".join(_as_xml(paragraph.content, looks, base))
    before = "".join(token.raw for token in found[:start])
    passage = Passage(
        source, lambda translation: "".join(_as_runs(translation, looks, base, paragraph.kept))
    )
    return [before, passage, found[-1].raw]


def _contents(found: Sequence[Token], paragraph: _Paragraph) -> None:
    at = 0
    while at < len(found):
        token, end = found[at], _end(found, at)
        if token.name == "w:r" and not any(one.name == "w:p" for one in found[at:end]):
            _run(found[at + 1 : end], paragraph)
        elif token.name == "w:hyperlink" and token.kind == "open":
            paragraph.open(token.raw, found[end].raw)
            _contents(found[at + 1 : end], paragraph)
            paragraph.close()
        elif token.name not in _FORGOTTEN:
            paragraph.keep("".join(one.raw for one in found[at : end + 1]))
        at = end + 1


def _run(found: Sequence[Token], paragraph: _Paragraph) -> None:
    """Texts of a run, and what else is in it, each in a run of its own."""
    look, at = "", 0
    while at < len(found):
        end = _end(found, at)
        raw = "".join(token.raw for token in found[at : end + 1])
        if found[at].name == "w:rPr":
            look = raw
        elif found[at].name == "w:t":
            paragraph.text(look, "".join(token.text for token in found[at:end]))
        elif raw.strip() and found[at].name not in _FORGOTTEN:
            paragraph.keep(f"<w:r>{look}{raw}</w:r>")
        at = end + 1


def _as_xml(content: Sequence[tuple[str, str]], looks: Sequence[str], base: str) -> Iterator[str]:
    for look, text in content:
        if look == _KEPT:
            yield f'<bx id="{text}"/>'
        elif look == _OPEN:
            yield f'<h id="{text}">'
        elif look == _CLOSE:
            yield "</h>"
        elif look == base:
            yield escape(text, quote=False)
        else:
            yield f'<r id="{looks.index(look)}">{escape(text, quote=False)}</r>'


def _as_runs(
    translation: str, looks: Sequence[str], base: str, kept: Sequence[tuple[str, str]]
) -> Iterator[str]:
    at, look, ends = 0, base, [""]
    for found in _TAG.finditer(translation):
        yield _as_run(translation[at : found.start()], look)
        at = found.end()
        if found["name"] == "r":
            look = looks[int(found["id"])]
        elif found["close"] == "r":
            look = base
        elif found["close"] == "h":
            yield ends.pop()
        else:
            before, after = kept[int(found["id"])]
            yield before
            ends += [after] if found["name"] == "h" else []
    yield _as_run(translation[at:], look)


def _as_run(text: str, look: str) -> str:
    if not text:
        return ""
    written = escape(unescape(text), quote=False)
    return f'<w:r>{look}<w:t xml:space="preserve">{written}</w:t></w:r>'


def _end(found: Sequence[Token], at: int) -> int:
    """The place of an element's end tag; its own where it has none."""
    depth = 0
    for place in range(at, len(found)):
        if found[place].name == found[at].name:
            depth += {"open": 1, "close": -1}.get(found[place].kind, 0)
        if depth <= 0:
            return place
    return at
