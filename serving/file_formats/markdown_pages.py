"""Markdown: each paragraph, heading, list item and table cell is a passage.

markdown-it finds them, as CommonMark has it; what is not one of them (code, front matter, HTML,
link definitions, every mark of layout) stays byte for byte. Emphasis and links travel as inline
tags, code and images as what is kept; a paragraph of several lines becomes one line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from serving.file_formats.passages import FileText, Passage
from serving.text.text_checks import has_letters
from serving.text.text_options import TextOptions

_HTML = TextOptions(format="html", preserve_formatting=True)
_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_INLINE = re.compile(
    r"(?P<kept>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
    r"|!\[[^\[\]]*\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])"
    r"|<[a-z][a-z0-9+.-]*:[^<>\s]*>)"
    r"|(?P<mark>\\[!-/:-@\[-`{-~]|</?[A-Za-z][^<>]*>|<!--.*?-->)"
    r"|\[(?P<label>(?:[^\[\]\\]|\\.|!?\[[^\[\]]*\](?:\([^()]*\))?)+)\]"
    r"(?P<link>\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])"
    r"|(?P<stress>\*\*|__|~~|\*|(?<!\w)_)(?=[^\s*_~])(?P<stressed>.+?)(?<=[^\s*_~])(?P=stress)(?!\w|[*_])",
    re.DOTALL,
)
_TAG = re.compile(
    r'<span id="(?P<open>\d+)">|(?P<close></span>)|<(?:code|wbr) id="(?P<kept>\d+)">(?:x</code>)?'
)


def read(text: str) -> FileText:
    """Passages of running text."""
    front = _FRONT_MATTER.match(text)
    start = front.end() if front else 0
    lines = text[start:].splitlines(keepends=True)
    offsets = [start]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    pieces: list[str | Passage] = []
    at = 0
    for place in _places(parser.parse(text[start:]), lines, offsets):
        if has_letters(text[place.start : place.end]):
            pieces += [text[at : place.start], _passage(place.text)]
            at = place.end
    return FileText((*pieces, text[at:]), _HTML)


@dataclass(frozen=True)
class _Place:
    """Running text, and the characters of the file that it takes, marks of layout included."""

    text: str
    start: int
    end: int


def _places(
    found: Sequence[Token], lines: Sequence[str], offsets: Sequence[int]
) -> Iterator[_Place]:
    column, row = 0, -1
    for token in found:
        if token.type != "inline" or token.map is None:
            continue
        first = token.map[0]
        column = column if first == row else 0  # the next cell of a table's row
        spans = []
        for i, content in enumerate(token.content.split("\n")):
            at = lines[first + i].find(content.strip(), column if i == 0 else 0)
            spans.append((first + i, at, at + len(content.strip())))
        if all(at >= 0 for _, at, _ in spans):
            row, column = spans[-1][0], spans[-1][2]
            yield from _flowing(spans, lines, offsets)


def _flowing(
    spans: Sequence[tuple[int, int, int]], lines: Sequence[str], offsets: Sequence[int]
) -> Iterator[_Place]:
    """Lines that flow together; one that ends in a backslash or two spaces is broken there."""
    texts: list[str] = []
    start = -1
    for number, (line, first, last) in enumerate(spans, start=1):
        text = lines[line][first:last]
        start = offsets[line] + first if start < 0 else start
        broken = text.endswith("\\") or lines[line].rstrip("\r\n").endswith("  ")
        texts.append(text.removesuffix("\\"))
        if broken or number == len(spans):
            yield _Place(" ".join(texts), start, offsets[line] + first + len(texts[-1]))
            texts, start = [], -1


def _passage(text: str) -> Passage:
    marks: list[tuple[str, str]] = []
    return Passage(_as_html(text, marks), lambda translation: _as_markdown(translation, marks))


def _as_html(text: str, marks: list[tuple[str, str]]) -> str:
    """Text with numbered tags in the place of its marks; `marks` gets what they stand for."""
    pieces, at = [], 0
    for found in _INLINE.finditer(text):
        pieces.append(escape(text[at : found.start()], quote=False))
        at = found.end()
        number = len(marks)
        inside = found["label"] or found["stressed"]
        if inside is None:
            marks.append((found.group(), ""))
            code = f'<code id="{number}">x</code>'
            pieces.append(code if found["kept"] else f'<wbr id="{number}">')
        else:
            marks.append(("[", f"]{found['link']}") if found["label"] else (found["stress"],) * 2)
            pieces.append(f'<span id="{number}">{_as_html(inside, marks)}</span>')
    return "".join([*pieces, escape(text[at:], quote=False)])


def _as_markdown(translation: str, marks: Sequence[tuple[str, str]]) -> str:
    pieces, at, opened = [], 0, [""]
    for found in _TAG.finditer(translation):
        pieces.append(unescape(translation[at : found.start()]))
        at = found.end()
        if found["close"]:
            pieces.append(opened.pop())
        else:
            before, after = marks[int(found["open"] or found["kept"])]
            pieces.append(before)
            opened += [after] if found["open"] else []
    return "".join([*pieces, unescape(translation[at:])])
