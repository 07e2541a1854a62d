"""What a search found: a table for people, tune.json for programs, a recipe to train next."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from mt.config import validate
from training.durable_files import write_file
from training.recipe import Recipe, to_values, to_yaml
from training.tune.ranges import replaced
from training.tune.study import RecipeStudy

REPORT = "tune.json"
_LIBRARIES = ("seq2serve", "optuna", "torch", "sacrebleu")


def write_report(
    folder: Path, studies: Sequence[RecipeStudy], seed: int, command: str
) -> list[str]:
    """Write tune.json and each recipe's best settings into `folder`; return the table's lines.

    Raises:
        CheckpointError: the disk refuses.
    """
    values = {
        "command": command,
        "seed": seed,
        "versions": {name: version(name) for name in _LIBRARIES},
        "recipes": {study.name: _values(study) for study in studies},
    }
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    write_file(folder / REPORT, text.encode())
    lines = []
    for study in studies:
        lines += _table(study)
        if study.best is not None:
            path = folder / f"{study.name}.yaml"
            write_file(path, _best_recipe(study, study.best, command).encode())
            lines += [f"best settings: trial {study.best.number}, in {path}", ""]
    return lines[:-1]


def _values(study: RecipeStudy) -> dict[str, Any]:
    trials = study.trials
    return {
        "recipe": to_values(study.recipe),
        "minutes": round(sum(_minutes(trial) for trial in trials), 2),
        "best": None if study.best is None else _trial_values(study.best),
        "trials": [_trial_values(trial) for trial in trials],
    }


def _trial_values(trial: FrozenTrial) -> dict[str, Any]:
    facts = trial.user_attrs
    curve = zip(facts["updates"], trial.intermediate_values.values(), strict=True)
    return {
        "trial": trial.number,
        "state": _state(trial),
        "why": facts["why"],
        "settings": trial.params,
        "BLEU": trial.value,
        "signature": facts["signature"],
        "minutes": round(_minutes(trial), 2),
        "trained": facts.get("trained", []),  # searches of old do not have it
        "validation": [{"update": update, "BLEU": bleu} for update, bleu in curve],
    }


def _table(study: RecipeStudy) -> list[str]:
    """One line a trial, in columns; the best is marked."""
    trials, keys = study.trials, list(study.recipe.tune)
    rows = [["", "trial", "state", "BLEU", "minutes", *keys]]
    for trial in trials:
        mark = "*" if study.best and trial.number == study.best.number else ""
        facts = [str(trial.number), _state(trial), _bleu(trial), f"{_minutes(trial):.1f}"]
        rows.append([mark, *facts, *(_short(trial.params[key]) for key in keys)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
    complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
    head = f"{study.name}: {len(trials)} trials, {complete} complete"
    return [f"{head}, {sum(map(_minutes, trials)):.1f} minutes of training", *lines]


def _best_recipe(study: RecipeStudy, best: FrozenTrial, command: str) -> str:
    changed = replaced(to_values(study.recipe), best.params)
    recipe = validate(changed, Recipe, where=study.name)
    return (
        f"# Written by: {command}\n"
        f"# Settings of trial {best.number} of {len(study.trials)}: validation BLEU "
        f"{best.value:.2f}. Every default is spelled out; comments were lost.\n" + to_yaml(recipe)
    )


def _state(trial: FrozenTrial) -> str:
    return trial.state.name.lower()


def _minutes(trial: FrozenTrial) -> float:
    return float(trial.user_attrs["minutes"])


def _bleu(trial: FrozenTrial) -> str:
    """The final BLEU, or in brackets the latest of a trial that was given up."""
    if trial.value is not None:
        return f"{trial.value:.2f}"
    curve = list(trial.intermediate_values.values())
    return f"({curve[-1]:.2f})" if curve else "-"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
