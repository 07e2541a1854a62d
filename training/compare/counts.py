"""Sentence by sentence what a metric adds up, and the metric of many sums at once.

Every corpus metric is a formula over sums of counts. With the counts in a table, a resampled test
set is a row of weights times the table, and a thousand of them are one product of matrices.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.base import Metric as SacreMetric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from mt.bundle import Score
from training.compare.outcome import Metric

Table = npt.NDArray[np.float64]  # (sentences, counts)
Values = npt.NDArray[np.float64]

METRICS: tuple[Metric, ...] = ("BLEU", "chrF2", "TER")
LESS_IS_BETTER: frozenset[Metric] = frozenset({"TER"})
_ORDERS = 4  # of BLEU's n-grams
_BETA_SQUARED = 4.0  # of chrF2


def sacre_metric(metric: Metric) -> SacreMetric:
    """SacreBLEU's metric, with its defaults."""
    kinds: dict[Metric, type[SacreMetric]] = {"BLEU": BLEU, "chrF2": CHRF, "TER": TER}
    return kinds[metric]()


def count(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> Table:
    """The counts of every sentence, one row each, in sacreBLEU's own order.

    Raises:
        ValueError: lengths differ, or there is nothing to count.
    """
    if len(hypotheses) != len(references) or not references:
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references")
    # the method by which sacreBLEU's own paired tests count; no public one gives chrF's counts
    found = sacre_metric(metric)._extract_corpus_statistics(list(hypotheses), [list(references)])
    return np.array(found, dtype=np.float64)


def metric_of_counts(metric: Metric) -> SacreMetric:
    """SacreBLEU's metric of one reference, to be given `counted_rows` where it expects texts.

    Its paired tests count every text again, which for TER takes longer than to translate it.
    """
    found = sacre_metric(metric)
    setattr(found, "num_refs", 1)  # noqa: B010 - of its signature
    setattr(found, "_extract_corpus_statistics", lambda rows, references: rows)  # noqa: B010
    return found


def counted_rows(table: Table) -> list[Any]:
    """The rows as sacreBLEU counts them: whole numbers, but for TER's mean length."""
    whole = (table == table.round()).all()
    return cast(list[Any], (table.astype(np.int64) if whole else table).tolist())


def score_of(metric: Metric, table: Table, test_set: str) -> Score:
    """The score of counted sentences with sacreBLEU's signature, as `training.evaluate` has it."""
    sacre = metric_of_counts(metric)
    value = sacre._aggregate_and_compute(counted_rows(table)).score
    signature = str(sacre.get_signature())
    return Score(metric=metric, value=value, signature=signature, test_set=test_set)


def values(metric: Metric, sums: Values) -> Values:
    """The metric, 0-100 (TER may exceed it), of added-up counts (..., counts); (...)."""
    formulas: dict[Metric, Callable[[Values], Values]] = {
        "BLEU": _bleu,
        "chrF2": _chrf,
        "TER": _ter,
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return formulas[metric](sums)


def _bleu(sums: Values) -> Values:
    """Papineni et al. 2002; a count of zero is halved further each time (Chen and Cherry 2014, 3).

    sums: hypothesis length, reference length, matches of orders 1-4, totals of orders 1-4.
    """
    length, wanted = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    missing = matches == 0
    smoothed = np.where(missing, 0.5 ** np.cumsum(missing, -1), matches)
    precision = np.exp(np.log(smoothed / totals).mean(-1))
    brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
    defined = (totals > 0).all(-1) & (matches > 0).any(-1)
    return cast(Values, np.where(defined, 100 * brevity * precision, 0.0))


def _chrf(sums: Values) -> Values:
    """Popović 2015, with beta 2: F-score of mean precision and mean recall over six orders.

    sums: for each order n-grams of the hypothesis, of the reference, and those that match.
    """
    ours, theirs, matches = (sums[..., i::3] for i in range(3))
    counted = (ours > 0) & (theirs > 0)
    orders = np.maximum(counted.sum(-1), 1)
    precision = np.where(counted, matches / ours, 0.0).sum(-1) / orders
    recall = np.where(counted, matches / theirs, 0.0).sum(-1) / orders
    f_score = (1 + _BETA_SQUARED) * precision * recall / (_BETA_SQUARED * precision + recall)
    return cast(Values, np.where(precision + recall > 0, 100 * f_score, 0.0))


def _ter(sums: Values) -> Values:
    """Snover et al. 2006. sums: edits, length of the reference."""
    edits, length = sums[..., 0], sums[..., 1]
    empty = np.where(edits > 0, 100.0, 0.0)
    return cast(Values, np.where(length > 0, 100 * edits / length, empty))
