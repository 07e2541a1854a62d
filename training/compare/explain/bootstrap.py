"""Intervals of shares, by the same resampling of sentences and seeds as those of BLEU.

A table has one row a sentence, of what is added up: a numerator and a denominator.
"""

from collections.abc import Sequence

import numpy as np

from training.compare.counts import Table, Values
from training.compare.outcome import Estimate
from training.compare.statistics import Resampled, interval, seed_widening


def mean_ratio(tables: Sequence[Table], resampled: Resampled, most: float = 1.0) -> Estimate:
    """The mean over seeds of a ratio of sums; tables (sentences, 2), one for each seed.

    The interval stays within 0 and `most`, which a share cannot leave.
    """
    scores = np.stack([ratio(resampled.weights @ table) for table in tables], -1)
    samples = resampled.seed_means(scores, seed_widening(len(tables), len(tables) - 1), 0)
    value = float(np.mean([ratio(table.sum(0)) for table in tables]))
    return interval(value, samples.clip(0.0, most))


def ratio(sums: Values) -> Values:
    """Numerators over denominators (..., 2); 0 where there is nothing to count."""
    parts = sums.astype(np.float64)
    nothing = np.zeros(parts.shape[:-1])
    return np.divide(parts[..., 0], parts[..., 1], out=nothing, where=parts[..., 1] > 0)
