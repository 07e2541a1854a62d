"""Choosing the length penalty on validation, with a model whose choice is worked by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import training.cli
from mt.beam_search import SearchOptions
from mt.errors import ConfigError, CorpusError
from mt.tokenizer import EOS_ID
from tests.fakes import CheckedStepper, Floats
from tests.tiny_run import recipe_values, tiny_recipe, tiny_tokenizer, write_corpus
from training.corpora.pair import Pair
from training.evaluate import bleu
from training.length_penalty import PENALTIES, TunedPenalty, tune_length_penalty
from training.recipe import Recipe
from training.scoring import score_system
from training.system import System, open_system
from training.train import train

SHORT, LONG = "a dog sees a cat", "the big old house in a small red tree and a bird"
EXACT = SearchOptions(early_stopping=None)
TIE = 0.7  # the penalty at which both score the same


class TwoChoices(CheckedStepper):
    """Says SHORT or LONG to everything; LONG is better above a length penalty of 0.7.

    It is sure of all the words of LONG, which are many more than the source has: EXACT finds it.
    """

    def __init__(self) -> None:
        tokenizer = tiny_tokenizer()
        super().__init__(tokenizer.vocab_size)
        self._texts = [[*tokenizer.encode(text), EOS_ID] for text in (SHORT, LONG)]
        short, long = ((5 + len(ids)) / 6 for ids in self._texts)
        self._first = (-1.0, -1.0 * (long / short) ** TIE)  # equal when divided by norms

    def distribution(self, src: Any, prefix: Any) -> Floats:
        log_probs = np.full(self.vocab_size, -np.inf, np.float32)
        for ids, first in zip(self._texts, self._first, strict=True):
            if ids[: len(prefix)] == list(prefix):
                log_probs[ids[len(prefix)]] = 0.0 if prefix else first
        return log_probs


def two_choices() -> System:
    recipe = tiny_recipe(Path("nowhere"))
    return System("fake", TwoChoices(), tiny_tokenizer(), recipe, "0" * 64, "torch-fp32")


def tuned(reference: str, options: SearchOptions = EXACT, **grid: Any) -> TunedPenalty:
    pairs = [Pair("a cat", reference)] * 2
    return tune_length_penalty(two_choices(), pairs, "own:en-de:validation", options, **grid)


def test_each_penalty_is_scored_and_the_best_one_taken() -> None:
    found = tuned(SHORT)
    assert tuple(found.scores) == PENALTIES == (0.6, 0.8, 1.0, 1.2, 1.4)
    right, wrong = bleu([SHORT] * 2, [SHORT] * 2).value, bleu([LONG] * 2, [SHORT] * 2).value
    assert [score.value for score in found.scores.values()] == [right, *[wrong] * 4]
    assert found.best == 0.6


def test_of_equals_the_one_nearest_to_one_is_taken() -> None:
    assert tuned(LONG).best == 1.0
    assert tuned(LONG, penalties=(0.6, 1.4, 0.8)).best == 0.8
    assert tuned(LONG, penalties=(1.4, 1.25)).best == 1.25
    score = bleu([LONG], [LONG])
    nearly = {1.0: score.model_copy(update={"value": 37.0012})}
    nearly |= {a: score.model_copy(update={"value": 37.0034}) for a in (0.6, 1.4)}
    assert TunedPenalty(nearly, 1).best == 1.0


def test_the_table_and_the_record_say_what_was_tried() -> None:
    found = tuned(SHORT, penalties=(0.6, 1.0))
    lines = found.lines()
    assert lines[0] == "length penalty on own:en-de:validation, 2 sentences"
    assert lines[1].split() == ["0.6", f"{found.scores[0.6].value:.2f}", "best"]
    assert lines[2].split() == ["1", f"{found.scores[1.0].value:.2f}"]
    assert lines[3].strip() == found.scores[0.6].signature
    values = json.loads(json.dumps(found.values()))
    assert (values["best"], values["sentences"]) == (0.6, 2)
    assert [row["length_penalty"] for row in values["grid"]] == [0.6, 1.0]
    assert values["grid"][0]["value"] == found.scores[0.6].value
    assert values["grid"][0]["signature"].startswith("nrefs:1")


def test_the_rest_of_the_search_is_as_asked_for() -> None:
    wu = tuned(SHORT, penalties=(0.6,))
    average = tuned(
        SHORT, penalties=(0.6,), options=EXACT.model_copy(update={"length_norm": "average"})
    )
    assert wu.scores[0.6].value > average.scores[0.6].value  # n^0.6 favours LONG


def test_all_sentences_of_all_penalties_are_told() -> None:
    told: list[int] = []
    tuned(SHORT, on_finished=told.append)
    assert sum(told) == 2 * len(PENALTIES)


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(ConfigError, match="no length penalty to try"):
        tuned(SHORT, penalties=())
    with pytest.raises(ConfigError, match="changes nothing in greedy search"):
        tuned(SHORT, options=SearchOptions(beam_size=1))
    with pytest.raises(CorpusError, match="holds no pairs"):
        tune_length_penalty(two_choices(), [], "own:en-de:validation")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny trained run whose corpus has a test set."""
    before = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    values = recipe_values(folder)
    files = values["corpus"]["files"]
    values["corpus"]["files"] = files | {"test": files["validation"]}
    train(Recipe.model_validate(values), folder / "run")
    yield folder / "run"
    torch.set_num_threads(before)


def evaluate(*arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(training.cli.evaluate, [*words, "--threads", "1"])


def test_the_verb_tunes_on_validation_and_scores_the_test_set(run: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    flags = ["--tune-length-penalty", "--beam-size", 2, "--sentences", 3, "--json", report]
    done = evaluate(run, *flags)
    assert done.exit_code == 0, done.output
    values = json.loads(report.read_text(encoding="utf-8"))
    record = values["tuned_length_penalty"]
    assert values["search"]["length_penalty"] == record["best"]
    assert values["test_set"] == "own:en-de:test"
    assert {row["test_set"] for row in record["grid"]} == {"own:en-de:validation"}
    assert record["sentences"] == 3
    assert "length penalty on own:en-de:validation, 3 sentences" in done.output
    assert f"own:en-de:test, beam 2, length penalty {record['best']:g}" in done.output


def test_without_the_flag_nothing_is_tuned(run: Path) -> None:
    scored = score_system(open_system(run, threads=1), options=SearchOptions(beam_size=2))
    assert scored.tuned is None
    assert "tuned_length_penalty" not in scored.values()


def test_the_verb_refuses_to_tune_what_is_given_or_scored(run: Path) -> None:
    both = evaluate(run, "--tune-length-penalty", "--length-penalty", 0.8)
    assert isinstance(both.exception, ConfigError)
    assert "not both" in str(both.exception)
    same = evaluate(run, "--tune-length-penalty", "--split", "validation")
    assert isinstance(same.exception, ConfigError)
    assert "a score on validation would flatter" in str(same.exception)


def test_the_verb_scores_several_models_as_one(run: Path, tmp_path: Path) -> None:
    reports = tmp_path / "one.json", tmp_path / "two.json"
    flags = ["--beam-size", 2, "--sentences", 5]
    assert evaluate(run, *flags, "--json", reports[0]).exit_code == 0
    done = evaluate(run, run / "final", *flags, "--json", reports[1])
    assert done.exit_code == 0, done.output
    one, two = (json.loads(report.read_text(encoding="utf-8")) for report in reports)
    assert two["scores"] == one["scores"]
    assert two["members_sha256"] == [one["weights_sha256"]] * 2
    assert "members_sha256" not in one
    assert "tiny + tiny (torch-fp32) on own:en-de:test" in done.output
