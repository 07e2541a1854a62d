"""What is known of the words of a translation: how sure the model was, and what it looked at."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

import numpy as np
import numpy.typing as npt

from mt.tokenizer import Span
from serving.text.alignment import WordAttention
from serving.translation import Translation


@dataclass(frozen=True)
class SentenceWords:
    """Words of a sentence and of its translation, in order, with spans in the whole texts.

    probabilities: of each target word, given the words before; None where the model did not write
    it; attention (target words, source words): what of each target word came of each source word,
    as `WordAttention.weights` sees it; a row sums to 1, or to 0 where the model looked at nothing.
    """

    source: tuple[Span, ...]
    target: tuple[Span, ...]
    probabilities: tuple[float | None, ...]
    attention: npt.NDArray[np.float32]


def words_of(translation: Translation, candidate: int = 0) -> Iterator[SentenceWords]:
    """Of each sentence of a candidate that attention was asked for of; none of markup."""
    shift = 0
    for sentence in translation.sentences:
        best, chosen = (
            sentence.hypotheses[min(i, len(sentence.hypotheses) - 1)] for i in (0, candidate)
        )
        if chosen.words is not None:
            start = sentence.target[0] + shift
            yield _moved(chosen.words, sentence.source[0], start)
        shift += len(chosen.text) - len(best.text)


def _moved(words: WordAttention, source_start: int, target_start: int) -> SentenceWords:
    spans = sorted({span for span in words.source if span[0] < span[1]})
    weights = np.zeros((len(words.target), len(spans)), np.float32)
    for column, span in enumerate(words.source):  # a slot may be there as a word, and as itself
        if span in spans:
            weights[:, spans.index(span)] += words.weights[:, column]
    totals = weights.sum(axis=1, keepdims=True)
    return SentenceWords(
        source=_shifted(spans, source_start),
        target=_shifted(words.target, target_start),
        probabilities=tuple(
            None if one is None else min(1.0, exp(one))
            for one in words.log_probs or (None,) * len(words.target)
        ),
        attention=np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0),
    )


def _shifted(spans: list[Span] | tuple[Span, ...], by: int) -> tuple[Span, ...]:
    return tuple((start + by, end + by) for start, end in spans)
