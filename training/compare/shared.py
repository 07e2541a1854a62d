"""What all trainings of a comparison share, made once: pieces, joined pairs, costs per token."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import torch

from mt.errors import ConfigError
from mt.tokenizer import Tokenizer
from training.compare.conditions import condition_recipe
from training.compare.flops import Cost, measure_cost
from training.compare.joined import joined_training, write_pairs
from training.compare.plan import Plan
from training.console import say
from training.corpora.corpus import open_corpus
from training.durable_files import write_file
from training.prepare import sha256_of
from training.recipe import Recipe, to_values, with_defaults
from training.subwords import MODEL_FILE, read_subwords, train_subwords
from training.tune.ranges import flat

JOINED_FILE = "joined.jsonl"
_COSTS = "costs.json"
_MADE_FROM = "made-from.json"
_TEXT = ("corpus", "subwords")
_COSTS_NOTHING = ("name", "seed", "initialise_from", "training", "evaluation", "schedule", "tune")


@dataclass(frozen=True)
class Shared:
    """The file of pieces, the joined pairs, and costs by system and data condition."""

    tokenizer: Path
    joined: Path
    pieces: Tokenizer
    costs: Mapping[tuple[str, str], Cost]

    @property
    def tokenizer_sha256(self) -> str:
        """Of the pieces."""
        return sha256_of(self.pieces)


def share(plan: Plan, recipes: Mapping[str, Recipe], folder: Path) -> Shared:
    """Make in `folder` what is not there yet; recipes are the systems', by name.

    Raises:
        CorpusError: the corpus cannot be had.
        BundleError, ConfigError: the pieces that are to be used cannot be, or the folder holds
            runs of other text.
    """
    _check_same(plan, next(iter(recipes.values())), folder)
    path, joined = folder / MODEL_FILE, folder / JOINED_FILE
    pieces = _pieces(plan, next(iter(recipes.values())), path)
    if plan.joined is not None and plan.joined.train and not joined.is_file():
        corpus = open_corpus(next(iter(recipes.values())).corpus)
        write_pairs(joined, joined_training(list(corpus.train_pairs()), plan.joined.longest))
    costs = {
        (name, data.name): _cost(condition_recipe(recipe, data, joined), pieces, folder)
        for data in plan.conditions
        for name, recipe in recipes.items()
    }
    return Shared(path, joined, pieces, costs)


def _check_same(plan: Plan, recipe: Recipe, folder: Path) -> None:
    """Pieces and joined pairs are made once, so what they are made from must stay.

    A key that the folder does not name was added to recipes since, and had its default.
    """
    values, joined = to_values(recipe), None if plan.joined is None else plan.joined.longest
    now = {key: values[key] for key in _TEXT} | {"joined": joined}
    file = folder / _MADE_FROM
    try:
        made = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        write_file(file, (json.dumps(now, indent=1) + "\n").encode())
        return
    completed = with_defaults(values | {key: made.get(key, {}) for key in _TEXT})
    before = flat({key: completed[key] for key in _TEXT} | {"joined": made.get("joined")})
    after = flat(now)
    differing = [key for key in sorted(before.keys() | after) if before.get(key) != after.get(key)]
    if differing:
        raise ConfigError(
            f"{folder} holds runs of other text: {', '.join(differing)} changed; "
            "compare into another folder"
        )


def _pieces(plan: Plan, recipe: Recipe, path: Path) -> Tokenizer:
    """Those of a run that was trained before, or of the recipe, or else learnt from its corpus."""
    if path.is_file():
        return Tokenizer.load(path)
    given = [run for system in plan.systems for run in system.runs.values()]
    if given:
        pieces = Tokenizer.load(given[0] / MODEL_FILE)
    elif recipe.subwords.model is not None:
        pieces = read_subwords(recipe.subwords)
    else:
        corpus = open_corpus(recipe.corpus)
        say(f"learning subwords from {corpus.name}, once for all systems")
        pieces = train_subwords(chain.from_iterable(corpus.train_pairs()), recipe.subwords)
    write_file(path, pieces.model)
    return pieces


def _cost(recipe: Recipe, pieces: Tokenizer, folder: Path) -> Cost:
    """Measured once for each model and corpus."""
    values = {key: part for key, part in to_values(recipe).items() if key not in _COSTS_NOTHING}
    facts = json.dumps([values, sha256_of(pieces), torch.__version__], sort_keys=True)
    key = hashlib.sha256(facts.encode()).hexdigest()[:32]
    known = _read_costs(folder / _COSTS)
    if key not in known:
        say(f"measuring what a token of {recipe.name} costs")
        known[key] = asdict(measure_cost(recipe, pieces))
        write_file(folder / _COSTS, (json.dumps(known, indent=1) + "\n").encode())
    return Cost(**known[key])


def _read_costs(path: Path) -> dict[str, dict[str, float]]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
