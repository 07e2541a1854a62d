"""Is one system better than another, or is it the choice of sentences, or of seeds?

Two things are drawn at random in an experiment: the sentences of the test set, and the seeds that
training began from. `two_level` resamples both. sacreBLEU's own tests, `single_seed_tests`, know
the first only, and are what other papers report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean, variance
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.significance import PairedTest
from sacrebleu.significance import Result as SacreResult

from training.compare.counts import Table, Values, counted_rows, metric_of_counts, values
from training.compare.outcome import Estimate, Metric, SingleSeedTest

CONFIDENCE = 0.95
RANDOM_SEED = 12345
SACRE_SAMPLES = 1000  # of its bootstrap; of randomisation ten times as many: its defaults
_TAIL = 100 * (1 - CONFIDENCE) / 2
_NORMAL = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)

# Quantiles of Student's t at 97.5 %, by degrees of freedom; beyond them the normal one is near.
_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)


@dataclass(frozen=True)
class Resampled:
    """Draws of sentences, and generators of seeds: the same for all systems of a test set.

    weights (samples, sentences): how often each sentence was drawn.
    """

    weights: npt.NDArray[np.float32]  # sums of counts below 2^24 are exact
    random_seed: int = RANDOM_SEED

    @classmethod
    def draw(cls, sentences: int, samples: int, random_seed: int = RANDOM_SEED) -> "Resampled":
        """So many samples of a test set, with replacement."""
        random = np.random.default_rng(random_seed)
        weights = np.empty((samples, sentences), dtype=np.float32)
        for row in weights:
            chosen = random.integers(0, sentences, sentences)
            row[:] = np.bincount(chosen, minlength=sentences)
        return cls(weights, random_seed)

    def scores(self, metric: Metric, tables: Sequence[Table]) -> Values:
        """The metric of every sample for every seed, (samples, seeds)."""
        sums = (self.weights @ table.astype(np.float32) for table in tables)
        return np.stack([values(metric, one.astype(np.float64)) for one in sums], -1)

    def seed_means(self, scores: Values, widening: float, stream: int) -> Values:
        """Means over resampled seeds, (samples,), of scores (samples, seeds).

        widening: see `seed_widening`; stream: another one, other draws.
        """
        samples, seeds = scores.shape
        random = np.random.default_rng([self.random_seed, 1 + stream])  # 0: those of `draw` again
        drawn = random.integers(0, seeds, (samples, seeds))
        centre = scores.mean(-1)
        means = np.take_along_axis(scores, drawn, -1).mean(-1)
        resampled: Values = centre + widening * (means - centre)
        return resampled


def seed_widening(seeds: int, freedom: int) -> float:
    """How much further from their mean resampled means of so few seeds must lie.

    Drawn from n scores, means vary by (n - 1) / n of what they should; and the spread of a few
    seeds is itself uncertain, which Student's t knows and a bootstrap does not. Without both, the
    interval of three seeds covers the truth in four cases of five, not in 95 of 100.
    """
    if seeds < 2:
        return 0.0
    student = _STUDENT[min(freedom, len(_STUDENT)) - 1]
    return float(np.sqrt(seeds / (seeds - 1)) * student / _NORMAL)


@dataclass(frozen=True)
class Difference:
    """The second system's mean over seeds less the first's, and its resampled values."""

    value: float
    samples: Values

    @property
    def estimate(self) -> Estimate:
        """With its interval of 95 %."""
        return interval(self.value, self.samples)

    @property
    def p(self) -> float:
        """Two-sided: the interval that just touches zero leaves out this share."""
        beyond = min(int((self.samples <= 0).sum()), int((self.samples >= 0).sum()))
        return min(1.0, 2 * (beyond + 1) / (len(self.samples) + 1))

    def lower_bound(self, confidence: float = CONFIDENCE) -> float:
        """One-sided: the difference is above it with this confidence."""
        return float(np.percentile(self.samples, 100 * (1 - confidence)))


def two_level(
    metric: Metric, first: Sequence[Table], second: Sequence[Table], resampled: Resampled
) -> Difference:
    """Resample seeds, then sentences; first and second hold one table of counts for each seed.

    Sentences are the same for both systems (Koehn 2004); seeds are drawn for each by itself.
    """
    freedom = len(first) + len(second) - 2
    observed, resampled_means = [], []
    for stream, tables in enumerate((first, second)):
        widening = seed_widening(len(tables), freedom)
        scores = resampled.scores(metric, tables)
        resampled_means.append(resampled.seed_means(scores, widening, stream))
        observed.append(mean(seed_scores(metric, tables)))
    return Difference(observed[1] - observed[0], resampled_means[1] - resampled_means[0])


def mean_of_seeds(metric: Metric, tables: Sequence[Table], resampled: Resampled) -> Estimate:
    """One system's mean over seeds; seeds and sentences resampled."""
    widening = seed_widening(len(tables), len(tables) - 1)
    samples = resampled.seed_means(resampled.scores(metric, tables), widening, 0)
    return interval(mean(seed_scores(metric, tables)), samples)


def seed_scores(metric: Metric, tables: Sequence[Table]) -> list[float]:
    """The metric of each seed on the whole test set."""
    return [float(values(metric, table.sum(0))) for table in tables]


def superiority(first: Sequence[Table], second: Sequence[Table], resampled: Resampled) -> Estimate:
    """Share of sentences whose chrF2 is higher in the second system, ties half; over all pairs
    of seeds, with sentences resampled. Tables are chrF2's.
    """
    ours, theirs = (
        np.stack([values("chrF2", table) for table in tables], -1) for tables in (first, second)
    )  # (sentences, seeds)
    wins = (np.sign(theirs[:, None, :] - ours[:, :, None]) + 1) / 2
    each = wins.mean((1, 2))  # (sentences,)
    return interval(float(each.mean()), resampled.weights @ each / len(each))


def hedges_g(first: Sequence[float], second: Sequence[float]) -> Estimate | None:
    """The difference in deviations between seeds, corrected for few of them (Hedges 1981).

    None where a system has one seed, or seeds do not differ. The interval is the large-sample one
    of Hedges and Olkin 1985, chapter 5.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return None
    pooled = ((n - 1) * variance(first) + (m - 1) * variance(second)) / (n + m - 2)
    if pooled == 0:
        return None
    g = (mean(second) - mean(first)) / pooled**0.5 * (1 - 3 / (4 * (n + m - 2) - 1))
    deviation = ((n + m) / (n * m) + g**2 / (2 * (n + m))) ** 0.5
    return Estimate(value=g, low=g - _NORMAL * deviation, high=g + _NORMAL * deviation)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected p-values, in the same order (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, greatest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = greatest
    return corrected


def interval(value: float, samples: npt.NDArray[np.float64]) -> Estimate:
    """A figure and the middle 95 % of its resampled values."""
    low, high = np.percentile(samples, [_TAIL, 100 - _TAIL])
    return Estimate(value=value, low=float(low), high=float(high))


def single_seed_tests(
    metric: Metric,
    first: tuple[int, Table],
    second: tuple[int, Table],
    samples: int = SACRE_SAMPLES,
) -> list[SingleSeedTest]:
    """SacreBLEU's two paired tests; first and second are a seed and its counts.

    p-values are not corrected yet.
    """
    kinds = {"paired bootstrap": "bs", "paired approximate randomisation": "ar"}
    rows: list[tuple[str, Sequence[Any]]] = [
        (name, counted_rows(one[1])) for name, one in (("first", first), ("second", second))
    ]
    found = []
    for method, kind in kinds.items():
        draws = samples if kind == "bs" else 10 * samples
        test = PairedTest(rows, {metric: metric_of_counts(metric)}, None, kind, draws)
        signatures, columns = test()
        results = [result for result in columns[metric] if isinstance(result, SacreResult)]
        p = float(results[1].p_value or 0.0)
        found.append(
            SingleSeedTest.model_validate(
                {
                    "method": method,
                    "first_seed": first[0],
                    "second_seed": second[0],
                    "difference": results[1].score - results[0].score,
                    "p": p,
                    "p_holm": p,
                    "signature": str(signatures[metric]),
                }
            )
        )
    return found
