"""Markup as runs: what a reader takes for one paragraph, and the tags between paragraphs.

What is to be kept as it is (`translate="no"`, ignored tags, scripts, code) is one node already.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from serving.text.markup_tokens import Token
from serving.text.protected_spans import Kind
from serving.text.text_checks import has_words
from serving.text.text_options import TextOptions

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


@dataclass
class Node:
    """A token, or a whole element that is kept: `kind` then says what stands in for it."""

    token: Token
    kind: Kind = "symbol"
    preformatted: bool = False


def runs(found: Sequence[Token], options: TextOptions) -> Iterator[list[Node]]:
    """Nodes between tags that split, those tags alone, and inline tags without partner alone."""
    is_html = options.format == "html"
    options = _in_small_letters(options) if is_html else options
    splits = _Splits(
        _INLINE if is_html else _mixed(found) if options.outline_detection else None,
        frozenset(options.splitting_tags),
        frozenset(options.non_splitting_tags),
    )
    run: list[Node] = []
    for node in _nodes(found, options, is_html):
        if splits.at(node.token):
            yield from _paired(run)
            yield [node]
            run = []
        else:
            run.append(node)
    yield from _paired(run)


def _in_small_letters(options: TextOptions) -> TextOptions:
    """HTML knows no capitals in names, and its tokens have none."""
    fields = ("ignore_tags", "splitting_tags", "non_splitting_tags")
    names = {name: tuple(tag.lower() for tag in getattr(options, name)) for name in fields}
    return options.model_copy(update=names)


def nesting(run: Sequence[Node]) -> dict[int, int]:
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


def _nodes(found: Sequence[Token], options: TextOptions, is_html: bool) -> Iterator[Node]:
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
            yield Node(Token("empty", raw, token.name), kind)
            at = end + 1
        else:
            yield Node(token, preformatted=at < preformatted)
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


def _paired(run: list[Node]) -> Iterator[list[Node]]:
    """The run, cut at tags that have no partner in it, until all tags have."""
    partners = nesting(run)
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
