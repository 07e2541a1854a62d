"""Attention between words, how spread it is, and whether it points where an aligner points.

Attention is between subwords. A source word receives what its subwords receive, in shares of its
characters; a target word attends as the mean of its subwords do. Whatever falls on the end of the
sentence belongs to no word: it is the last column.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mt.config import Strict
from mt.stepper import Attention
from mt.tokenizer import Span
from training.compare.counts import Table
from training.compare.explain.bootstrap import mean_ratio
from training.compare.explain.links import Alignment, Links, alignment_errors
from training.compare.explain.words import Word, split_words
from training.compare.outcome import Estimate
from training.compare.statistics import Resampled

Weights = npt.NDArray[np.float64]


class Agreement(Strict):
    """A system's strongest links beside those of an aligner, mean over seeds."""

    error_rate: Estimate = Field(description="alignment error rate, 0-1 (Och & Ney 2003)")
    precision: Estimate = Field(description="share of its links that the aligner finds possible")
    recall: Estimate = Field(description="share of the aligner's sure links that it has")


class AttentionScore(Strict):
    """Attention of a system that is forced to write the references, mean over seeds."""

    system: str
    entropy: Estimate = Field(description="bits a subword; 0: each attends to one place alone")
    agreement: Agreement | None = Field(None, description="null: there was no aligner")


class HeatMap(Strict):
    """Attention between the words of a source and of a translation."""

    system: str
    number: int = Field(ge=1, description="line of the test set")
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...] = Field(
        description="one row a target word; the last column is the end of the source"
    )


def between_words(
    attention: Attention, source: str, source_spans: Sequence[Span], target: str, spans: list[Span]
) -> Weights:
    """Attention (target words, source words + 1) of attention (target ids, source ids + eos).

    Spans are the characters that each id stands for, without eos.
    """
    target_overlap = _overlap(spans, split_words(target)).T  # (target words, target ids)
    source_overlap = _overlap(source_spans, split_words(source))  # (source ids, source words)
    to_words = _share(source_overlap)
    lost = 1 - to_words.sum(1, keepdims=True)  # of ids that stand for no word
    columns = np.vstack([np.hstack([to_words, lost]), np.eye(to_words.shape[1] + 1)[-1:]])
    weights: Weights = _share(target_overlap) @ attention[: len(spans)].astype(np.float64) @ columns
    return weights


def strongest_links(weights: Weights) -> Links:
    """Each target word linked with the source word it attends to most; none where that is eos."""
    best = weights.argmax(1) if weights.size else np.empty(0, int)
    is_word = best < weights.shape[1] - 1
    attends = weights.sum(1) > 0
    return frozenset(
        (int(best[target]), int(target)) for target in np.flatnonzero(is_word & attends)
    )


def entropies(attention: Attention) -> Weights:
    """Entropy in bits of each row of attention (target ids, source ids)."""
    p = attention.astype(np.float64)
    bits = np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), 0.0)
    found: Weights = -bits.sum(1)
    return found


def attention_score(
    system: str, attentions: Sequence[Sequence[Attention]], resampled: Resampled
) -> AttentionScore:
    """How spread attention is; one list of sentences for each seed."""
    spread = [
        np.array([[entropies(one[:-1]).sum(), len(one) - 1.0] for one in of_seed])
        for of_seed in attentions
    ]
    return AttentionScore(system=system, entropy=mean_ratio(spread, resampled, most=math.inf))


def agreement(
    links: Sequence[Sequence[Links]], alignments: Sequence[Alignment], resampled: Resampled
) -> Agreement:
    """How a system's links agree with an aligner's; one list of sentences for each seed."""
    tables = [_errors(of_seed, alignments) for of_seed in links]
    right = mean_ratio([_mixed(table, [1, 1, 0, 0], [0, 0, 1, 1]) for table in tables], resampled)
    return Agreement(
        error_rate=Estimate(value=1 - right.value, low=1 - right.high, high=1 - right.low),
        precision=mean_ratio([_mixed(t, [0, 1, 0, 0], [0, 0, 1, 0]) for t in tables], resampled),
        recall=mean_ratio([_mixed(t, [1, 0, 0, 0], [0, 0, 0, 1]) for t in tables], resampled),
    )


def heat_map(system: str, number: int, source: str, target: str, weights: Weights) -> HeatMap:
    """For people: weights (target words, source words + 1) to three decimals."""
    return HeatMap(
        system=system,
        number=number,
        source_words=tuple(word.text for word in split_words(source)),
        target_words=tuple(word.text for word in split_words(target)),
        weights=tuple(tuple(round(float(one), 3) for one in row) for row in weights),
    )


def _errors(links: Sequence[Links], alignments: Sequence[Alignment]) -> Table:
    """(sentences, 4): see `alignment_errors`."""
    pairs = zip(links, alignments, strict=True)
    return np.array([alignment_errors(found, wanted) for found, wanted in pairs], dtype=np.float64)


def _mixed(table: Table, *columns: list[int]) -> Table:
    """A numerator and a denominator, each a sum of some columns."""
    return table @ np.array(columns, dtype=np.float64).T


def _overlap(spans: Sequence[Span], words: Sequence[Word]) -> Weights:
    """Characters that each id and each word share, (ids, words)."""
    ends = [[min(end, word.end) - max(start, word.start) for word in words] for start, end in spans]
    return np.array(ends, dtype=np.float64).reshape(len(spans), len(words)).clip(0)


def _share(overlap: Weights) -> Weights:
    """Rows as shares of their sums; a row of zeros stays one."""
    totals = overlap.sum(1, keepdims=True)
    return overlap / np.where(totals > 0, totals, 1.0)
