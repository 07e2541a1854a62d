"""Settings come as objects: strict, frozen, and refused with an address (file and dotted key)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mt.errors import ConfigError


class Strict(BaseModel):
    """Base of every settings model: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Settings = TypeVar("Settings", bound=BaseModel)


def load_yaml(path: Path, model: type[Settings], overrides: Iterable[str] = ()) -> Settings:
    """Read one YAML file into a settings model; each override is `dotted.key=value` (YAML value).

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit; names file and dotted key.
    """
    values = _read_mapping(path)
    for override in overrides:
        _apply_override(values, override)
    return validate(values, model, where=str(path))


def validate(values: Mapping[str, Any], model: type[Settings], where: str) -> Settings:
    """Check plain values against a settings model, all problems at once.

    Raises:
        ConfigError: one line naming `where` and each wrong dotted key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """All problems of a validation error on one line, each with its dotted key, no input echoed."""
    return "; ".join(
        ".".join(map(_key, item["loc"] or ["the whole"]))
        + f": {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _key(part: int | str) -> str:
    """A part of a dotted key as it is written, quoted where that is no one line of text."""
    return str(part) if str(part).isprintable() else repr(part)


class _Loader(yaml.SafeLoader):
    """Plain values only; a key given twice is an error, where YAML would forget the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value} is given twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # nosec B506 # it is a safe one
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML ({problem})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values at the top of the file")
    return values


def _apply_override(values: dict[str, Any], override: str) -> None:
    """Set one dotted key; the parts before the last must be sections, empty or missing ones too."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: write it as dotted.key=value")
    *parents, last = key.split(".")
    for parent in parents:
        if values.get(parent) is None:
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {parent} holds a value, not a section")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: {text!r} is not a YAML value") from None
