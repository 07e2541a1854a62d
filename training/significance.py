"""Is one system better than another on a test set, or is it the choice of sentences?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """BLEU of the second system less that of the first, with an interval of 95 %.

    `p` is the share of resampled test sets on which the sign is the other one, doubled: two-sided.
    """

    difference: float
    low: float
    high: float
    p: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence[str],
    samples: int = 1000,
    seed: int = 12345,
) -> Difference:
    """Koehn 2004, "Statistical significance tests for machine translation evaluation", section 4.

    Sentences are drawn with replacement, the same for both systems; BLEU is detokenised and cased.

    Raises:
        ValueError: lengths differ, or there is nothing to score.
    """
    if not len(first) == len(second) == len(references) or not references:
        raise ValueError(f"{len(first)} and {len(second)} for {len(references)} references")
    tables = [sentence_counts(system, references) for system in (first, second)]
    draws = np.random.default_rng(seed).integers(0, len(references), (samples, len(references)))
    before, after = (
        corpus_bleu(np.stack([table[chosen].sum(0) for chosen in draws])) for table in tables
    )
    differences = after - before
    low, high = np.percentile(differences, [2.5, 97.5])
    observed = float(corpus_bleu(tables[1].sum(0)) - corpus_bleu(tables[0].sum(0)))
    other_sign = np.mean(differences <= 0 if observed > 0 else differences >= 0)
    return Difference(observed, float(low), float(high), min(1.0, 2 * float(other_sign)))


def sentence_counts(hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
    """What BLEU adds up, (sentences, 10): matches and totals of orders 1-4, both lengths."""
    metric = BLEU()
    scores = [
        metric.corpus_score([hypothesis], [[reference]])
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return np.array(rows, dtype=np.int64).reshape(-1, 10)


def corpus_bleu(counts: npt.NDArray[np.integer[Any] | np.floating[Any]]) -> Scores:
    """BLEU, 0-100, of counts (..., 10) that were added up over sentences, all at once.

    The very number of sacreBLEU's corpus score: zero matches of an order count as 1/2, 1/4, ...
    (smoothing `exp`), and hypotheses too short for an order score 0.
    """
    matches, totals = counts[..., :4].astype(np.float64), counts[..., 4:8].astype(np.float64)
    sys_len, ref_len = counts[..., 8].astype(np.float64), counts[..., 9].astype(np.float64)
    halvings = np.cumsum(matches == 0, axis=-1)
    smoothed = np.where(matches == 0, 0.5**halvings, matches)
    scored = (totals > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    precision = np.exp(np.log(smoothed / totals.clip(1)).mean(axis=-1))
    brevity = np.exp(np.minimum(0.0, 1 - ref_len / sys_len.clip(1)))
    return np.where(scored, 100 * brevity * precision, 0.0)
