"""Every recipe that ships loads, and families that are compared have the same size."""

from pathlib import Path

import pytest

import training
from training.cli import read_recipe
from training.models import build_model
from training.models.seq2seq import count_parameters

SHIPPED = sorted(Path(training.__file__).parent.joinpath("recipes").glob("*.yaml"))


def parameters(name: str) -> int:
    recipe = read_recipe(name)
    return count_parameters(build_model(recipe.model, recipe.subwords.vocab_size))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_by_name(path: Path) -> None:
    recipe = read_recipe(path.stem)
    assert recipe.name in path.stem  # the demo's recipes are named for the systems they make
    assert recipe == read_recipe(str(path))


def test_the_families_compared_on_multi30k_match_within_one_per_cent() -> None:
    gru, transformer = (
        parameters("multi30k-en-de-gru-s"),
        parameters("multi30k-en-de-transformer-s"),
    )
    assert gru == pytest.approx(transformer, rel=0.01)


def test_what_is_compared_differs_in_model_and_learning_rate_only() -> None:
    for first, second in (
        ("multi30k-en-de-gru-s", "multi30k-en-de-transformer-s"),
        ("demo-gru", "demo-transformer"),
        ("demo-gru", "demo-gru-no-attention"),
    ):
        one, other = (
            read_recipe(name).model_dump(exclude={"name", "model", "optimizer", "schedule"})
            for name in (first, second)
        )
        assert one == other
