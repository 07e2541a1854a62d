"""The `tune` section: what may be searched, and the one line that refuses the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mt.errors import ConfigError
from tests.tiny_run import recipe_values, tiny_recipe
from training.recipe import Recipe, differing_keys, load_recipe, to_values, to_yaml
from training.tune.ranges import flat, replaced

RANGES = {
    "optimizer.learning_rate": {"low": "1e-3", "high": 6e-3, "log": True},
    "model.dropout": {"low": 0.1, "high": 0.4, "step": 0.05},
    "schedule.warmup_updates": {"choices": [200, 400, 800]},
    "batching.max_tokens": {"low": 100, "high": 300, "step": 100},
    "model.norm": {"choices": ["pre", "post"]},
}


def load(tmp_path: Path, tune: dict[str, Any]) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe_values(tmp_path), "tune": tune}), encoding="utf-8")
    return load_recipe(path)


def test_ranges_are_read_and_survive_yaml(tmp_path: Path) -> None:
    recipe = load(tmp_path, RANGES)
    assert recipe.tune["optimizer.learning_rate"].low == 0.001  # YAML reads 1e-3 as text
    assert recipe.tune["model.dropout"].step == 0.05
    assert recipe.tune["schedule.warmup_updates"].choices == (200, 400, 800)
    assert Recipe.model_validate(yaml.safe_load(to_yaml(recipe))) == recipe


def test_ranges_may_change_when_a_run_is_continued(tmp_path: Path) -> None:
    old, new = to_values(tiny_recipe(tmp_path)), to_values(load(tmp_path, RANGES))
    assert differing_keys(old, new) == []


@pytest.mark.parametrize(
    ("key", "chosen", "says"),
    [
        ("model.droput", {"low": 0, "high": 1}, "model.droput: the recipe has no such value"),
        ("model", {"choices": [1, 2]}, "model: the recipe has no such value"),
        ("evaluation.sentences", {"choices": [1, 2]}, "evaluation.sentences must be the same in"),
        ("training.max_updates", {"low": 1, "high": 9}, "training.max_updates must be the same in"),
        ("corpus.train_pairs", {"choices": [1, 2]}, "corpus.train_pairs must be the same in every"),
        ("seed", {"low": 1, "high": 9}, "seed must be the same in every trial"),
        ("model.norm", {"low": 1, "high": 9}, "model.norm holds no number; list its choices"),
        ("optimizer.betas", {"low": 0, "high": 1}, "optimizer.betas holds no number"),
        ("model.d_ff", {"low": 8.5, "high": 16}, "model.d_ff is a whole number; so must its low"),
        ("model.d_ff", {"low": 8, "high": 9, "step": 0.5}, "model.d_ff is a whole number"),
        ("model.dropout", {"low": 0.1, "high": 1.5}, "model.dropout=1.5 makes no valid recipe"),
        ("model.norm", {"choices": ["pre", "mid"]}, "model.norm=mid makes no valid recipe"),
        ("model.n_heads", {"low": 2, "high": 3}, "d_model must be a multiple of n_heads"),
    ],
)
def test_a_range_that_does_not_fit_its_key_is_refused(
    tmp_path: Path, key: str, chosen: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=rf"recipe\.yaml: tune: .*{re.escape(says)}") as refusal:
        load(tmp_path, {key: chosen})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({}, "give low and high, or choices"),
        ({"low": 0.1}, "give low and high, or choices"),
        ({"low": 0.3, "high": 0.3}, "low, 0.3, is not below high, 0.3"),
        ({"low": 0.0, "high": 0.3, "log": True}, "log needs a low above 0 and no step"),
        ({"low": 0.1, "high": 0.3, "log": True, "step": 0.1}, "log needs a low above 0 and no"),
        ({"low": 0.1, "high": 0.35, "step": 0.1}, "high, 0.35, is not a number of steps of 0.1"),
        ({"low": 0.1, "high": 0.3, "step": 0}, "greater than 0"),
        ({"low": 0.1, "high": 0.3, "size": 3}, ".size: Extra inputs"),
        ({"choices": [0.1]}, "at least 2 items"),
        ({"choices": [0.1, 0.1]}, "a choice is given twice"),
        ({"choices": [0.1, 0.2], "low": 0.1}, "choices stand alone"),
    ],
)
def test_a_range_that_is_none_is_refused_with_its_key(
    tmp_path: Path, chosen: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=rf"tune\.model\.dropout.*{re.escape(says)}"):
        load(tmp_path, {"model.dropout": chosen})


def test_another_section_s_error_is_told_alone(tmp_path: Path) -> None:
    values = recipe_values(tmp_path) | {"tune": RANGES, "optimizer": {"learning_rate": 0}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_recipe(path)
    says = "optimizer.learning_rate: Input should be greater than 0"
    assert str(refusal.value) == f"{path}: {says}"


def test_values_by_dotted_key_and_back() -> None:
    values = {"a": 1, "b": {"c": 2, "d": {"e": 3}}}
    assert flat(values) == {"a": 1, "b.c": 2, "b.d.e": 3}
    assert replaced(values, {"b.d.e": 4, "a": 0}) == {"a": 0, "b": {"c": 2, "d": {"e": 4}}}
    assert values["a"] == 1
