"""What a search remembers: finished trials in SQLite, one Optuna study for each recipe.

Only finished trials are stored, each in one transaction: a trial that was killed is not in the
database, and its checkpoint in FOLDER/trials says where it stood.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from mt.errors import CheckpointError, ConfigError
from training.budget import LIMITS
from training.recipe import Recipe, to_values, with_defaults
from training.tune.ranges import flat
from training.tune.sampling import Settings, is_hopeless, propose, space, steps

DATABASE = "study.db"
_MACHINE = ("training.device", "training.threads", "training.log_every")


class RecipeStudy:
    """The trials of one recipe. Trials count from 0, in the order in which they finished."""

    def __init__(self, study: optuna.Study, recipe: Recipe, seed: int) -> None:
        self.recipe, self.seed, self._study = recipe, seed, study

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def trials(self) -> list[FrozenTrial]:
        """Completed and pruned trials; attributes hold `updates`, `minutes`, `trained` and more."""
        return self._study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))

    @property
    def best(self) -> FrozenTrial | None:
        """The completed trial of the highest BLEU, the first of equals."""
        complete = self._study.get_trials(states=(TrialState.COMPLETE,))
        return max(complete, key=lambda trial: float(trial.value or 0.0), default=None)

    def propose(self) -> Settings:
        """Settings of the next trial, the same whenever it is asked."""
        return propose(self.recipe, self.trials, self.seed)

    def is_hopeless(self, curve: Sequence[float]) -> bool:
        """Whether the running trial, with this BLEU at each evaluation so far, is given up."""
        return is_hopeless(self._study, curve)

    def add(
        self,
        settings: Settings,
        bleu: float | None,
        curve: Sequence[float],
        facts: dict[str, Any],
    ) -> None:
        """Store a finished trial; one without BLEU was pruned. `facts`: attributes, as in JSON."""
        self._study.add_trial(
            create_trial(
                state=TrialState.PRUNED if bleu is None else TrialState.COMPLETE,
                value=bleu,
                params=settings,
                distributions=space(self.recipe),
                intermediate_values=steps(curve),
                user_attrs=facts,
            )
        )


@contextmanager
def open_studies(folder: Path, recipes: Sequence[Recipe], seed: int) -> Iterator[list[RecipeStudy]]:
    """The studies of these recipes in FOLDER/study.db, begun where they are not there yet.

    Raises:
        CheckpointError: the database is damaged, or holds a study of a recipe of the same name that
            was another, or of another seed.
    """
    storage = None
    try:
        storage = RDBStorage(f"sqlite:///{folder / DATABASE}")
        yield [_open(storage, recipe, seed, folder) for recipe in recipes]
    except (SQLAlchemyError, StorageInternalError) as error:
        why = " ".join(str(error.__cause__ or error).split())
        raise CheckpointError(
            f"{folder / DATABASE} cannot be used ({why}); bring it back or tune into another folder"
        ) from None
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _open(storage: RDBStorage, recipe: Recipe, seed: int, folder: Path) -> RecipeStudy:
    study = optuna.create_study(
        storage=storage, study_name=recipe.name, direction="maximize", load_if_exists=True
    )
    if "recipe" not in study.user_attrs:
        study.set_user_attr("seed", seed)
        study.set_user_attr("recipe", to_values(recipe))
    _check_same(study, recipe, seed, folder)
    return RecipeStudy(study, recipe, seed)


def _check_same(study: optuna.Study, recipe: Recipe, seed: int, folder: Path) -> None:
    """All trials of a study are of one recipe, or its scores could not be compared."""
    before = flat(with_defaults(study.user_attrs["recipe"])) | {"--seed": study.user_attrs["seed"]}
    now = flat(to_values(recipe)) | {"--seed": seed}
    keys = sorted(before.keys() | now.keys())
    differing = [k for k in keys if k not in _MACHINE and before.get(k) != now.get(k)]
    if differing:
        raise CheckpointError(
            f"{folder} holds trials of another {recipe.name}, which differs in "
            f"{', '.join(differing)}; change that back or tune into another folder"
        )


def check_comparable(recipes: Sequence[Recipe]) -> None:
    """Refuse recipes that cannot be searched, or not beside each other.

    Raises:
        ConfigError: a recipe declares no ranges, its own values lie outside them, or it validates
            on a test set; or two share a name, or differ in corpus, budget or evaluation.
    """
    names = [recipe.name for recipe in recipes]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{name}: two recipes have this name; each needs its own")
    for recipe in recipes:
        _check_searchable(recipe)
        differing = [
            key for key, value in _common(recipe).items() if value != _common(recipes[0]).get(key)
        ]
        if differing:
            raise ConfigError(
                f"{recipes[0].name} and {recipe.name} differ in {', '.join(differing)}, so their "
                "trials could not be compared; set it for both with --set"
            )


def _check_searchable(recipe: Recipe) -> None:
    if not recipe.tune:
        raise ConfigError(
            f"{recipe.name}: no tune section says what may be tuned; for example "
            "tune: {model.dropout: {low: 0.1, high: 0.4, step: 0.05}}"
        )
    if recipe.evaluation.split.startswith("test"):
        raise ConfigError(
            f"{recipe.name}: evaluation.split is {recipe.evaluation.split}; a test set must not "
            "choose settings, use the validation split"
        )
    values = flat(to_values(recipe))
    for key, chosen in recipe.tune.items():
        if not chosen.holds(values[key]):
            raise ConfigError(
                f"{recipe.name}: tune.{key} does not hold the recipe's own value, {values[key]}, "
                "which is the first trial; widen it"
            )


def _common(recipe: Recipe) -> dict[str, Any]:
    """What trials of two recipes must share: text, budget, and how they are scored."""
    values = to_values(recipe)
    training = {key: values["training"][key] for key in (*LIMITS, "end_at")}
    shared = ("corpus", "evaluation")
    return flat({"training": training} | {name: values[name] for name in shared})
