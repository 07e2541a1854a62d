"""What each technique is worth: one recipe, trained again with one thing changed at a time.

The plan is a YAML file:

    recipe: multi30k-en-de-transformer-s   # the row that the others are compared with
    settings: [training.max_updates=800]   # of every row
    rows:
      - {name: no label smoothing, settings: [loss.label_smoothing=0]}

A row's `against` names another row where it is not the first that it must be compared with.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from mt.config import Strict, load_yaml
from mt.errors import ConfigError
from training.console import say
from training.durable_files import write_file
from training.machine import describe_machine
from training.precision import choose_device
from training.recipe import Recipe
from training.scoring import Scored, score_system
from training.significance import Difference, paired_bootstrap
from training.system import open_system
from training.train import train

BASE = "base"


class Row(Strict):
    """One change."""

    name: str = Field(min_length=1, max_length=60)
    settings: tuple[str, ...] = Field((), description="`dotted.key=value`, after the plan's own")
    against: str = Field(BASE, description="the row it is compared with")


class Plan(Strict):
    """A base recipe and the changes to it."""

    recipe: str
    settings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        before = [BASE]
        for row in self.rows:
            if row.name in before:
                raise ValueError(f"two rows are called {row.name}")
            if row.against not in before:
                raise ValueError(f"{row.name}: against: no row before it is called {row.against}")
            before.append(row.name)
        return self


@dataclass(frozen=True)
class Measured:
    """A row's BLEU on the test set, its difference from another row's, and what it cost."""

    name: str
    settings: tuple[str, ...]
    bleu: float
    signature: str
    against: str | None
    difference: Difference | None
    processor_minutes: float
    target_tokens: int
    weights_sha256: str

    @property
    def speed(self) -> float:
        """Target tokens per second of one core."""
        return self.target_tokens / (60 * self.processor_minutes)


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: it cannot be read or does not fit.
    """
    return load_yaml(path, Plan)


def ablate(
    plan: Plan,
    read_recipe: Callable[[str, tuple[str, ...]], Recipe],
    folder: Path,
    split: str | None = None,
    threads: int = 1,
) -> list[Measured]:
    """Train and score all rows of a plan, the base first; what `folder` holds is not done again.

    `read_recipe` takes a recipe's name and its changed settings.

    Raises:
        ConfigError: a recipe does not fit, or a signal stopped a training (the same call goes on).
    """
    rows = [Row(name=BASE), *plan.rows]
    recipes = [read_recipe(plan.recipe, plan.settings + row.settings) for row in rows]
    scored: dict[str, Scored] = {}
    measured: list[Measured] = []
    for row, recipe in zip(rows, recipes, strict=True):
        say(f"ablation: {row.name}")
        run = folder / "runs" / _slug(row.name)
        result = train(recipe, run)
        if not result.finished:
            raise ConfigError(f"stopped in {row.name}; the same command continues")
        scored[row.name] = score_system(open_system(run, threads=threads), split)
        against = None if row.name == BASE else row.against
        measured.append(
            Measured(
                row.name,
                row.settings,
                scored[row.name].scores[0].value,
                scored[row.name].scores[0].signature,
                against,
                _difference(scored, row.name, against),
                result.state.cpu_seconds / 60,
                result.state.target_tokens,
                result.sha256,
            )
        )
        _write(plan, recipes[0], folder, measured, scored)
    return measured


def table(rows: Sequence[Measured]) -> list[str]:
    """Lines of a Markdown table."""
    base = rows[0]
    lines = [
        "| change | BLEU | difference (95 %) | target tokens/s, one core | minutes |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        found = row.difference
        text = ""
        if found is not None:
            text = f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
        text += f" against {row.against}" if row.against not in (None, BASE) else ""
        lines.append(
            f"| {row.name} | {row.bleu:.2f} | {text} | {row.speed:,.0f} "
            f"({row.speed / base.speed:.2f}x) | {row.processor_minutes:.1f} |"
        )
    return lines


def _difference(scored: dict[str, Scored], name: str, against: str | None) -> Difference | None:
    if against is None:
        return None
    one, other = scored[against].evaluated, scored[name].evaluated
    return paired_bootstrap(one.hypotheses, other.hypotheses, one.references)


def _write(
    plan: Plan, base: Recipe, folder: Path, rows: list[Measured], scored: dict[str, Scored]
) -> None:
    first = scored[BASE]
    report: dict[str, Any] = {
        "plan": plan.model_dump(mode="json"),
        "machine": describe_machine(choose_device(base.training.device)),
        "test_set": first.scores[0].test_set,
        "search": first.options.model_dump(mode="json"),
        "interval": "paired bootstrap over sentences, 1,000 samples; one seed",
        "rows": [asdict(row) for row in rows],
    }
    write_file(folder / "ablation.json", (json.dumps(report, indent=1) + "\n").encode())


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())
