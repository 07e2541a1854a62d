"""The search over recipes: equal numbers, resumption, what it writes, and what it refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import training.tune.search
from mt.bundle import Score
from mt.cli import main
from mt.errors import CheckpointError, ConfigError, CorpusError
from tests.tiny_run import recipe_values, tiny_recipe, write_corpus
from training.budget import Evaluation, RunState
from training.corpora.corpus import Corpus
from training.finish import TrainResult
from training.interrupts import StopRequest
from training.machine import describe_machine
from training.recipe import Recipe, load_recipe, to_values, to_yaml
from training.train import train
from training.tune.search import tune, with_settings

RANGES = {
    "optimizer.learning_rate": {"low": 1e-3, "high": 6e-2, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.4, "step": 0.05},
}
SHORT = {
    "training.max_updates": 12,
    "training.keep_at_minutes": [1e-9],
    "evaluation.every_updates": 4,
    "tune": RANGES,
}
GRU = {
    "family": "gru",
    "embedding_size": 12,
    "encoder_size": 8,
    "decoder_size": 16,
    "attention_size": 8,
    "dropout": 0.1,
}
Listener = Callable[[RunState], None]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def recipes(corpus: Path) -> list[Recipe]:
    gru = tiny_recipe(corpus, name="small-gru", model=GRU, **SHORT)
    return [tiny_recipe(corpus, **SHORT), gru]


@pytest.fixture(scope="module")
def searched(recipes: list[Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    assert tune(recipes, folder, trials=3, command="seq2serve tune both") is not None
    return folder


def report(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "tune.json").read_text(encoding="utf-8"))
    return values


def without_minutes(values: Any) -> Any:
    """A report but for what clocks say."""
    if isinstance(values, dict):
        return {k: without_minutes(v) for k, v in values.items() if k != "minutes"}
    return [without_minutes(v) for v in values] if isinstance(values, list) else values


def test_every_recipe_gets_the_same_number_of_trials_and_the_first_as_written(
    searched: Path, recipes: list[Recipe]
) -> None:
    values = report(searched)
    assert values["command"] == "seq2serve tune both"
    assert values["seed"] == 1
    assert set(values["versions"]) == {"seq2serve", "optuna", "torch", "sacrebleu"}
    for recipe in recipes:
        found = values["recipes"][recipe.name]
        assert found["recipe"] == to_values(recipe)
        assert [trial["trial"] for trial in found["trials"]] == [0, 1, 2]
        assert found["trials"][0]["settings"] == {
            "optimizer.learning_rate": 0.01,
            "model.dropout": 0.1,
        }
        for trial in found["trials"]:
            assert trial["state"] == "complete"
            assert trial["why"] == "the budget is spent"
            assert trial["minutes"] >= 0
            assert [point["update"] for point in trial["validation"]] == [4, 8, 12]
            assert "tok:13a" in trial["signature"]
            assert [sitting["from_update"] for sitting in trial["trained"]] == [0]
            assert trial["trained"][0]["machine"] == describe_machine(torch.device("cpu"))
        best = max(trial["BLEU"] for trial in found["trials"])
        assert found["best"]["BLEU"] == best


def test_a_trial_is_the_run_that_train_makes(
    searched: Path, recipes: list[Recipe], tmp_path: Path
) -> None:
    trial = report(searched)["recipes"]["tiny"]["trials"][1]
    result = train(with_settings(recipes[0], trial["settings"]), tmp_path / "run")
    assert result.scores[0].value == trial["BLEU"]
    assert [e.bleu for e in result.state.history] == [e["BLEU"] for e in trial["validation"]]


def test_the_best_settings_are_a_recipe_that_says_where_it_is_from(searched: Path) -> None:
    for name, found in report(searched)["recipes"].items():
        text = (searched / f"{name}.yaml").read_text(encoding="utf-8")
        best = found["best"]
        assert text.startswith("# Written by: seq2serve tune both\n")
        assert f"# Settings of trial {best['trial']} of 3: validation BLEU" in text
        recipe = load_recipe(searched / f"{name}.yaml")
        assert recipe.optimizer.learning_rate == best["settings"]["optimizer.learning_rate"]
        assert to_values(recipe)["model"]["dropout"] == best["settings"]["model.dropout"]
        assert recipe.tune.keys() == RANGES.keys()  # so that it can be tuned again


def test_trials_share_their_data_and_leave_no_checkpoints(searched: Path) -> None:
    runs = sorted((searched / "trials").glob("*/*"))
    assert len(runs) == 6
    assert not any((run / "checkpoints").exists() for run in runs)
    assert not any((run / "milestones").exists() for run in runs)
    assert all((run / "final" / "model.safetensors").is_file() for run in runs)
    assert len({(run / "data" / "src.ids").stat().st_ino for run in runs}) == 1
    assert len({(run / "tokenizer.model").stat().st_ino for run in runs}) == 1


def test_other_subwords_get_their_own_data(corpus: Path, tmp_path: Path) -> None:
    sizes = {"subwords.vocab_size": {"choices": [80, 70]}}
    recipe = tiny_recipe(corpus, **SHORT | {"tune": sizes, "training.max_updates": 1})
    assert tune([recipe], tmp_path, trials=2)
    runs = [tmp_path / "trials" / "tiny" / str(number) for number in (0, 1)]
    settings = [trial["settings"] for trial in report(tmp_path)["recipes"]["tiny"]["trials"]]
    assert [s["subwords.vocab_size"] for s in settings] == [80, 70]
    assert len({(run / "data" / "src.ids").stat().st_ino for run in runs}) == 2
    assert len({(run / "tokenizer.model").read_bytes() for run in runs}) == 2


def test_a_search_that_was_killed_goes_on_to_the_same_report(
    searched: Path, recipes: list[Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def killed(moment: int) -> Callable[[Recipe, Path, Listener], TrainResult]:
        """Training that dies at the `moment`th evaluation, once its checkpoint is saved."""
        seen = 0

        def dying(recipe: Recipe, run: Path, listener: Listener) -> TrainResult:
            def listen(state: RunState) -> None:
                nonlocal seen
                seen += 1
                begun.append(state.update)
                if seen == moment:
                    raise KeyboardInterrupt
                listener(state)

            return train(recipe, run, listen)

        return dying

    for moment in (2, 4, 9):
        monkeypatch.setattr(training.tune.search, "train", killed(moment))
        with pytest.raises(KeyboardInterrupt):
            tune(recipes, tmp_path, trials=3)
    monkeypatch.setattr(training.tune.search, "train", killed(-1))
    assert tune(recipes, tmp_path, trials=3, command="seq2serve tune both")
    assert without_minutes(report(tmp_path)) == without_minutes(report(searched))
    assert len(begun) == 18  # six trials of three evaluations: none was trained again


def test_a_signal_stops_the_search_and_the_same_call_goes_on(
    searched: Path, recipes: list[Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopRequest, "__bool__", lambda self: True)
    assert tune(recipes[:1], tmp_path, trials=2) is None
    monkeypatch.undo()
    assert tune(recipes[:1], tmp_path, trials=2)
    again, before = (report(folder)["recipes"]["tiny"]["trials"] for folder in (tmp_path, searched))
    assert without_minutes(again) == without_minutes(before[:2])


def test_more_trials_continue_a_finished_search(
    searched: Path, recipes: list[Recipe], tmp_path: Path
) -> None:
    assert tune(recipes[:1], tmp_path, trials=1)
    assert tune(recipes[:1], tmp_path, trials=2)
    again, before = (report(folder)["recipes"]["tiny"]["trials"] for folder in (tmp_path, searched))
    assert without_minutes(again) == without_minutes(before[:2])


def test_a_finished_search_only_prints_its_table(
    searched: Path, recipes: list[Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.tune.search, "train", None)
    lines = tune(recipes, searched, trials=3, command="seq2serve tune both")
    assert lines is not None
    assert lines[0].startswith("tiny: 3 trials, 3 complete, ")
    assert lines[1].split() == [
        "trial",
        "state",
        "BLEU",
        "minutes",
        "optimizer.learning_rate",
        "model.dropout",
    ]
    assert [line.split()[0] for line in lines[2:5]].count("*") == 1
    assert lines[5].startswith("best settings: trial ")
    assert lines[5].endswith("tiny.yaml")
    assert lines[7].startswith("small-gru: 3 trials")


def test_no_test_set_is_read(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = recipe_values(corpus)
    values["corpus"]["files"]["test"] = values["corpus"]["files"]["validation"]
    recipe = Recipe.model_validate(
        values | {"tune": RANGES, "training": values["training"] | {"max_updates": 2}}
    )
    read: list[str] = []
    pairs = Corpus.pairs

    def watched(self: Corpus, split: str) -> Any:
        read.append(split)
        return pairs(self, split)

    monkeypatch.setattr(Corpus, "pairs", watched)
    assert tune([recipe], tmp_path, trials=2)
    assert set(read) <= {"train", "validation"}
    assert "validation" in read
    on_test = with_settings(recipe, {"evaluation.split": "test"})
    with pytest.raises(ConfigError, match="a test set must not choose settings"):
        tune([on_test], tmp_path / "other", trials=2)


def curves(recipe: Recipe, run: Path, listener: Listener) -> TrainResult:
    """Training of ten evaluations whose BLEU climbs to 30, less the more dropout there is."""
    state = RunState()
    for update in range(1, 11):
        state.update, state.seconds = update, 60.0 * update
        bleu = 3 * update * (1 - to_values(recipe)["model"]["dropout"])
        state.history.append(Evaluation(update, bleu))
        listener(state)
    score = Score(metric="BLEU", value=bleu, signature="s", test_set="t")
    return TrainResult(run, state, "the budget is spent", run / "final", "", (score,))


def test_trials_below_the_median_are_given_up_after_a_third_of_the_budget(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.tune.search, "train", curves)
    recipe = tiny_recipe(corpus, **SHORT | {"training.max_updates": 10})
    lines = tune([recipe], tmp_path, trials=12)
    assert lines is not None
    trials = report(tmp_path)["recipes"]["tiny"]["trials"]
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    assert 0 < len(pruned) < 9
    complete = [trial for trial in trials if trial["state"] == "complete"]
    for trial in pruned:
        assert trial["BLEU"] is None
        assert len(trial["validation"]) == 4  # of ten: nothing is given up before a third
        assert trial["minutes"] == 4.0
        assert trial["why"] == "below the median after 40% of the budget"
        earlier = sorted(t["BLEU"] for t in complete if t["trial"] < trial["trial"])
        assert len(earlier) >= 3
        lower = sum(b < 30 * (1 - trial["settings"]["model.dropout"]) for b in earlier)
        assert lower < len(earlier) / 2
    assert f"{len(trials)} trials, {len(complete)} complete" in lines[0]
    assert any(f"({pruned[0]['validation'][-1]['BLEU']:.2f})" in line for line in lines)


def test_settings_that_do_not_train_are_told_and_count(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(recipe: Recipe, run: Path, listener: Listener) -> TrainResult:
        if recipe.optimizer.learning_rate != 0.01:
            raise ConfigError("the loss was not finite")
        return curves(recipe, run, listener)

    monkeypatch.setattr(training.tune.search, "train", failing)
    recipe = tiny_recipe(corpus, **SHORT)
    lines = tune([recipe], tmp_path, trials=3)
    assert lines is not None
    trials = report(tmp_path)["recipes"]["tiny"]["trials"]
    assert [trial["state"] for trial in trials] == ["complete", "pruned", "pruned"]
    assert trials[1]["why"] == "the loss was not finite"
    assert trials[1]["validation"] == []
    assert "best settings: trial 0" in lines[-1]


@pytest.mark.parametrize("error", [ConfigError("diverged"), CorpusError("empty")])
def test_a_recipe_that_does_not_train_as_written_is_an_error(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(recipe: Recipe, run: Path, listener: Listener) -> TrainResult:
        raise error

    monkeypatch.setattr(training.tune.search, "train", failing)
    with pytest.raises(type(error), match=str(error)):
        tune([tiny_recipe(corpus, **SHORT)], tmp_path, trials=2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "tiny"}, "tiny: two recipes have this name"),
        ({"tune": {}}, "other: no tune section says what may be tuned"),
        ({"training.max_updates": 13}, "tiny and other differ in training.max_updates"),
        ({"evaluation.sentences": 5}, "tiny and other differ in evaluation.sentences"),
        ({"corpus.licence": "yours"}, "tiny and other differ in corpus.licence"),
        ({"model.dropout": 0.5}, "other: tune.model.dropout does not hold .* 0.5, which is"),
        ({"model.dropout": 0.12}, "other: tune.model.dropout does not hold .* 0.12"),
    ],
)
def test_recipes_that_cannot_be_compared_are_refused(
    recipes: list[Recipe], corpus: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    other = tiny_recipe(corpus, **{"name": "other"} | SHORT | changes)
    with pytest.raises(ConfigError, match=says):
        tune([recipes[0], other], tmp_path / "new", trials=2)
    assert not (tmp_path / "new").exists()


def test_another_recipe_or_seed_is_refused_by_its_keys(
    searched: Path, corpus: Path, recipes: list[Recipe]
) -> None:
    changed = tiny_recipe(corpus, **SHORT | {"model.d_ff": 32, "training.max_updates": 13})
    with pytest.raises(CheckpointError, match=r"differs in model.d_ff, training.max_updates;"):
        tune([changed], searched, trials=3)
    with pytest.raises(CheckpointError, match=r"differs in --seed; .* into another folder"):
        tune(recipes, searched, trials=3, seed=2)
    elsewhere = tiny_recipe(corpus, **SHORT | {"training.threads": 2})
    assert tune([elsewhere], searched, trials=3)  # another machine is no other search


def test_a_damaged_database_is_one_clear_error(recipes: list[Recipe], tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database\n" * 100, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"study\.db cannot be used .*another folder"):
        tune(recipes, tmp_path, trials=1)


def test_the_verb_prints_the_table(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(to_yaml(tiny_recipe(corpus, **SHORT)), encoding="utf-8")
    out = tmp_path / "out"
    command = ["tune", str(path), "--out", str(out), "--trials", "1", "--set", "seed=3"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("tiny: 1 trials, 1 complete")
    assert printed[-1] == f"best settings: trial 0, in {out / 'tiny.yaml'}"
    assert report(out)["command"] == (
        f"seq2serve tune {path} --out {out} --trials 1 --seed 1 --set seed=3"
    )
    assert yaml.safe_load((out / "tiny.yaml").read_text())["seed"] == 3


def test_the_verb_says_how_to_go_on_when_it_is_stopped(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(to_yaml(tiny_recipe(corpus, **SHORT)), encoding="utf-8")
    monkeypatch.setattr(StopRequest, "__bool__", lambda self: True)
    with pytest.raises(SystemExit) as ended:
        main(["tune", str(path), "--out", str(tmp_path / "out"), "--trials", "1"])
    assert ended.value.code == 130
    assert "the same command continues" in capsys.readouterr().out
