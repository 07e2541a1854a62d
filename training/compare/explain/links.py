"""Sets of links between source and target words: joined from two directions, and compared.

Och & Ney 2003, "A systematic comparison of various statistical alignment models", section 5 (error
rate); Koehn, Och & Marcu 2003, section 2.4 (grow-diag-final-and).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

Link = tuple[int, int]
"""Places of a source word and of a target word, from 0."""
Links = frozenset[Link]

_AROUND = [(i, j) for i, j in product((-1, 0, 1), repeat=2) if (i, j) != (0, 0)]


@dataclass(frozen=True)
class Alignment:
    """Two directions joined: links that both found are sure, those of `grown` possible."""

    sure: Links
    grown: Links


def parse_links(text: str) -> Links:
    """Links as aligners write them: `0-0 1-2`, source first."""
    pairs = (link.split("-") for link in text.split())
    return frozenset((int(source), int(target)) for source, target in pairs)


def symmetrise(forward: Links, backward: Links) -> Alignment:
    """Join the links of both directions, each with the source first: grow-diag-final-and."""
    sure = forward & backward
    grown = _grow(set(sure), forward | backward)
    for candidates in (forward, backward):
        for link in sorted(candidates):
            if all(_new_words(link, grown)):
                grown.add(link)
    return Alignment(sure, frozenset(grown))


def _grow(links: set[Link], union: Links) -> set[Link]:
    """Add neighbours from the union, diagonal ones too, for as long as they link a new word."""
    fresh = sorted(links)
    while fresh:
        added = []
        for source, target in fresh:
            for near in ((source + i, target + j) for i, j in _AROUND):
                if near in union and any(_new_words(near, links)):
                    links.add(near)
                    added.append(near)
        fresh = added
    return links


def _new_words(link: Link, links: Iterable[Link]) -> tuple[bool, bool]:
    """Whether no other link has the link's source word; whether none has its target word."""
    sources, targets = {source for source, _ in links}, {target for _, target in links}
    return link[0] not in sources, link[1] not in targets


def alignment_errors(found: Links, alignment: Alignment) -> tuple[int, int, int, int]:
    """What the error rate adds up: found & sure, found & possible, found, sure links."""
    return (
        len(found & alignment.sure),
        len(found & alignment.grown),
        len(found),
        len(alignment.sure),
    )
