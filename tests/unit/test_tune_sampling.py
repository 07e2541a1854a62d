"""What is tried next and what is given up: the same for the same history, within the ranges."""

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from tests.tiny_run import tiny_recipe
from training.recipe import Recipe
from training.tune.sampling import as_written, is_hopeless, propose, space, steps

RANGES = {
    "optimizer.learning_rate": {"low": 1e-3, "high": 6e-2, "log": True},
    "model.dropout": {"low": 0.1, "high": 0.4, "step": 0.05},
    "model.d_ff": {"low": 8, "high": 32, "step": 8},
    "model.norm": {"choices": ["pre", "post"]},
}


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(tmp_path, tune=RANGES)


def completed(recipe: Recipe, settings: dict[str, Any], bleu: float) -> FrozenTrial:
    return create_trial(
        state=TrialState.COMPLETE, value=bleu, params=settings, distributions=space(recipe)
    )


def history(recipe: Recipe, count: int, seed: int) -> list[FrozenTrial]:
    """Trials of a corpus that likes a dropout of 0.2."""
    trials: list[FrozenTrial] = []
    for _ in range(count):
        settings = propose(recipe, trials, seed)
        bleu = 40 - 100 * abs(settings.get("model.dropout", 0.3) - 0.2)
        trials.append(completed(recipe, settings, bleu))
    return trials


def test_the_first_trial_is_the_recipe_as_written(recipe: Recipe) -> None:
    written = {
        "optimizer.learning_rate": 0.01,
        "model.dropout": 0.1,
        "model.d_ff": 16,
        "model.norm": "post",
    }
    assert as_written(recipe) == written
    assert propose(recipe, [], seed=5) == written


def test_the_same_history_and_seed_give_the_same_settings(recipe: Recipe) -> None:
    first, second, other = (history(recipe, 14, seed) for seed in (1, 1, 2))
    assert [trial.params for trial in first] == [trial.params for trial in second]
    assert [trial.params for trial in first] != [trial.params for trial in other]
    assert propose(recipe, first, 1) == propose(recipe, first, 1)  # asking changes nothing


def test_settings_stay_in_their_ranges_and_none_is_tried_twice(recipe: Recipe) -> None:
    trials = history(recipe, 25, seed=3)
    for trial in trials:
        for key, chosen in recipe.tune.items():
            assert chosen.holds(trial.params[key]), (key, trial.params[key])
        assert type(trial.params["model.d_ff"]) is int
    assert len({str(trial.params) for trial in trials}) == 25


@pytest.mark.parametrize("seed", range(8))
def test_the_first_settings_lie_apart(recipe: Recipe, seed: int) -> None:
    """Four points of a Sobol sequence lie in four quarters of every axis; random ones need not."""
    trials = history(recipe, 5, seed)[1:]
    rates = [math.log(t.params["optimizer.learning_rate"] / 1e-3, 60) for t in trials]
    dropouts = [(t.params["model.dropout"] - 0.1) / 0.3 for t in trials]
    assert sorted(int(4 * share) for share in rates) == [0, 1, 2, 3]
    assert len({round(share, 3) for share in dropouts}) >= 3  # seven values in four quarters
    assert sorted(t.params["model.d_ff"] for t in trials) == [8, 16, 24, 32]
    assert sorted(t.params["model.norm"] for t in trials) == ["post", "post", "pre", "pre"]


@pytest.mark.parametrize("seed", range(4))
def test_axes_without_steps_are_spread_too(tmp_path: Path, seed: int) -> None:
    ranges = {
        "schedule.warmup_updates": {"low": 1, "high": 10000, "log": True},
        "loss.label_smoothing": {"low": 0.0, "high": 0.4},
    }
    recipe = tiny_recipe(tmp_path, tune=ranges)
    trials = history(recipe, 5, seed)[1:]
    warmups = [trial.params["schedule.warmup_updates"] for trial in trials]
    assert all(type(updates) is int for updates in warmups)
    assert sorted(int(math.log10(updates)) for updates in warmups) == [0, 1, 2, 3]
    smoothings = [trial.params["loss.label_smoothing"] for trial in trials]
    assert sorted(int(10 * smoothing) for smoothing in smoothings) == [0, 1, 2, 3]


def test_a_space_that_is_used_up_is_searched_again(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, tune={"model.norm": {"choices": ["pre", "post"]}})
    tried = [completed(recipe, {"model.norm": norm}, 1.0) for norm in ("post", "pre")]
    assert propose(recipe, tried[:1], seed=1) == {"model.norm": "pre"}
    assert propose(recipe, tried, seed=1)["model.norm"] in ("pre", "post")


def test_the_search_learns_from_what_it_has_seen(recipe: Recipe) -> None:
    """Of the last ten trials more lie near the best dropout than a seventh to each value would."""
    late = [trial.params["model.dropout"] for trial in history(recipe, 30, seed=1)[-10:]]
    assert sum(abs(dropout - 0.2) < 0.06 for dropout in late) >= 6


def test_a_trial_below_the_median_of_three_is_hopeless() -> None:
    study = optuna.create_study(direction="maximize")
    for curve in ([10.0, 20.0, 30.0], [12.0, 22.0, 32.0], [14.0, 24.0, 34.0]):
        assert not is_hopeless(study, [0.0])  # a median of fewer means nothing
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE, value=curve[-1], intermediate_values=steps(curve)
            )
        )
    assert is_hopeless(study, [11.9])
    assert not is_hopeless(study, [12.0])
    assert is_hopeless(study, [12.0, 21.9])
    assert not is_hopeless(study, [23.0, 10.0])  # its best so far counts, as one score is noisy
