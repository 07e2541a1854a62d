"""A recipe: everything that makes a run reproducible, in one YAML file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mt.config import Strict, describe, load_yaml
from mt.errors import ConfigError
from training.batching import BatchingConfig
from training.budget import TrainingConfig
from training.corpora.corpus import CorpusConfig
from training.evaluate import EvaluationConfig
from training.loss import LossConfig
from training.models import ModelConfig
from training.optimizer import OptimizerConfig
from training.schedule import ScheduleConfig
from training.subwords import SubwordsConfig
from training.tune.ranges import Range, check_range, flat, replaced

SHIPPED = Path(__file__).parent / "recipes"
_GIVEN = "subwords.model"  # pieces that are not learnt
_SAMPLING = "subwords.dropout"  # how text is cut while training: of no piece
_MAY_CHANGE = ("name", "training", "evaluation", "tune")
_OF_THE_MACHINE = (  # of `training` and `evaluation`: what neither makes nor chooses weights
    *("training.device", "training.compile", "training.sharded", "training.threads"),
    *("training.keep_at_minutes", "training.keep_at_tokens", "training.log_every"),
    *("training.max_bad_updates", "evaluation.max_rows"),
)


class Recipe(Strict):
    """One run. Each section is read by the one part that uses it."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="of the run and its bundle"
    )
    seed: int = Field(1, ge=0, description="of first weights, data order and dropout")
    initialise_from: str | None = Field(
        None, description="a run whose weights are the first ones; it shares `subwords.model`"
    )
    initialise_embeddings: tuple[Path, ...] = Field(
        (), description="files of word vectors (word2vec's or GloVe's text format), for a start"
    )
    corpus: CorpusConfig
    subwords: SubwordsConfig
    model: ModelConfig
    loss: LossConfig = LossConfig()
    batching: BatchingConfig = BatchingConfig()
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ScheduleConfig()
    training: TrainingConfig
    evaluation: EvaluationConfig = EvaluationConfig()
    tune: dict[str, Range] = Field(
        {}, description="what `seq2serve tune` may change, by dotted key"
    )

    @field_validator("tune")
    @classmethod
    def _ranges_fit(cls, tune: dict[str, Range], info: ValidationInfo) -> dict[str, Range]:
        """Each key is one of this recipe's, and each end of its range makes a valid recipe."""
        values = {
            name: part.model_dump(mode="json") if isinstance(part, BaseModel) else part
            for name, part in info.data.items()
        }
        if cls.model_fields.keys() - values.keys() - {"tune"}:
            return tune  # another section is wrong, and says so
        for key, chosen in tune.items():
            check_range(key, chosen, flat(values))
            for value in chosen.extremes():
                cls._check_value(replaced(values, {key: value}), f"{key}={value}")
        return tune

    @model_validator(mode="after")
    def _can_be_sharded(self) -> "Recipe":
        loss = self.loss
        others = {
            "loss.minimum_risk": loss.minimum_risk,
            "loss.pretraining": loss.pretraining,
            "optimizer.ema_decay": self.optimizer.ema_decay,
            "training.compile": self.training.compile,
        }
        if self.training.sharded and (found := [key for key, on in others.items() if on]):
            raise ValueError(f"training.sharded does not go with {', '.join(found)}")
        return self

    @classmethod
    def _check_value(cls, values: Mapping[str, Any], setting: str) -> None:
        try:
            cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(f"{setting} makes no valid recipe: {describe(error)}") from None


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe; each override is `dotted.key=value`.

    Raises:
        ConfigError: it cannot be read or does not fit; names file and dotted key.
    """
    return load_yaml(path, Recipe, overrides)


def read_recipe(name: str, overrides: Iterable[str] = ()) -> Recipe:
    """A recipe by path, or one that ships with this program by name.

    Raises:
        ConfigError: there is no such recipe, or it is wrong.
    """
    path, shipped = Path(name), SHIPPED / f"{name}.yaml"
    if not path.is_file() and not shipped.is_file():
        known = ", ".join(sorted(recipe.stem for recipe in SHIPPED.glob("*.yaml")))
        raise ConfigError(f"{name}: no such file; recipes that ship with seq2serve: {known}")
    return load_recipe(path if path.is_file() else shipped, overrides)


def changed_settings(recipe: Recipe) -> dict[str, Any]:
    """Dotted keys in which a recipe differs from the shipped one of its name, with its values.

    Its seed, and what neither trains nor scores, is left out; empty where none of its name ships.
    """
    if not (SHIPPED / f"{recipe.name}.yaml").is_file():
        return {}
    written, mine = (flat(to_values(one)) for one in (read_recipe(recipe.name), recipe))
    keys = [key for key in mine if not key.startswith(("seed", "tune", "training.keep_at"))]
    return {key: mine[key] for key in keys if mine[key] != written.get(key)}


def to_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON values, defaults included."""
    return recipe.model_dump(mode="json")


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, defaults included."""
    return yaml.safe_dump(to_values(recipe), sort_keys=False, allow_unicode=True)


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a stored recipe, completed by keys that were added since with their defaults."""
    try:
        return to_values(Recipe.model_validate(values))
    except ValidationError:
        return dict(values)


def differing_keys(
    old: Mapping[str, Any], new: Mapping[str, Any], same_pieces: bool = False
) -> list[str]:
    """Dotted keys of two recipes' values that differ and must not while a run is continued.

    Budget, machine and evaluation may change between two sittings; the rest may not. Where pieces
    are given, or known to be the same, it does not matter how others would be learnt.
    """
    before, after = flat(_fixed(old)), flat(_fixed(new))
    keys = sorted(before.keys() | after.keys())
    if same_pieces or before.get(_GIVEN) or after.get(_GIVEN):
        matter = {_SAMPLING} if same_pieces else {_SAMPLING, _GIVEN}
        keys = [key for key in keys if not key.startswith("subwords.") or key in matter]
    return [key for key in keys if before.get(key) != after.get(key)]


def differing_choices(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Dotted keys of `training` and `evaluation` that differ and make, or choose, other weights:
    budget, precision, averaging, and how and how often a run is scored.
    """
    before, after = (
        flat({name: values.get(name, {}) for name in ("training", "evaluation")})
        for values in (old, new)
    )
    return [
        key
        for key in sorted(before.keys() | after.keys())
        if key not in _OF_THE_MACHINE and before.get(key) != after.get(key)
    ]


def scored_alike(trained: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether validation scores of a stored recipe's values may be compared with a recipe's."""
    mine, its = (values["evaluation"] for values in (to_values(recipe), with_defaults(trained)))
    return all(mine[key] == its.get(key) for key in ("split", "sentences", "search"))


def _fixed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in _MAY_CHANGE}
