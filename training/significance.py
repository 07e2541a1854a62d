"""Is one system better than another on a test set, or is it the choice of sentences?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.compare.counts import count, values


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
    tables = [count("BLEU", system, references) for system in (first, second)]
    draws = np.random.default_rng(seed).integers(0, len(references), (samples, len(references)))
    before, after = (
        values("BLEU", np.stack([table[chosen].sum(0) for chosen in draws])) for table in tables
    )
    differences = after - before
    low, high = np.percentile(differences, [2.5, 97.5])
    observed = float(values("BLEU", tables[1].sum(0)) - values("BLEU", tables[0].sum(0)))
    other_sign = np.mean(differences <= 0 if observed > 0 else differences >= 0)
    return Difference(observed, float(low), float(high), min(1.0, 2 * float(other_sign)))
