"""Recipes: strict, with addresses; what may change under a checkpoint and what may not."""

from pathlib import Path

import pytest
import yaml

import training.recipe
from mt.config import validate
from mt.errors import ConfigError
from tests.tiny_run import recipe_values, tiny_recipe
from training.recipe import (
    Recipe,
    changed_settings,
    differing_keys,
    load_recipe,
    read_recipe,
    to_values,
    to_yaml,
    with_defaults,
)

SHIPPED = sorted((Path(training.recipe.__file__).parent / "recipes").glob("*.yaml"))


def written(tmp_path: Path, **sections: object) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_values(tmp_path) | sections), encoding="utf-8")
    return path


def test_some_recipes_ship() -> None:
    assert {"multi30k-en-de-transformer-s", "multi30k-en-de-gru-s"} <= {p.stem for p in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_and_its_name_is_the_file_s(path: Path) -> None:
    recipe = load_recipe(path)
    assert path.stem.endswith(recipe.name)


def test_a_recipe_survives_yaml(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    (tmp_path / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_overrides_reach_any_key(tmp_path: Path) -> None:
    overrides = ["optimizer.betas=[0.8, 0.9]", "training.max_minutes=2.5", "seed=3"]
    recipe = load_recipe(written(tmp_path), overrides)
    assert recipe.optimizer.betas == (0.8, 0.9)
    assert recipe.training.max_minutes == 2.5
    assert recipe.seed == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer.learning_rat", 1),
        ("model.d_modell", 1),
        ("evaluation.search.beam", 1),
        ("corpus.cleaning.ratio", 1),
        ("colour", "red"),
    ],
)
def test_an_unknown_key_is_refused_with_file_and_dotted_path(
    tmp_path: Path, key: str, value: object
) -> None:
    path = written(tmp_path)
    with pytest.raises(ConfigError) as refusal:
        load_recipe(path, [f"{key}={value}"])
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert key.rpartition(".")[2] in message
    assert key.partition(".")[0] in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.learning_rate=0",
        "optimizer.learning_rate=fast",
        "loss.label_smoothing=1",
        "schedule.curve=square",
        "batching.max_tokens=-1",
        "evaluation.search.beam_size=0",
        "training.device=tpu",
        "name=../elsewhere",
        "seed=-1",
    ],
)
def test_a_wrong_value_is_refused_with_its_dotted_path(tmp_path: Path, override: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"recipe\.yaml: {key.replace('.', '[.]')}: "):
        load_recipe(written(tmp_path), [override])


def test_every_field_of_our_sections_says_what_it_is() -> None:
    ours = ("loss", "batching", "optimizer", "schedule", "training", "evaluation")
    for section in ours:
        model = Recipe.model_fields[section].annotation
        assert model is not None
        for name, field in model.model_fields.items():
            assert field.description, f"{section}.{name} has no description"


def test_budget_machine_and_evaluation_may_change(tmp_path: Path) -> None:
    old = tiny_recipe(tmp_path)
    new = tiny_recipe(
        tmp_path,
        **{
            "training.max_updates": 99,
            "training.threads": 2,
            "evaluation.every_updates": 3,
            "name": "other",
        },
    )
    assert differing_keys(to_values(old), to_values(new)) == []


def test_everything_else_may_not(tmp_path: Path) -> None:
    old = tiny_recipe(tmp_path)
    changes = {
        "seed": 8,
        "model.dropout": 0.3,
        "optimizer.learning_rate": 0.5,
        "subwords.vocab_size": 90,
        "batching.max_tokens": 300,
        "schedule.warmup_updates": 6,
        "loss.label_smoothing": 0.0,
        "corpus.licence": "other",
    }
    for key, value in changes.items():
        new = tiny_recipe(tmp_path, **{key: value})
        assert differing_keys(to_values(old), to_values(new)) == [key]


def test_beside_given_pieces_how_others_are_learnt_says_nothing(tmp_path: Path) -> None:
    values = recipe_values(tmp_path)
    del values["subwords"]["vocab_size"]
    values["subwords"]["model"] = "run"
    old = to_values(validate(values, Recipe, "test"))
    stored = old | {"subwords": old["subwords"] | {"vocab_size": 8000}}  # as it once was written
    assert differing_keys(stored, old) == []
    for key, value in (("model", "other"), ("dropout", 0.1)):
        new = old | {"subwords": old["subwords"] | {key: value}}
        assert differing_keys(old, new) == [f"subwords.{key}"]


def test_keys_that_were_added_since_count_with_their_defaults(tmp_path: Path) -> None:
    stored = to_values(tiny_recipe(tmp_path))
    del stored["loss"], stored["optimizer"]["eps"]
    assert with_defaults(stored) == to_values(tiny_recipe(tmp_path))
    assert with_defaults({"seed": 1, "gone": 2}) == {"seed": 1, "gone": 2}


def test_what_was_changed_of_a_shipped_recipe() -> None:
    changed = ("seed=3", "model.dropout=0.1", "training.keep_at_minutes=[1]")
    found = changed_settings(read_recipe("multi30k-en-de-gru-s", changed))
    assert found == {"model.dropout": 0.1}
    assert changed_settings(read_recipe("multi30k-en-de-gru-s")) == {}
