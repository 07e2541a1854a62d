"""Is it one thing that differs between the systems? Checked before anything is trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from math import ceil
from typing import Any

from mt.errors import ConfigError
from training.compare.outcome import Tuning
from training.compare.plan import Plan, PlannedSystem
from training.compare.verdict import ALPHA
from training.corpora.corpus import open_corpus
from training.models import build_model
from training.models.seq2seq import count_parameters
from training.recipe import Recipe, to_values
from training.scoring import first_test_set
from training.subwords import read_subwords
from training.tune.ranges import flat

LARGEST_MISMATCH = 0.01
EQUAL = {  # keys of recipes, and what it is that all systems share
    "initialise_from": "first weights: all random, or all taken from the same run",
    "initialise_embeddings": "first embeddings",
    "corpus": "corpus, its cleaning and its extra pairs",
    "subwords": "subword settings, and one SentencePiece model",
    "loss": "loss and label smoothing",
    "batching": "target tokens of an update and the longest sentence",
    "evaluation": "validation: split, sentences, search and how often",
    "optimizer.ema_decay": "moving average of the weights",
    "training.device": "device",
    "training.precision": "precision",
}
_FROM_THE_PLAN = ("evaluation.patience",)


@dataclass(frozen=True)
class Fair:
    """What the check found: the tests, the evidence of tuning, and what to tell of it."""

    tests: tuple[str, ...]
    tuning: dict[str, Tuning]
    checks: tuple[str, ...]
    notes: tuple[str, ...]


def check_fairness(plan: Plan, recipes: Mapping[str, Recipe]) -> Fair:
    """Refuse a comparison whose outcome would say nothing; `recipes` are the systems', by name.

    Raises:
        ConfigError: every problem there is, on one line.
    """
    tests, problems = _tests(plan, recipes)
    problems += _differing(plan, recipes)
    problems += _unmatched(plan, recipes)
    problems += _too_few_samples(plan, len(tests))
    tuning, more = _tuning(plan, recipes)
    problems += more
    if problems:
        raise ConfigError(f"{plan.name} is no fair comparison: {'; '.join(problems)}")
    return Fair(tests, tuning, _checks(plan), _notes(plan, recipes, tuning))


def _tests(plan: Plan, recipes: Mapping[str, Recipe]) -> tuple[tuple[str, ...], list[str]]:
    """The splits to score, and what is wrong with them; a test set never selects anything."""
    first = next(iter(recipes.values()))
    corpus = open_corpus(first.corpus)
    tests = plan.tests or (first_test_set(corpus),)
    problems = [
        f"tests: {corpus.name} has no split {test}, only {', '.join(corpus.splits)}"
        for test in tests
        if test not in corpus.splits
    ]
    for name, recipe in recipes.items():
        split = recipe.evaluation.split
        if split in tests or split.startswith("test"):
            problems.append(f"{name} validates on {split}; a test set must not choose weights")
        elif split not in corpus.splits:
            problems.append(f"{name}: evaluation.split: {corpus.name} has no split {split}")
    if "train" in tests:
        problems.append("tests: systems are trained on train")
    return tests, problems


def _differing(plan: Plan, recipes: Mapping[str, Recipe]) -> list[str]:
    """Keys in which a system's recipe is not like the first one's, and must be."""
    first, *others = plan.systems
    problems = []
    for other in others:
        keys = _differing_keys(recipes[first.name], recipes[other.name])
        allowed = first.differs.keys() | other.differs.keys()
        if wrong := [key for key in keys if not _is_below(key, allowed)]:
            problems.append(
                f"{first.name} and {other.name} differ in {', '.join(wrong)} "
                "(give all the same in the plan's `settings`, or say in `differs` why)"
            )
    return problems


def _differing_keys(one: Recipe, other: Recipe) -> list[str]:
    before, after = flat(to_values(one)), flat(to_values(other))
    return [
        key
        for key in sorted(before.keys() | after.keys())
        if _is_below(key, EQUAL) and key not in _FROM_THE_PLAN
        if before.get(key) != after.get(key)
    ]


def _is_below(key: str, sections: Mapping[str, str] | set[str]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


def _unmatched(plan: Plan, recipes: Mapping[str, Recipe]) -> list[str]:
    """Sizes that are not within 1 % of each other, systems with a reason left out."""
    sizes = {
        system.name: _parameters(recipes[system.name])
        for system in plan.systems
        if system.unmatched is None
    }
    if not sizes or max(sizes.values()) <= (1 + LARGEST_MISMATCH) * min(sizes.values()):
        return []
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    apart = max(sizes.values()) / min(sizes.values()) - 1
    return [
        f"parameters are {apart:.1%} apart ({listed}), more than {LARGEST_MISMATCH:.0%}; change "
        "sizes in a system's `settings`, or say in its `unmatched`, in a plan, why it differs"
    ]


def _too_few_samples(plan: Plan, splits: int) -> list[str]:
    """The least p of a bootstrap, times the number of tests, must be able to be small."""
    tests = splits * (plan.joined.longest if plan.joined else 1)
    views = sum(len(plan.views_of(data)) for data in plan.conditions)
    family = tests * views * len(list(combinations(plan.systems, 2)))
    least = ceil(2 * family / ALPHA)
    if plan.samples >= least:
        return []
    return [f"samples: {plan.samples} cannot tell {family} differences apart; set {least} or more"]


def _parameters(recipe: Recipe) -> int:
    taken = recipe.subwords.model is not None
    vocab_size = read_subwords(recipe.subwords).vocab_size if taken else recipe.subwords.vocab_size
    return count_parameters(build_model(recipe.model, vocab_size))


def _tuning(plan: Plan, recipes: Mapping[str, Recipe]) -> tuple[dict[str, Tuning], list[str]]:
    """The trials that each system had, by its recipe's name."""
    if plan.tuned is None:
        return {}, []
    try:
        data = plan.tuned.read_bytes()
        studies: dict[str, Any] = json.loads(data)["recipes"]
        found = {
            name: Tuning(
                file=plan.tuned.name,
                sha256=sha256(data).hexdigest(),
                recipe=name,
                trials=len(study["trials"]),
                best_bleu=(study["best"] or {}).get("BLEU"),
            )
            for name, study in studies.items()
        }
    except OSError as error:
        return {}, [f"tuned: {plan.tuned} cannot be read ({error.strerror})"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, [f"tuned: {plan.tuned} is no tune.json of `seq2serve tune`"]
    by_system = {name: found.get(recipe.name) for name, recipe in recipes.items()}
    tuning = {name: evidence for name, evidence in by_system.items() if evidence is not None}
    absent = [name for name in recipes if name not in tuning]
    problems = [f"tuned: {plan.tuned} holds no trials of {name}" for name in absent]
    if len({evidence.trials for evidence in tuning.values()}) > 1:
        listed = ", ".join(f"{name} {evidence.trials}" for name, evidence in tuning.items())
        problems.append(f"tuned: systems had unequal numbers of trials ({listed}); tune further")
    return tuning, problems


def _checks(plan: Plan) -> tuple[str, ...]:
    sizes = f"parameters within {LARGEST_MISMATCH:.0%} of each other"
    trials = ["number of tuning trials"] if plan.tuned is not None else []
    seeds = f"seeds: {', '.join(map(str, plan.seeds))}"
    shared = ["beam and grid of length penalties", "code that searches and scores"]
    return (*EQUAL.values(), sizes, *trials, seeds, *shared)


def _notes(
    plan: Plan, recipes: Mapping[str, Recipe], tuning: Mapping[str, Tuning]
) -> tuple[str, ...]:
    notes = [note for system in plan.systems for note in _reasons(system)]
    if not tuning:
        notes.append("no search for settings stands behind the recipes: no system was tuned here")
    for name, recipe in recipes.items():
        if follows_budget(recipe):
            notes.append(
                f"{name}: the learning rate comes to rest at the end of a budget, so each view has "
                "runs of its own"
            )
    return tuple(notes)


def _reasons(system: PlannedSystem) -> Sequence[str]:
    size = [f"{system.name}: size not matched: {system.unmatched}"] if system.unmatched else []
    return [*size, *(f"{system.name}: {key}: {why}" for key, why in system.differs.items())]


def follows_budget(recipe: Recipe) -> bool:
    """Whether the learning rate knows where the run will end, so that each end needs a run."""
    return recipe.schedule.curve in ("linear", "cosine")
