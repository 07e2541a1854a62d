"""Which settings to try next, and which trials to give up: pure functions of what has been tried.

A search that was killed therefore goes on exactly as if it had not been.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import optuna
import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from torch.quasirandom import SobolEngine

from training.recipe import Recipe, to_values
from training.tune.ranges import Range, flat

Settings = dict[str, Any]  # values by dotted key

SPREAD_TRIALS = 6  # before the sampler trusts what it has seen
COMPLETE_TRIALS = 3  # before a median means anything
_DRAWS = 20  # to find settings that were not tried yet

optuna.logging.set_verbosity(optuna.logging.ERROR)  # the search says itself what it does


def as_written(recipe: Recipe) -> Settings:
    """The recipe's own values of what it lets be tuned."""
    values = flat(to_values(recipe))
    return {key: values[key] for key in recipe.tune}


def space(recipe: Recipe) -> dict[str, BaseDistribution]:
    """The recipe's ranges as Optuna's; whole numbers where the recipe holds one."""
    own = as_written(recipe)
    return {
        key: _distribution(chosen, isinstance(own[key], int)) for key, chosen in recipe.tune.items()
    }


def propose(recipe: Recipe, tried: Sequence[FrozenTrial], seed: int) -> Settings:
    """The next settings: the recipe as written, a few spread over the space, then likely ones.

    The same history and seed give the same settings; those that were tried are passed over while
    there are others, as training them twice would tell nothing.
    """
    if not tried:
        return as_written(recipe)
    drawn = _spread if len(tried) < SPREAD_TRIALS else _likely
    settings: Settings = {}
    for values in islice(drawn(recipe, tried, seed), _DRAWS):
        settings = {key: _rounded(value, recipe.tune[key]) for key, value in values.items()}
        if all(settings != trial.params for trial in tried):
            break
    return settings


def _spread(recipe: Recipe, tried: Sequence[FrozenTrial], seed: int) -> Iterator[Settings]:
    """Points of a scrambled Sobol sequence, from this trial's on.

    However few there are they lie apart, where random ones may nearly coincide: Bousquet et al.
    2017, "Critical hyper-parameters: no random, no cry", section 1.
    """
    own, first = as_written(recipe), len(tried) - 1
    points = SobolEngine(len(own), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    for shares in points.draw(first + _DRAWS, dtype=torch.float64)[first:].tolist():
        yield {
            key: _at(share, chosen, isinstance(own[key], int))
            for share, (key, chosen) in zip(shares, recipe.tune.items(), strict=True)
        }


def _likely(recipe: Recipe, tried: Sequence[FrozenTrial], seed: int) -> Iterator[Settings]:
    """Draws of a tree-structured Parzen estimator: Bergstra et al. 2011, section 4."""
    trial_seed = int(np.random.SeedSequence([seed, len(tried)]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=trial_seed, n_startup_trials=SPREAD_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(tried)
    while True:
        yield study.ask(space(recipe)).params


def _at(share: float, chosen: Range, whole: bool) -> object:
    """The value below which this share of a range lies, from 0 to 1 without it."""
    if chosen.choices is not None:
        return chosen.choices[int(share * len(chosen.choices))]
    numbers = chosen.numbers()
    low, high = numbers["low"], numbers["high"]
    step = numbers.get("step", 1 if whole else None)
    if chosen.log:
        value = low * (high / low) ** share
    elif step is None:
        value = low + share * (high - low)
    else:
        value = low + step * int(share * (round((high - low) / step) + 1))
    return round(value) if whole else value


def is_hopeless(study: optuna.Study, curve: Sequence[float]) -> bool:
    """Whether a trial's best BLEU so far is below the median of the completed ones at this point.

    `curve` holds its BLEU at each evaluation so far. Golovin et al. 2017, section 3.2.1.
    """
    running = create_trial(state=TrialState.RUNNING, intermediate_values=steps(curve))
    return optuna.pruners.MedianPruner(n_startup_trials=COMPLETE_TRIALS).prune(study, running)


def steps(curve: Sequence[float]) -> dict[int, float]:
    """A curve as Optuna keeps it: trials are compared at their first, second, ... evaluation."""
    return dict(enumerate(curve, start=1))


def _distribution(chosen: Range, whole: bool) -> BaseDistribution:
    if chosen.choices is not None:
        return CategoricalDistribution(chosen.choices)
    numbers = chosen.numbers()
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    if whole:
        return IntDistribution(round(low), round(high), log=chosen.log, step=round(step or 1))
    return FloatDistribution(low, high, log=chosen.log, step=step)


def _rounded(value: object, chosen: Range) -> object:
    """Six digits are enough, and a step of 0.05 from 0.1 should read 0.3."""
    if not isinstance(value, float) or chosen.low is None or chosen.high is None:
        return value
    return min(max(float(f"{value:.6g}"), chosen.low), chosen.high)
