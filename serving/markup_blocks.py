"""Markup taken apart: what stays as it is, and blocks of running text with inline elements.

A block is what a reader takes for one paragraph: it ends where an element begins or ends that is
no part of a sentence, as `<p>` or `<br>` in HTML. Inside it, inline elements such as `<b>` are kept
beside the text as ranges of it; what must not be translated, and what has no text, is one character
of it, a marker of Unicode's private use area.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from mt.errors import InputError
from serving.markup_tokens import Token, tokens
from serving.protected_spans import Kind, ProtectedSpan
from serving.text_checks import has_letters, has_words
from serving.text_options import TextOptions

_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em"}
    | {"font", "i", "img", "input", "ins", "kbd", "label", "map", "mark", "meter", "output", "q"}
    | {"rp", "rt", "ruby", "s", "samp", "slot", "small", "span", "strike", "strong", "sub", "sup"}
    | {"time", "tt", "u", "var", "wbr", "button", "picture", "svg", "math", "object", "canvas"}
)
_VERBATIM = frozenset(
    {"script", "style", "code", "kbd", "samp", "var", "tt", "svg", "math", "template", "canvas"}
    | {"noscript", "object", "iframe", "audio", "video", "map"}
)
_FORMATTING = frozenset({"bpt", "ept", "bx", "ex", "sc", "ec", "it"})
"""Elements of XLIFF that stand for one tag each."""
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


@dataclass
class _Node:
    """A token, or a whole element that is kept: `kind` then says what stands in for it."""

    token: Token
    kind: Kind = "symbol"
    preformatted: bool = False


def blocks(markup: str, options: TextOptions) -> list[str | Block]:
    """What stays as it is, and blocks, in order: put end to end their raw text is the markup.

    Raises:
        InputError: XML that is not well-formed, or declares entities; elements nested too deep.
    """
    is_html = options.format == "html"
    found = tokens(markup, is_html)
    splits = _Splits(
        _INLINE if is_html else _mixed(found) if options.outline_detection else None,
        frozenset(options.splitting_tags),
        frozenset(options.non_splitting_tags),
    )
    reader = _Reader(
        known=set(markup) | {character for token in found for character in token.text},
        flowing=is_html and options.splitting != "newlines",
    )
    runs = _runs(list(_nodes(found, options, is_html)), splits)
    return [piece for run in runs for piece in _pieces(run, reader) if piece]


def _nodes(found: Sequence[Token], options: TextOptions, is_html: bool) -> Iterator[_Node]:
    """Tokens, with every element that is to be kept as one."""
    ends = _partners(found)
    at, preformatted = 0, -1
    while at < len(found):
        token = found[at]
        if token.name in ("pre", "textarea") or token.attributes.get("xml:space") == "preserve":
            preformatted = max(preformatted, ends.get(at, at))
        if token.kind in ("open", "empty") and _is_kept(token, options, is_html):
            end = ends.get(at, at)
            inside = found[at : end + 1]
            raw = "".join(one.raw for one in inside)
            text = "".join(one.text for one in inside)
            kind: Kind = "term" if _stands_for_words(token, text, is_html) else "symbol"
            yield _Node(Token("empty", raw, token.name), kind)
            at = end + 1
        else:
            yield _Node(token, preformatted=at < preformatted)
            at += 1


def _stands_for_words(token: Token, text: str, is_html: bool) -> bool:
    """Whether what is kept is a part of speech; an empty element of XML is a placeholder."""
    if token.name in _FORMATTING:
        return False
    return has_words(text) or (not is_html and token.name not in _VERBATIM)


def _is_kept(token: Token, options: TextOptions, is_html: bool) -> bool:
    """Whether an element is not to be translated: asked for, or by the rules of HTML."""
    if token.name in options.ignore_tags:
        return True
    if (token.attributes.get("translate") or "").lower() == "no":
        return True
    if not is_html:
        return False
    classes = (token.attributes.get("class") or "").lower().split()
    return token.name in _VERBATIM or "notranslate" in classes


def _partners(found: Sequence[Token]) -> dict[int, int]:
    """The place of the end tag of each start tag that has one, tags properly nested or not."""
    ends: dict[int, int] = {}
    opened: dict[str, list[int]] = {}
    for at, token in enumerate(found):
        if token.kind == "open":
            opened.setdefault(token.name, []).append(at)
        elif token.kind == "close" and opened.get(token.name):
            ends[opened[token.name].pop()] = at
    return ends


def _mixed(found: Iterable[Token]) -> set[str]:
    """Names of elements that stand beside text in the same parent, anywhere."""
    mixed: set[str] = set()
    levels: list[tuple[set[str], list[bool]]] = [(set(), [False])]
    for token in found:
        if token.kind == "text" and token.text.strip():
            levels[-1][1][0] = True
        if token.kind in ("open", "empty"):
            levels[-1][0].add(token.name)
        if token.kind == "open":
            levels.append((set(), [False]))
        elif token.kind == "close":
            names, [text] = levels.pop()
            mixed |= names if text else set()
    for names, [text] in levels:
        mixed |= names if text else set()
    return mixed


@dataclass(frozen=True)
class _Splits:
    """Which tags end a sentence. inline: the names that do not; None: all others."""

    inline: Set[str] | None
    splitting: frozenset[str]
    non_splitting: frozenset[str]

    def at(self, token: Token) -> bool:
        if token.kind == "text" or not token.name:
            return token.raw.startswith("<!DOCTYPE")
        if token.name in self.splitting:
            return True
        if token.name in self.non_splitting:
            return False
        return self.inline is not None and token.name not in self.inline


def _runs(nodes: Sequence[_Node], splits: _Splits) -> Iterator[list[_Node]]:
    """Nodes between tags that split, those tags alone, and inline tags without partner alone."""
    run: list[_Node] = []
    for node in nodes:
        if splits.at(node.token):
            yield from _paired(run)
            yield [node]
            run = []
        else:
            run.append(node)
    yield from _paired(run)


def _paired(run: list[_Node]) -> Iterator[list[_Node]]:
    """The run, cut at tags that have no partner in it, until all tags have."""
    partners = _nesting(run)
    start = 0
    for at, node in enumerate(run):
        if node.token.kind in ("open", "close") and at not in partners:
            yield from _paired(run[start:at])
            yield [node]
            start = at + 1
    if start:
        yield from _paired(run[start:])
    else:
        yield run


def _nesting(run: Sequence[_Node]) -> dict[int, int]:
    """Places of tags and of their partners, both ways; only what is properly nested."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for at, node in enumerate(run):
        if node.token.kind == "open":
            opened.append(at)
        elif node.token.kind == "close":
            names = [run[one].token.name for one in opened]
            if node.token.name in names:
                back = len(names) - 1 - names[::-1].index(node.token.name)
                partners |= {at: opened[back], opened[back]: at}
                del opened[back:]
    return partners


def _pieces(run: list[_Node], reader: "_Reader") -> list[str | Block]:
    """A block with what is around its text taken off."""
    if not any(_has_letters(node) for node in run):
        return ["".join(node.token.raw for node in run)]
    start, end = 0, len(run)
    partners = _nesting(run)
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


def _has_letters(node: _Node) -> bool:
    return node.token.kind == "text" and has_letters(node.token.text)


def _is_outside(node: _Node) -> bool:
    """Whether a node at the edge of a block says nothing."""
    token = node.token
    if token.kind == "text":
        return not token.text.strip()
    return token.kind == "other" or (token.kind == "empty" and node.kind == "symbol")


def _without_space(node: _Node, strip: Callable[[str], str]) -> tuple[str, _Node]:
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

    def block(self, run: list[_Node]) -> Block:
        """The block of a run whose tags all have their partners in it."""
        self.text, self.markers, self.spans = "", {}, []
        self._free = (chr(at) for at in range(*_MARKERS) if chr(at) not in self.known)
        elements = self._read(run, depth=1)
        raw = "".join(node.token.raw for node in run)
        preformatted = any(node.preformatted for node in run)
        return Block(raw, self.text, elements, self.markers, tuple(self.spans), preformatted)

    def _read(self, run: list[_Node], depth: int) -> tuple[Element, ...]:
        """Write a run; its outermost elements."""
        if depth > _DEEPEST:
            raise InputError(f"elements within a sentence are nested more than {_DEEPEST} deep")
        elements: list[Element] = []
        partners = _nesting(run)
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

    def _kind(self, inside: Iterable[_Node]) -> Kind:
        """What an element without letters is: a figure among words, or no part of speech."""
        figures = has_words("".join(node.token.text for node in inside))
        alone = not self.text or self.text[-1].isspace()
        return "number" if figures and alone else "symbol"

    def _mark(self, raw: str, kind: Kind) -> None:
        marker = next(self._free)
        self.spans.append(ProtectedSpan(len(self.text), len(self.text) + 1, kind))
        self.markers[marker] = raw
        self.text += marker
