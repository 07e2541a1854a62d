"""Where the tags of a text go in its translation, by attention between words.

Each target word is worth the share of its attention that fell inside an element, less one half; an
element goes around the run of words that is worth most. So a word that drifted elsewhere is no
reason to cut the run in two, and every element stays one element. Elements within another stay
within it, and beside each other they stay disjoint: what comes out is nested as it went in.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mt.tokenizer import Span
from serving.alignment import WordAttention
from serving.markup_blocks import Element

_MARK = 0.05  # what a punctuation mark is worth: too little to decide, enough to be taken along
_MARKER = 0.5  # of something kept: as much as a word that looked nowhere else


@dataclass(frozen=True)
class Placed:
    """An element and the characters of the translation that it goes around."""

    element: Element
    start: int
    end: int
    children: tuple["Placed", ...]


def place(
    elements: Sequence[Element], source: str, target: str, words: WordAttention
) -> tuple[Placed, ...]:
    """Elements of a text around words of its translation, in the translation's order."""
    return _Placer(source, target, words).within(elements, 0, len(words.target))


class _Placer:
    def __init__(self, source: str, target: str, words: WordAttention) -> None:
        self._source = source
        self._target = target
        self._words = words
        mass = words.mass if words.mass.any() else _along(*words.mass.shape)
        total = mass.sum(axis=1, keepdims=True)
        self._shares = mass / np.where(total > 0, total, 1)  # (target words, source words)

    def within(self, elements: Sequence[Element], start: int, end: int) -> tuple[Placed, ...]:
        """Elements, none inside another, among target words `start` to `end`."""
        worths = [self._worth(element) for element in elements]
        free = np.zeros(len(self._words.target), bool)
        free[start:end] = True
        runs: dict[int, Span] = {}
        for i in sorted(range(len(elements)), key=lambda i: -_best_run(worths[i], free)[0]):
            _, first, last = _best_run(worths[i], free)
            runs[i] = (first, last) if first < last else self._beside(elements[i], free, start, end)
            free[first:last] = False
        placed = [self._placed(elements[i], *runs[i]) for i in range(len(elements))]
        return tuple(sorted(placed, key=lambda one: (one.start, one.end)))

    def _placed(self, element: Element, first: int, last: int) -> Placed:
        children = self.within(element.children, first, last)
        spans = self._words.target
        if first < last:
            return Placed(element, spans[first][0], spans[last - 1][1], children)
        at = spans[first][0] if first < len(spans) else len(self._target)
        return Placed(element, at, at, children)

    def _worth(self, element: Element) -> npt.NDArray[np.float64]:
        """What each target word is worth to an element, (target words,)."""
        inside = np.array([_overlap(span, element) for span in self._words.source])
        worth = np.asarray(self._shares @ inside, np.float64) - 0.5
        text = self._source[element.start : element.end]
        for at, (start, end) in enumerate(self._words.target):
            mark = self._target[start:end]
            if not mark[0].isalnum():
                value = _MARKER if unicodedata.category(mark[0]) == "Co" else _MARK
                worth[at] = value if mark in text else -value
        return worth

    def _beside(self, element: Element, free: npt.NDArray[np.bool_], start: int, end: int) -> Span:
        """Where an element goes that no word came of: as far in as it stands in the source."""
        share = element.start / max(1, len(self._source))
        at = min(max(round(share * len(self._words.target)), start), end)
        return at, at


def _along(target_words: int, source_words: int) -> npt.NDArray[np.float32]:
    """Attention of a model that has none: on the word that is as far in."""
    mass = np.zeros((target_words, source_words), np.float32)
    if mass.size:
        mass[np.arange(target_words), np.arange(target_words) * source_words // target_words] = 1
    return mass


def _overlap(span: Span, element: Element) -> float:
    """How much of a source word an element holds, 0 to 1."""
    common = min(span[1], element.end) - max(span[0], element.start)
    return max(0, common) / max(1, span[1] - span[0])


def _best_run(
    worth: npt.NDArray[np.float64], free: npt.NDArray[np.bool_]
) -> tuple[float, int, int]:
    """The run of free words that is worth most in sum: its worth, start and end.

    Where no word is worth anything the best word alone; where none is free an empty run.
    """
    candidates = np.where(free, worth, -np.inf)
    if not free.any():
        return -np.inf, 0, 0
    best, start, total = (-np.inf, 0, 0), 0, 0.0
    for at, one in enumerate(candidates.tolist()):
        if total <= 0:
            start, total = at, 0.0
        total += one
        if total > best[0]:
            best = (total, start, at + 1)
    return best
