"""Train, translate and compare the rows of a plan, one after the other."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mt.bundle import Score
from mt.config import Strict
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.ablation.plan import BASE, Plan, Row
from training.ablation.report import Measured, write_report
from training.checkpoint import CHECKPOINTS, newest_checkpoint
from training.console import say
from training.corpora.corpus import open_corpus
from training.corpora.pair import Pair
from training.finish import TrainResult
from training.recipe import Recipe
from training.remembered import remembered
from training.resume import check_same_recipe
from training.scoring import first_test_set, refuse_flattery, score_system
from training.significance import Difference, paired_bootstrap
from training.system import open_systems
from training.train import train


class Translated(Strict):
    """The test set as one row translates it; minutes are those of the processor."""

    hypotheses: tuple[str, ...]
    references: tuple[str, ...]
    search: SearchOptions
    bleu: Score
    minutes: float


@dataclass(frozen=True)
class Finished:
    """A row whose test set is translated, and the runs of the models that did it."""

    row: Row
    runs: tuple[TrainResult, ...]
    translated: Translated


def ablate(
    plan: Plan,
    read_recipe: Callable[[str, tuple[str, ...]], Recipe],
    folder: Path,
    split: str | None = None,
    threads: int = 1,
) -> list[Measured]:
    """Train and score all rows of a plan, the base first; what `folder` holds is not done again.

    `read_recipe` takes a recipe's name and its changed settings. Rows of the same recipe share one
    training. split: None is the first test set.

    Raises:
        ConfigError: a recipe does not fit, a row has another test set, or a length penalty would be
            tuned on what is scored.
        CorpusError: the corpus has no such split, or cannot be had.
        KeyboardInterrupt: a signal stopped a training, which is saved; the same call goes on.
    """
    recipes = {
        row.name: read_recipe(plan.recipe, plan.settings + row.settings) for row in plan.all_rows
    }
    if any(row.tune_length_penalty for row in plan.rows):
        refuse_flattery(recipes[BASE], split)
    texts = {name: _texts(recipe, split) for name, recipe in recipes.items()}
    for name, found in texts.items():
        if found != texts[BASE]:
            raise ConfigError(f"{name} is tested on other sentences than {BASE}; leave its data be")
    folders = _folders(plan, recipes, folder / "runs")
    for name, run in folders.items():  # before the first row's report takes the place of the last
        check_same_recipe(recipes[name], run, newest_checkpoint(run / CHECKPOINTS)[0])
    results: dict[str, TrainResult] = {}
    finished: dict[str, Finished] = {}
    measured: list[Measured] = []
    for row in plan.all_rows:
        say(f"ablation: {row.name}")
        results[row.name] = train(recipes[row.name], folders[row.name])
        if not results[row.name].finished:
            raise KeyboardInterrupt
        runs = tuple(results[name] for name in (row.name, *row.together_with))
        memory = folder / "translations"
        translated = _translate(row, runs, memory, texts[BASE], split, threads)
        finished[row.name] = Finished(row, runs, translated)
        measured.append(_measure(finished, row))
        write_report(plan, recipes[BASE], folder, measured)
    return measured


def _folders(plan: Plan, recipes: dict[str, Recipe], runs: Path) -> dict[str, Path]:
    """Where each row's model is trained: rows of one recipe share the folder of the first."""
    first: dict[str, str] = {}
    for row in plan.all_rows:
        first.setdefault(recipes[row.name].model_dump_json(), row.folder)
    return {name: runs / first[recipe.model_dump_json()] for name, recipe in recipes.items()}


def _texts(recipe: Recipe, split: str | None) -> tuple[list[Pair], list[Pair]]:
    """What a row is scored on, and what its length penalty may be tuned on."""
    corpus = open_corpus(recipe.corpus)
    tested = corpus.pairs(split or first_test_set(corpus))
    return list(tested), list(corpus.pairs(recipe.evaluation.split))


def _translate(
    row: Row,
    runs: Sequence[TrainResult],
    memory: Path,
    texts: tuple[list[Pair], list[Pair]],
    split: str | None,
    threads: int,
) -> Translated:
    weights = [run.sha256 for run in runs]
    search = row.search.model_dump(mode="json")
    return remembered(
        memory,
        Translated,
        partial(_translate_now, row, runs, split, threads),
        *(weights, texts, search, row.tune_length_penalty, threads),
    )


def _translate_now(
    row: Row, runs: Sequence[TrainResult], split: str | None, threads: int
) -> Translated:
    system = open_systems([run.run for run in runs], threads=threads)
    began = time.process_time()
    scored = score_system(system, split, row.search, tune_length_penalty=row.tune_length_penalty)
    return Translated(
        hypotheses=tuple(scored.evaluated.hypotheses),
        references=tuple(scored.evaluated.references),
        search=scored.options,
        bleu=scored.scores[0],
        minutes=(time.process_time() - began) / 60,
    )


def _measure(finished: dict[str, Finished], row: Row) -> Measured:
    runs, translated = finished[row.name].runs, finished[row.name].translated
    against = None if row.name == BASE else row.against
    states = {run.run: run.state for run in runs}.values()
    return Measured(
        name=row.name,
        settings=row.settings,
        search=translated.search,
        together_with=row.together_with,
        bleu=translated.bleu,
        against=against,
        difference=_difference(finished[against].translated, translated) if against else None,
        training_minutes=sum(state.cpu_seconds for state in states) / 60,
        decoding_minutes=translated.minutes,
        target_tokens=sum(state.target_tokens for state in states),
        trained=tuple(sitting for state in states for sitting in state.sittings),
        weights_sha256=tuple(run.sha256 for run in runs),
    )


def _difference(one: Translated, other: Translated) -> Difference:
    return paired_bootstrap(one.hypotheses, other.hypotheses, one.references)
