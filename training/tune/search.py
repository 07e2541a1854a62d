"""The search: one trial after another, each recipe in turn, until all have had their number."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mt.config import validate
from mt.errors import ConfigError, CorpusError
from training.budget import RunState, progress
from training.checkpoint import CHECKPOINTS, newest_checkpoint
from training.console import say
from training.durable_files import remove_folder
from training.finish import TrainResult
from training.prepare import DATA, TOKENIZER
from training.recipe import Recipe, load_recipe, to_values
from training.resume import locked
from training.train import train
from training.tune.ranges import flat, replaced
from training.tune.report import write_report
from training.tune.sampling import Settings
from training.tune.study import RecipeStudy, check_comparable, open_studies

TRIALS = "trials"
_SAFE_SHARE = 1 / 3  # of the budget, before a trial may be given up: a fast start is not the goal

_NOT_IN_TRIALS: Settings = {  # milestones would fill disks
    "tune": {},
    "training.keep_at_minutes": [],
    "training.keep_at_tokens": [],
}


class _PrunedError(Exception):
    """Raised out of training when a trial is pruned."""


def tune(
    recipes: Sequence[Recipe], folder: Path, trials: int, seed: int = 1, command: str = ""
) -> list[str] | None:
    """Give every recipe so many trials, and return lines that tell what they found.

    Everything is in `folder`: study.db, trials/<recipe>/<number>, tune.json, and <recipe>.yaml with
    the best settings. Called again it goes on; None where a signal asked for a stop.

    Raises:
        ConfigError: the recipes cannot be tuned, or one does not train as it is written.
        CheckpointError: the folder holds another search, or the disk refuses.
        CorpusError: the corpus cannot be used.
    """
    check_comparable(recipes)
    with locked(folder), open_studies(folder, recipes, seed) as studies:
        for number in range(trials):
            for study in studies:
                run = folder / TRIALS / study.name / str(number)
                if len(study.trials) <= number:
                    say(f"{study.name}: trial {number}, the last is {trials - 1}")
                    _link_data(folder, run)
                    if not _run_trial(study, number, run):
                        return None
                    write_report(folder, studies, seed, command)
                remove_folder(run / CHECKPOINTS)
        return write_report(folder, studies, seed, command)


def with_settings(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe with some of its values changed, by dotted key.

    Raises:
        ConfigError: together they make no valid recipe.
    """
    return validate(replaced(to_values(recipe), settings), Recipe, where=recipe.name)


def _run_trial(study: RecipeStudy, number: int, run: Path) -> bool:
    """Train and store the next trial; False where a signal stopped it."""
    settings = _settings(study, run)
    say(f"{study.name}: " + ", ".join(f"{key} {value}" for key, value in settings.items()))
    curve = _Curve(study, run)
    result, why = None, ""
    try:
        result = curve.train(settings)
    except _PrunedError as reason:
        why = str(reason)
    except (ConfigError, CorpusError) as error:
        if number == 0:  # the recipe as it is written: nothing to search around
            raise
        why = str(error)
    if result is not None and not result.finished:
        return False
    _store(study, settings, curve.state, result, why)
    return True


def _settings(study: RecipeStudy, run: Path) -> Settings:
    """Those of a trial that was begun and killed, or else the next ones."""
    begun = run / "recipe.yaml"
    if not begun.is_file():
        return study.propose()
    values = flat(to_values(load_recipe(begun)))
    return {key: values[key] for key in study.recipe.tune}


class _Curve:
    """One trial's training, which is watched at every evaluation."""

    def __init__(self, study: RecipeStudy, run: Path) -> None:
        self._study, self._run = study, run
        self.state = RunState()

    def train(self, settings: Settings) -> TrainResult:
        """Train from the start or from where a kill left it.

        Raises:
            _PrunedError: the trial is hopeless.
        """
        recipe = with_settings(self._study.recipe, {**settings, **_NOT_IN_TRIALS})
        checkpoint, _ = newest_checkpoint(self._run / CHECKPOINTS)
        if checkpoint is not None:
            self._watch(checkpoint.state)  # the kill may have come between saving and judging
        result = train(recipe, self._run, self._watch)
        self.state = result.state
        return result

    def _watch(self, state: RunState) -> None:
        self.state = state
        share = progress(state, self._study.recipe.training)
        curve = [evaluation.bleu for evaluation in state.history]
        if _SAFE_SHARE <= share < 1 and self._study.is_hopeless(curve):
            raise _PrunedError(f"below the median after {share:.0%} of the budget")


def _store(
    study: RecipeStudy, settings: Settings, state: RunState, result: TrainResult | None, why: str
) -> None:
    score = result.scores[0] if result else None
    study.add(
        settings,
        None if score is None else score.value,
        [evaluation.bleu for evaluation in state.history],
        {
            "updates": [evaluation.update for evaluation in state.history],
            "minutes": state.seconds / 60,
            "why": result.reason if result else why,
            "signature": score.signature if score else "",
            "trained": [asdict(sitting) for sitting in state.sittings],
        },
    )
    say(f"{study.name}: " + (f"BLEU {score.value:.2f}" if score else f"given up, {why}"))


def _link_data(folder: Path, run: Path) -> None:
    """Give a new trial the vocabulary and token ids of the first one; if they do not fit, it
    makes its own.

    Both are only ever replaced, never written into, so hard links are safe.
    """
    earlier = next(folder.glob(f"{TRIALS}/*/0/{DATA}"), None)
    if earlier is None or (run / DATA).exists():
        return
    fresh = run / f".{DATA}.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(earlier, fresh, copy_function=os.link)
    (run / TOKENIZER).unlink(missing_ok=True)
    os.link(earlier.parent / TOKENIZER, run / TOKENIZER)
    fresh.rename(run / DATA)
