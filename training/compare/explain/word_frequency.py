"""How well words are translated that training showed never, seldom or often.

As in compare-mt (Neubig et al. 2019, section 3.2, "word accuracy analysis"): a word of the
translation is right where the reference of the same sentence has it too, as often at most.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pydantic import Field

from mt.config import Strict
from training.compare.counts import Table
from training.compare.explain.bootstrap import mean_ratio
from training.compare.explain.outputs import Outputs
from training.compare.explain.words import plain_words
from training.compare.outcome import Estimate
from training.compare.statistics import Resampled

BUCKETS = (0, 1, 2, 5, 10, 100, 1000)
"""The least frequency of each bucket: 0, 1, 2-4, 5-9, 10-99, 100-999, 1000+."""


class WordAccuracy(Strict):
    """Accuracy of the words of one bucket, over the whole test set, mean over seeds; 0-1."""

    system: str
    bucket: str = Field(description="how often training's target side has the word")
    words: int = Field(description="in the references")
    precision: Estimate
    recall: Estimate
    f1: Estimate


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each lower-cased word is in a text."""
    return Counter(word for text in texts for word in plain_words(text))


def bucket_names(starts: Sequence[int] = BUCKETS) -> tuple[str, ...]:
    """How buckets are written: 0, 1, 2-4, ..., 1000+."""
    ends = [start - 1 for start in starts[1:]]
    inner = [
        f"{start}" if start == end else f"{start}-{end}"
        for start, end in zip(starts[:-1], ends, strict=True)
    ]
    return (*inner, f"{starts[-1]}+")


def word_accuracy(
    outputs: Outputs,
    frequencies: Mapping[str, int],
    resampled: Resampled,
    starts: Sequence[int] = BUCKETS,
) -> tuple[WordAccuracy, ...]:
    """Precision, recall and F1 of every system in every bucket that the references have words of.

    frequencies: of lower-cased words in training's target side (`count_words`).
    """
    found = []
    for system, seeds in outputs.hypotheses.items():
        tables = [
            _table(texts, outputs.references, frequencies, starts) for texts in seeds.values()
        ]
        for bucket, name in enumerate(bucket_names(starts)):
            of_bucket = [table[:, bucket] for table in tables]
            if of_bucket[0][:, 2].any():
                found.append(_accuracy(system, name, of_bucket, resampled))
    return tuple(found)


def _accuracy(system: str, bucket: str, tables: list[Table], resampled: Resampled) -> WordAccuracy:
    """One bucket's accuracy from its tables (sentences, 3)."""

    def estimate(*mixed: list[int]) -> Estimate:
        return mean_ratio([table @ np.array(mixed).T for table in tables], resampled)

    return WordAccuracy(
        system=system,
        bucket=bucket,
        words=int(tables[0][:, 2].sum()),
        precision=estimate([1, 0, 0], [0, 1, 0]),
        recall=estimate([1, 0, 0], [0, 0, 1]),
        f1=estimate([2, 0, 0], [0, 1, 1]),
    )


def _table(
    texts: Sequence[str],
    references: Sequence[str],
    frequencies: Mapping[str, int],
    starts: Sequence[int],
) -> Table:
    """Words of each sentence and bucket: matched, written, wanted; (sentences, buckets, 3)."""
    table = np.zeros((len(texts), len(starts), 3))
    for row, text, reference in zip(table, texts, references, strict=True):
        written, wanted = Counter(plain_words(text)), Counter(plain_words(reference))
        for column, words in enumerate((written & wanted, written, wanted)):
            for word, count in words.items():
                row[bisect_right(starts, frequencies.get(word, 0)) - 1, column] += count
    return table
