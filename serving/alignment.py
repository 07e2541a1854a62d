"""Which source word each target word was written under, from attention between their pieces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mt.stepper import Attention
from mt.tokenizer import Span
from serving.segmenter import UNSPACED

# A sign of an unspaced script; a word with inner apostrophes and hyphens; any other mark.
_WORD = re.compile(
    f"(?!\\s)[{UNSPACED}]|(?:(?![{UNSPACED}])\\w)+(?:['’-](?:(?![{UNSPACED}])\\w)+)*|[^\\w\\s]"
)


@dataclass(frozen=True)
class WordPair:
    """A target word and the source word that most of the attention for it fell on."""

    source: Span
    target: Span


@dataclass(frozen=True)
class WordAttention:
    """Attention between words: `mass` (target words, source words) sums that of their pieces."""

    source: tuple[Span, ...]
    target: tuple[Span, ...]
    mass: npt.NDArray[np.float32]

    def pairs(self) -> tuple[WordPair, ...]:
        """One pair for each target word, in its order; a source word may be in several, or none."""
        if not self.mass.size:
            return ()
        best, most = self.mass.argmax(axis=1).tolist(), self.mass.max(axis=1).tolist()
        found = zip(self.target, best, most, strict=True)
        return tuple(WordPair(self.source[at], word) for word, at, weight in found if weight > 0)

    @classmethod
    def of_copy(cls, text: str) -> "WordAttention":
        """Of a text and itself."""
        words = tuple(_words(text))
        return cls(words, words, np.eye(len(words), dtype=np.float32))


def joined(parts: Sequence[tuple[WordAttention, int, int]]) -> WordAttention:
    """Attention within parts of a text, each with its start in the text and in the translation."""
    heights, widths = [len(one.target) for one, *_ in parts], [len(one.source) for one, *_ in parts]
    mass = np.zeros((sum(heights), sum(widths)), np.float32)
    row = column = 0
    for (one, *_), height, width in zip(parts, heights, widths, strict=True):
        mass[row : row + height, column : column + width] = one.mass
        row, column = row + height, column + width
    return WordAttention(
        tuple((a + at, b + at) for one, at, _ in parts for a, b in one.source),
        tuple((a + at, b + at) for one, _, at in parts for a, b in one.target),
        mass,
    )


def word_attention(
    source: str,
    source_spans: Sequence[Span],
    target: str,
    target_spans: Sequence[Span],
    attention: Attention | None,
) -> WordAttention:
    """Gather the attention between pieces into that between words; none where there is none.

    `attention` (target pieces or more, source pieces or more): rows and columns beyond the pieces,
    those of eos, are passed over. A word of several pieces gathers what they give and receive.
    """
    source_words, target_words = _words(source), _words(target)
    mass = np.zeros((len(target_words), len(source_words)), np.float32)
    if attention is not None and mass.size:
        weights = attention[: len(target_spans), : len(source_spans)]
        of_source, of_target = (
            _shares(source_words, source_spans),
            _shares(target_words, target_spans),
        )
        mass = (of_target @ weights @ of_source.T).astype(np.float32)
    return WordAttention(tuple(source_words), tuple(target_words), mass)


def _words(text: str) -> list[Span]:
    return [match.span() for match in _WORD.finditer(text)]


def _shares(words: Sequence[Span], pieces: Sequence[Span]) -> npt.NDArray[np.float32]:
    """How much of each piece lies in each word, (words, pieces); columns sum to 1, or to 0."""
    of_words, of_pieces = np.array(words), np.array(pieces).reshape(-1, 2)
    starts = np.maximum(of_words[:, None, 0], of_pieces[None, :, 0])
    ends = np.minimum(of_words[:, None, 1], of_pieces[None, :, 1])
    shared = (ends - starts).clip(0).astype(np.float32)
    shares: npt.NDArray[np.float32] = shared / shared.sum(axis=0).clip(1)
    return shares
