"""Ancestral sampling: a row's next id is drawn from the model, of its best ids or of all.

A draw is a number u in [0, 1) and the running sum of the candidates' probabilities: it falls on the
candidate at which the sum passes u of the whole. The sum goes in the order of ids, for in the order
of ranks a rounding that swaps two near-equals would change a draw. The numbers depend on nothing
but a sentence's seed and source, the sample and the position: neighbours do not change them.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mt.search_options import SearchOptions
from mt.stepper import Ids

Floats = npt.NDArray[np.float64]


def uniform_draws(seed: int, src_ids: Sequence[int], samples: int, length: int) -> Floats:
    """Numbers in [0, 1), one for each sample and position (samples, length).

    Sentences of one seed draw independently. Entry (i, j) does not depend on the shape.
    """
    generators = [np.random.default_rng([seed, i, *src_ids]) for i in range(samples)]
    return np.array([generator.random(length) for generator in generators]).reshape(samples, length)


def draw(ids: Ids, log_probs: Floats, uniform: Floats, options: Sequence[SearchOptions]) -> Ids:
    """The candidate (rows,) that each draw falls on: never one of -inf, unless all are.

    ids, log_probs (rows, k): candidates, best first, banned ones at -inf; uniform (rows,).
    """
    weights = _cut(log_probs, options)
    order = ids.argsort(axis=1)
    sums = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    passes = (sums > uniform[:, None] * sums[:, -1:]).argmax(axis=1)
    drawn: Ids = order[np.arange(len(order)), passes]
    return drawn


def _cut(log_probs: Floats, options: Sequence[SearchOptions]) -> Floats:
    """Weights to draw by (rows, k): temperature first, then top_k, then top_p of what is left."""
    k = log_probs.shape[1]
    temperature = np.array([[one.temperature] for one in options])
    top_k, top_p = np.array([[one.top_k or k, one.top_p] for one in options]).T[:, :, None]
    best = np.nan_to_num(log_probs.max(axis=1, keepdims=True), neginf=0.0)
    weights: Floats = np.exp((log_probs - best) / temperature)
    weights[(weights > 0).cumsum(axis=1) > top_k] = 0.0
    sums = weights.cumsum(axis=1)
    better = sums - weights  # what stands before
    weights[better >= top_p * sums[:, -1:]] = 0.0
    return weights


def keep_drawn(
    rows: Ids, drawn: Ids, ids: Ids, log_probs: Floats, width: int
) -> tuple[Ids, Floats]:
    """Candidates (all rows, width): of `rows` only the drawn one, of others the first ones.

    A drawn id keeps its log-probability: temperature and cuts change what is drawn, not its score.
    """
    kept_ids, kept = ids[:, :width].copy(), log_probs[:, :width].copy()
    kept[rows] = -np.inf
    kept_ids[rows, 0] = ids[rows, drawn]
    kept[rows, 0] = log_probs[rows, drawn]
    return kept_ids, kept
