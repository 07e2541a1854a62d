"""The `tune` section of a recipe: which of its values a search may change, and within what."""

import copy
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from mt.config import Strict
from training.budget import LIMITS

_SAME_IN_EVERY_TRIAL = (
    "name",
    "seed",
    "initialise_from",
    "corpus",
    "evaluation",
    "tune",
    *(f"training.{limit}" for limit in LIMITS),
    "training.end_at",
    "training.device",
    "training.threads",
    "training.log_every",
)


class Range(Strict):
    """Values that one key may take: from `low` to `high`, or one of `choices`."""

    low: float | None = Field(None, description="least value")
    high: float | None = Field(None, description="greatest value, included")
    log: bool = Field(False, description="search the logarithm: for rates and counts of any size")
    step: float | None = Field(None, gt=0, description="only low, low + step, low + 2 step, ...")
    choices: tuple[bool | int | float | str | None, ...] | None = Field(
        None, min_length=2, description="these values only, in no order"
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.choices is not None:
            if self.numbers() or self.log:
                raise ValueError("choices stand alone, without low, high, log or step")
            if len(set(map(repr, self.choices))) < len(self.choices):
                raise ValueError("a choice is given twice")
        elif self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        else:
            self._check_numbers(self.low, self.high)
        return self

    def _check_numbers(self, low: float, high: float) -> None:
        if not low < high:
            raise ValueError(f"low, {low:g}, is not below high, {high:g}")
        if self.log and (low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0 and no step")
        if self.step is not None and not _is_whole((high - low) / self.step):
            raise ValueError(f"high, {high:g}, is not a number of steps of {self.step:g} from low")

    def numbers(self) -> dict[str, float]:
        """low, high and step, those that are given."""
        given = {"low": self.low, "high": self.high, "step": self.step}
        return {name: value for name, value in given.items() if value is not None}

    def holds(self, value: object) -> bool:
        """Whether a search may choose this value."""
        if self.choices is not None:
            return value in self.choices
        if not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        on_a_step = self.step is None or _is_whole((value - self.low) / self.step)
        return self.low <= value <= self.high and on_a_step

    def extremes(self) -> tuple[Any, ...]:
        """Values that must all make a valid recipe: both ends, or every choice."""
        return self.choices if self.choices is not None else (self.low, self.high)


def check_range(key: str, chosen: Range, values: Mapping[str, Any]) -> None:
    """Refuse a range that no search can use; `values` are the recipe's by dotted key.

    Raises:
        ValueError: says what is wrong with the key, or with the range for what the key holds.
    """
    if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _SAME_IN_EVERY_TRIAL):
        raise ValueError(f"{key} must be the same in every trial, or they cannot be compared")
    if key not in values:
        raise ValueError(f"{key}: the recipe has no such value")
    if chosen.choices is not None:
        return
    if isinstance(values[key], bool) or not isinstance(values[key], int | float):
        raise ValueError(f"{key} holds no number; list its choices")
    if isinstance(values[key], int) and not all(map(_is_whole, chosen.numbers().values())):
        raise ValueError(f"{key} is a whole number; so must its low, high and step be")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted key."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def replaced(values: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested values with some changed, by dotted key; their sections must be there."""
    changed = copy.deepcopy(dict(values))
    for key, value in settings.items():
        section = changed
        *parents, last = key.split(".")
        for parent in parents:
            section = section[parent]
        section[last] = value
    return changed


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-9 * max(1.0, abs(number))
