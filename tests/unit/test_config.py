from pathlib import Path

import pytest
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from mt.config import Strict, describe, load_yaml, validate
from mt.errors import ConfigError


class Optimizer(Strict):
    learning_rate: float = Field(1e-3, gt=0)
    warmup_steps: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Optimizer":
        if self.warmup_steps > 1000 * self.learning_rate:
            raise ValueError("warmup_steps is too long")
        return self


class Recipe(Strict):
    name: str
    optimizer: Optimizer = Optimizer()


def recipe(tmp_path: Path, text: str, *overrides: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path, Recipe, overrides)


def refused(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        recipe(tmp_path, text, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_becomes_settings(tmp_path: Path) -> None:
    found = recipe(tmp_path, "name: é\noptimizer: {learning_rate: 1e-2}\n")
    assert found == Recipe(name="é", optimizer=Optimizer(learning_rate=0.01))


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        Recipe(name="x").name = "y"  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_file_and_dotted_key(tmp_path: Path) -> None:
    message = refused(tmp_path, "name: x\noptimizer: {lr: 1}\n")
    assert message == f"{tmp_path}/recipe.yaml: optimizer.lr: Extra inputs are not permitted"


def test_all_problems_stand_in_one_line_without_the_input(tmp_path: Path) -> None:
    message = refused(tmp_path, "colour: blue\noptimizer: {learning_rate: -7}\n")
    assert message == (
        f"{tmp_path}/recipe.yaml: name: Field required; "
        "optimizer.learning_rate: Input should be greater than 0; "
        "colour: Extra inputs are not permitted"
    )


def test_a_key_of_several_lines_leaves_the_error_on_one() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, str]).validate_python({"\n": None})
    assert describe(caught.value) == "'\\n': Input should be a valid string"


def test_a_rule_across_fields_is_named_by_its_section(tmp_path: Path) -> None:
    message = refused(
        tmp_path, "name: x\noptimizer: {warmup_steps: 2}\n", "optimizer.learning_rate=0.001"
    )
    assert message.endswith("optimizer: warmup_steps is too long")


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, "name: x\noptimizer: {}\nname: y\n")
    assert "name is given twice" in message
    assert "line 3" in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    assert "expected keys and values" in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["name: [1", "name: 'x", "a: b: c", "name: !!python/object:os.x"])
def test_what_is_not_plain_yaml_is_refused(tmp_path: Path, text: str) -> None:
    assert "recipe.yaml: not valid YAML (" in refused(tmp_path, text)


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: no such file"):
        load_yaml(tmp_path / "nothing.yaml", Recipe)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_yaml(tmp_path, Recipe)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: cannot be read"):
        load_yaml(tmp_path / "latin.yaml", Recipe)


def test_overrides_are_yaml_and_may_add_keys(tmp_path: Path) -> None:
    found = recipe(tmp_path, "name: x\n", "optimizer.learning_rate=2e-1", "name=a=b")
    assert (found.name, found.optimizer.learning_rate) == ("a=b", 0.2)


def test_an_override_fills_an_empty_section(tmp_path: Path) -> None:
    found = recipe(tmp_path, "name: x\noptimizer:\n", "optimizer.warmup_steps=1")
    assert found.optimizer.warmup_steps == 1


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("optimizer", "--set optimizer: write it as dotted.key=value"),
        ("=3", "--set =3: write it as dotted.key=value"),
        ("name.first=x", "name holds a value, not a section"),
        ("name=[1", "'[1' is not a YAML value"),
        ("optimizer.lr=1", "optimizer.lr: Extra inputs are not permitted"),
    ],
)
def test_wrong_overrides_are_refused(tmp_path: Path, override: str, problem: str) -> None:
    assert problem in refused(tmp_path, "name: x\n", override)


def test_plain_values_are_checked_alike() -> None:
    with pytest.raises(ConfigError, match=r"^body: name: Field required$"):
        validate({}, Recipe, where="body")
