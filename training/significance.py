"""Is one system better than another on a test set, or is it the choice of sentences?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU

Counts = npt.NDArray[np.int64]


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
    tables = [_counts(system, references) for system in (first, second)]
    draws = np.random.default_rng(seed).integers(0, len(references), (samples, len(references)))
    before, after = (
        np.array([_bleu(table[chosen].sum(0)) for chosen in draws]) for table in tables
    )
    differences = after - before
    low, high = np.percentile(differences, [2.5, 97.5])
    observed = _bleu(tables[1].sum(0)) - _bleu(tables[0].sum(0))
    other_sign = np.mean(differences <= 0 if observed > 0 else differences >= 0)
    return Difference(observed, float(low), float(high), min(1.0, 2 * float(other_sign)))


def _counts(hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
    """What BLEU adds up, one row a sentence: matches and totals of orders 1-4, both lengths."""
    metric = BLEU()
    scores = [
        metric.corpus_score([hypothesis], [[reference]])
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return np.array(rows, dtype=np.int64)


def _bleu(counts: Counts) -> float:
    """BLEU of added-up counts, 0-100."""
    matches, totals, lengths = counts[:4].tolist(), counts[4:8].tolist(), counts[8:].tolist()
    score = BLEU.compute_bleu(matches, totals, lengths[0], lengths[1], smooth_method="exp")
    return float(score.score)
