"""Markup taken apart: what stays as it is, and blocks of running text with inline elements.

A block is what a reader takes for one paragraph: it ends where an element begins or ends that is
no part of a sentence, as `<p>` or `<br>` in HTML. Inside it, inline elements such as `<b>` are kept
beside the text as ranges of it; what must not be translated, and what has no text, is one character
of it, a marker of Unicode's private use area.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from mt.errors import InputError
from serving.text.markup_runs import Node, nesting, runs
from serving.text.markup_tokens import tokens
from serving.text.protected_spans import Kind, ProtectedSpan
from serving.text.text_checks import has_letters, has_words
from serving.text.text_options import TextOptions

_MARKERS = (0xF0000, 0x10FFFE)  # both supplementary private use areas
_DEEPEST = 100
_NEWLINES = re.compile(r"\s*[\r\n]\s*")


@dataclass(frozen=True)
class Element:
    """An inline element: its tags as written, the characters of the block's text inside it."""

    opening: str
    closing: str
    start: int
    end: int
    children: tuple["Element", ...] = ()


@dataclass(frozen=True)
class Block:
    """A paragraph. raw: as written; markers: what each marker in `text` stands for.

    elements: the outermost ones, in order; preformatted: newlines and spaces count.
    """

    raw: str
    text: str
    elements: tuple[Element, ...]
    markers: Mapping[str, str]
    spans: tuple[ProtectedSpan, ...]
    preformatted: bool = False


def blocks(markup: str, options: TextOptions) -> list[str | Block]:
    """What stays as it is, and blocks, in order: put end to end their raw text is the markup.

    Raises:
        InputError: XML that is not well-formed, or declares entities; elements nested too deep.
    """
    is_html = options.format == "html"
    found = tokens(markup, is_html)
    reader = _Reader(
        known=set(markup) | {character for token in found for character in token.text},
        flowing=is_html and options.splitting != "newlines",
    )
    return [piece for run in runs(found, options) for piece in _pieces(run, reader) if piece]


def _pieces(run: list[Node], reader: "_Reader") -> list[str | Block]:
    """A block with what is around its text taken off."""
    if not any(_has_letters(node) for node in run):
        return ["".join(node.token.raw for node in run)]
    start, end = 0, len(run)
    partners = nesting(run)
    while True:
        if _is_outside(run[start]):
            start += 1
        elif _is_outside(run[end - 1]):
            end -= 1
        elif partners.get(start) == end - 1:
            start, end = start + 1, end - 1
        else:
            break
    inside = run[start:end]
    lead, inside[0] = _without_space(inside[0], str.lstrip)
    tail, inside[-1] = _without_space(inside[-1], str.rstrip)
    before = "".join(node.token.raw for node in run[:start]) + lead
    after = tail + "".join(node.token.raw for node in run[end:])
    return [before, reader.block(inside), after]


def _has_letters(node: Node) -> bool:
    return node.token.kind == "text" and has_letters(node.token.text)


def _is_outside(node: Node) -> bool:
    """Whether a node at the edge of a block says nothing."""
    token = node.token
    if token.kind == "text":
        return not token.text.strip()
    return token.kind == "other" or (token.kind == "empty" and node.kind == "symbol")


def _without_space(node: Node, strip: Callable[[str], str]) -> tuple[str, Node]:
    """The space at one end of a text, as written, and the node without it."""
    raw = strip(node.token.raw)
    if node.token.kind != "text" or len(raw) == len(node.token.raw):
        return "", node
    space = node.token.raw.removeprefix(raw).removesuffix(raw)
    stripped = replace(node.token, raw=raw, text=strip(node.token.text))
    return space, replace(node, token=stripped)


@dataclass
class _Reader:
    """Writes blocks' texts. known: characters that cannot be markers; flowing: newlines are spaces.

    text, markers, spans: of the block being written.
    """

    known: Set[str]
    flowing: bool
    text: str = ""
    markers: dict[str, str] = field(default_factory=dict)
    spans: list[ProtectedSpan] = field(default_factory=list)

    def block(self, run: list[Node]) -> Block:
        """The block of a run whose tags all have their partners in it."""
        self.text, self.markers, self.spans = "", {}, []
        self._free = (chr(at) for at in range(*_MARKERS) if chr(at) not in self.known)
        elements = self._read(run, depth=1)
        raw = "".join(node.token.raw for node in run)
        preformatted = any(node.preformatted for node in run)
        return Block(raw, self.text, elements, self.markers, tuple(self.spans), preformatted)

    def _read(self, run: list[Node], depth: int) -> tuple[Element, ...]:
        """Write a run; its outermost elements."""
        if depth > _DEEPEST:
            raise InputError(f"elements within a sentence are nested more than {_DEEPEST} deep")
        elements: list[Element] = []
        partners = nesting(run)
        at = 0
        while at < len(run):
            node, end = run[at], partners.get(at, at)
            if node.token.kind == "text":
                flows = self.flowing and not node.preformatted
                self.text += _NEWLINES.sub(" ", node.token.text) if flows else node.token.text
            elif node.token.kind == "open" and any(map(_has_letters, run[at:end])):
                start = len(self.text)
                children = self._read(run[at + 1 : end], depth + 1)
                tags = node.token.raw, run[end].token.raw
                elements.append(Element(*tags, start, len(self.text), children))
            elif node.token.kind == "open":
                self._mark(
                    "".join(one.token.raw for one in run[at : end + 1]), self._kind(run[at:end])
                )
            else:
                self._mark(node.token.raw, node.kind)
            at = end + 1
        return tuple(elements)

    def _kind(self, inside: Iterable[Node]) -> Kind:
        """What an element without letters is: a figure among words, or no part of speech."""
        figures = has_words("".join(node.token.text for node in inside))
        alone = not self.text or self.text[-1].isspace()
        return "number" if figures and alone else "symbol"

    def _mark(self, raw: str, kind: Kind) -> None:
        marker = next(self._free)
        self.spans.append(ProtectedSpan(len(self.text), len(self.text) + 1, kind))
        self.markers[marker] = raw
        self.text += marker
