"""A comparison of two tiny systems on the tiny corpus, trained within this process in seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.tiny_run import random_pairs, recipe_values, write_corpus
from training.compare.plan import Plan
from training.compare.spread import Workers
from training.recipe import Recipe, read_recipe
from training.train import train

GRU = {
    "family": "gru",
    "embedding_size": 16,
    "encoder_size": 10,
    "decoder_size": 16,
    "attention_size": 8,
}


class HereOnly(Workers):
    """Trains one run after the other without starting processes."""

    def train(self, recipes: dict[Path, Recipe]) -> None:
        for run, recipe in recipes.items():
            train(recipe, run)


def write_recipes(folder: Path, **changes: Mapping[str, Any]) -> dict[str, Path]:
    """Recipes `a`, a Transformer, and `b`, a GRU, on 200 pairs; changes: sections of either."""
    write_corpus(folder)
    texts = zip(*random_pairs(24, seed=2), strict=True)
    for side, sentences in zip(("en", "de"), texts, strict=True):
        lines = "".join(f"{text}\n" for text in sentences)
        (folder / f"test.{side}").write_text(lines, encoding="utf-8")
    values = recipe_values(folder)
    train_files = values["corpus"]["files"]["train"]
    values["corpus"]["files"]["test"] = {
        side: path.replace("train.", "test.") for side, path in train_files.items()
    }
    values["evaluation"]["every_updates"] = 5
    written = {}
    for name, own in (("a", {}), ("b", {"model": GRU})):
        written[name] = folder / f"{name}.yaml"
        recipe = {**values, "name": name, **own, **changes.get(name, {})}
        written[name].write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return written


def plan_values(folder: Path, **changes: Any) -> dict[str, Any]:
    """Values of a plan: both systems, two seeds, 1,200 target tokens."""
    return {
        "name": "tiny",
        "systems": [
            {"name": "a", "recipe": str(folder / "a.yaml")},
            {"name": "b", "recipe": str(folder / "b.yaml"), "unmatched": "both are tiny"},
        ],
        "seeds": [1, 2],
        "budgets": {"tokens": 1200},
        "search": {"beam_size": 2, "length_penalties": [1.0], "validation_sentences": 4},
        "samples": 400,
        **changes,
    }


def tiny_plan(folder: Path, **changes: Any) -> tuple[Plan, dict[str, Recipe]]:
    """The plan, and the recipes of its systems."""
    plan = Plan.model_validate(plan_values(folder, **changes))
    recipes = {
        system.name: read_recipe(system.recipe, (*plan.settings, *system.settings))
        for system in plan.systems
    }
    return plan, recipes
