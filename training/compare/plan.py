"""What to compare: one YAML file, or recipes and flags.

    name: multi30k-en-de
    systems:
      - {name: gru, recipe: multi30k-en-de-gru-s}
      - {name: transformer, recipe: multi30k-en-de-transformer-s}
    seeds: [1, 2, 3]
    budgets: {tokens: 10_000_000, minutes: 45, flops: 1.5e14}
    tests: [test2016]

Settings are those of recipes, `dotted.key=value`. Everything that is not a seed, a size or what
`differs` names is the same for all systems: `training.compare.fairness` sees to it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator

from mt.bundle import NAME_PATTERN
from mt.config import Strict, load_yaml, validate
from training.compare.outcome import DataCondition, View, ViewName
from training.length_penalty import PENALTIES

ALL_PAIRS = DataCondition(name="all")
JOINED = DataCondition(name="joined", joined=True)

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class PlannedSystem(Strict):
    """One system: a recipe, changed."""

    name: Name
    recipe: str = Field(description="a file, or the name of one that ships with this program")
    settings: tuple[str, ...] = Field((), description="`dotted.key=value`, after the plan's own")
    unmatched: str | None = Field(
        None, min_length=1, description="why it may have another number of parameters"
    )
    differs: dict[str, str] = Field(
        {}, description="dotted keys that it may have of its own though they should be equal: why"
    )
    runs: dict[int, Path] = Field(
        {}, description="runs that were trained before, by seed; their recipes must be this one"
    )


class Budgets(Strict):
    """What every system gets, in up to three views."""

    tokens: int | None = Field(None, gt=0, description="target tokens trained on")
    minutes: float | None = Field(None, gt=0, description="processor minutes of training")
    flops: float | None = Field(None, gt=0, description="floating-point operations of training")

    @model_validator(mode="after")
    def _is_any(self) -> Self:
        if not self.views():
            raise ValueError("set at least one of tokens, minutes and flops")
        return self

    def views(self) -> tuple[View, ...]:
        """The views that are asked for."""
        found: list[View] = []
        if self.tokens is not None:
            found.append(_view("tokens", self.tokens, f"{self.tokens:,} target tokens"))
        if self.minutes is not None:
            found.append(_view("minutes", self.minutes, f"{self.minutes:g} processor minutes"))
        if self.flops is not None:
            found.append(_view("flops", self.flops, f"{self.flops:.2e} FLOPs"))
        return tuple(found)


class Grid(Strict):
    """The search that every system is scored with."""

    beam_size: int = Field(5, ge=2, le=64)
    length_penalties: tuple[Annotated[float, Field(ge=0, le=5)], ...] = Field(
        PENALTIES, min_length=1, description="each is tried on the whole validation split"
    )
    validation_sentences: int | None = Field(
        None, gt=0, description="only so many of it, evenly spread"
    )
    test_sentences: int | None = Field(
        None, gt=0, description="only so many of each test set, evenly spread"
    )


class Joined(Strict):
    """Sentences of several joined captions, after Bahdanau et al. 2015, figure 2."""

    longest: int = Field(4, ge=2, le=8, description="tests of one to so many sentences made one")
    train: bool = Field(
        True, description="also train on as many joined pairs as there are pairs: of two and more"
    )


class Plan(Strict):
    """A comparison that can be repeated."""

    name: Name
    systems: tuple[PlannedSystem, ...] = Field(min_length=2)
    settings: tuple[str, ...] = Field((), description="`dotted.key=value`, of every system")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((1, 2, 3), min_length=1)
    budgets: Budgets
    tests: tuple[str, ...] = Field((), description="splits that are scored [the first test set]")
    search: Grid = Grid()
    tuned: Path | None = Field(
        None, description="tune.json of `seq2serve tune`: every system had as many trials"
    )
    data_sizes: tuple[PositiveInt, ...] = Field(
        (), description="also train on only the first so many pairs"
    )
    data_views: tuple[ViewName, ...] | None = Field(
        None, description="views that data sizes and joined pairs are trained for [all]"
    )
    joined: Joined | None = None
    threads: int = Field(1, gt=0, description="of decoding; training always has one")
    samples: int = Field(5000, ge=100, description="of the two-level bootstrap")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _refuse_twice("systems", [system.name for system in self.systems])
        _refuse_twice("seeds", self.seeds)
        _refuse_twice("tests", self.tests)
        _refuse_twice("data_sizes", self.data_sizes)
        _refuse_twice("search.length_penalties", self.search.length_penalties)
        for system in self.systems:
            if unknown := sorted(system.runs.keys() - set(self.seeds)):
                raise ValueError(
                    f"systems: {system.name} has runs of seeds that are not compared: "
                    f"{', '.join(map(str, unknown))}"
                )
        views = {view.name for view in self.views}
        if absent := sorted(set(self.data_views or ()) - views):
            raise ValueError(f"data_views: budgets has no {', '.join(absent)}")
        return self

    @property
    def views(self) -> tuple[View, ...]:
        """The views of the budget."""
        return self.budgets.views()

    @property
    def conditions(self) -> tuple[DataCondition, ...]:
        """All training pairs, then parts of them, then joined ones as well."""
        sizes = [
            DataCondition(name=f"{size}-pairs", train_pairs=size)
            for size in sorted(self.data_sizes)
        ]
        joined = [JOINED] if self.joined is not None and self.joined.train else []
        return (ALL_PAIRS, *sizes, *joined)

    def views_of(self, condition: DataCondition) -> tuple[View, ...]:
        """The views that systems are trained for on these pairs."""
        if condition == ALL_PAIRS or self.data_views is None:
            return self.views
        return tuple(view for view in self.views if view.name in self.data_views)


def read_plan(path: Path, overrides: Iterable[str] = ()) -> Plan:
    """Read a plan; each override is `dotted.key=value` of the plan.

    Raises:
        ConfigError: it cannot be read or does not fit; names file and dotted key.
    """
    return load_yaml(path, Plan, overrides)


def plan_of_recipes(
    recipes: Sequence[tuple[str, str]], settings: Sequence[str], seeds: int, **budgets: float | None
) -> Plan:
    """A plan without a file: names and recipes of systems, seeds from 1 on, and budgets.

    Raises:
        ConfigError: fewer than two recipes, two of one name, or no budget.
    """
    values = {
        "name": "-".join(name for name, _ in recipes)[:64],
        "systems": [{"name": name, "recipe": recipe} for name, recipe in recipes],
        "settings": list(settings),
        "seeds": list(range(1, seeds + 1)),
        "budgets": budgets,
    }
    return validate(values, Plan, where="seq2serve compare")


def _view(name: ViewName, budget: float, title: str) -> View:
    return View(name=name, budget=budget, title=title)


def _refuse_twice(what: str, entries: Sequence[object]) -> None:
    for entry in entries:
        if list(entries).count(entry) > 1:
            raise ValueError(f"{what}: {entry} is there twice")
