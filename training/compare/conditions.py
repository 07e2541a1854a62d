"""A recipe with other settings, or on other training pairs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mt.config import validate
from training.compare.outcome import DataCondition
from training.recipe import Recipe, to_values
from training.tune.ranges import replaced


def changed(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """A recipe with some of its values changed, by dotted key.

    Raises:
        ConfigError: together they make no valid recipe.
    """
    return validate(replaced(to_values(recipe), settings), Recipe, where=recipe.name)


def condition_recipe(recipe: Recipe, data: DataCondition, joined: Path) -> Recipe:
    """The recipe on other training pairs."""
    if data.joined:
        extra = to_values(recipe)["corpus"]["extra_train"]
        pairs = {"format": "jsonl", "path": str(joined)}
        return changed(recipe, {"corpus.extra_train": [*extra, pairs]})
    return changed(recipe, {"corpus.train_pairs": data.train_pairs or recipe.corpus.train_pairs})
