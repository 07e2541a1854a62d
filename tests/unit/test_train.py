"""A run from its first update to RUN/final: what it leaves, reuses, continues and refuses."""

import fcntl
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import training.objective
import training.train
from mt.bundle import Score
from mt.errors import CheckpointError, ConfigError, CorpusError
from tests.tiny_run import random_pairs, tiny_recipe, write_corpus
from training.budget import RunState
from training.checkpoint import (
    checkpoint_folders,
    newest_checkpoint,
    read_checkpoint,
    read_tensors,
)
from training.evaluate import bleu, translate_sentences
from training.finish import TrainResult
from training.interrupts import StopRequest
from training.loss import batch_loss
from training.recipe import to_values
from training.stepper import TorchStepper
from training.subwords import SubwordsConfig, train_subwords
from training.train import train
from training.trained import load_trained
from training.update import Updated
from training.validation import validation_scores

SCORES = "training.train.validation_scores"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """`train` sets threads for its process; tests after this module get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path) -> TrainResult:
    return train(tiny_recipe(corpus), corpus / "run")


@pytest.fixture
def run(finished: TrainResult, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may spoil."""
    return Path(shutil.copytree(finished.run, tmp_path / "run"))


def test_the_same_pairs_in_a_catalogue_train_the_same_model(
    finished: TrainResult, corpus: Path, tmp_path: Path
) -> None:
    unit = 'msgid "{}"\nmsgstr "{}"\n\n'
    fuzzy = '#, fuzzy\nmsgid "not yet"\nmsgstr "noch nicht"\n\n'
    text = fuzzy + "".join(unit.format(*pair) for pair in random_pairs(200))
    (tmp_path / "train.po").write_text(text)
    catalogue = {"format": "po", "path": str(tmp_path / "train.po")}
    run = train(tiny_recipe(corpus, **{"corpus.files.train": catalogue}), tmp_path / "run")
    assert run.sha256 == finished.sha256


def test_a_finished_run_leaves_everything(finished: TrainResult) -> None:
    run = finished.run
    final = run / "final"
    names = {path.name for path in final.iterdir()}
    assert names == {"model.safetensors", "recipe.yaml", "tokenizer.model", "state.json"}
    for name in ("recipe.yaml", "tokenizer.model", "metrics.jsonl", "data", "tensorboard"):
        assert (run / name).exists()
    state = json.loads((final / "state.json").read_text())
    assert state["reason"] == "the budget is spent"
    assert finished.sha256 == state["sha256"]["model.safetensors"]
    assert [score.metric for score in finished.scores] == ["BLEU", "chrF2"]
    assert finished.scores[0].test_set == "own:en-de:validation"
    assert yaml.safe_load((final / "recipe.yaml").read_text())["name"] == "tiny"


def test_it_evaluates_on_time_and_at_the_end(finished: TrainResult) -> None:
    assert [e.update for e in finished.state.history] == [10, 20, 25]
    assert finished.state.epochs == pytest.approx(25 / finished.state.per_epoch)
    assert finished.state.update == 25


def test_it_learns(finished: TrainResult) -> None:
    text = (finished.run / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "training"]
    assert len(losses) == 25
    assert losses[0] > 3.5
    assert losses[-1] < losses[0] - 0.8


def test_only_the_checkpoints_that_are_needed_are_kept(finished: TrainResult) -> None:
    folders = checkpoint_folders(finished.run / "checkpoints")
    best = finished.state.best(1)[0].update
    assert {int(f.name.removeprefix("update-")) for f in folders} == {best, 20, 25}


def test_final_is_the_average_of_the_last_two(finished: TrainResult) -> None:
    trained = load_trained(finished.run)
    facts = json.loads((finished.run / "final" / "state.json").read_text())
    if facts["averaged"] == [20, 25]:
        parts = [
            read_checkpoint(finished.run / "checkpoints" / f"update-00000{update}").model_tensors()
            for update in (20, 25)
        ]
        for name, tensor in trained.model.state_dict().items():
            torch.testing.assert_close(tensor, (parts[0][name] + parts[1][name]) / 2)
    else:  # the best single one scored higher
        assert facts["averaged"] == [finished.state.best(1)[0].update]
    assert facts["scores"][0]["value"] >= finished.state.best(1)[0].bleu - 1e-9


def test_a_trained_model_translates_and_a_checkpoint_does_too(finished: TrainResult) -> None:
    for path in (finished.run, finished.run / "final", finished.run / "checkpoints/update-0000020"):
        trained = load_trained(path)
        assert not trained.model.training
        assert trained.recipe.name == "tiny"
        stepper = TorchStepper(trained.model, trained.tokenizer.never_emitted())
        found = translate_sentences(stepper, trained.tokenizer, ["the cat sees a dog"])
        assert len(found) == 1
    assert load_trained(finished.run).sha256 == finished.sha256
    assert [s.metric for s in load_trained(finished.run).scores] == ["BLEU", "chrF2"]


def test_the_same_command_again_reuses_it(
    run: Path, corpus: Path, finished: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "final" / "state.json").stat().st_mtime_ns
    again = train(tiny_recipe(corpus), run)
    assert again.sha256 == finished.sha256
    assert again.scores == finished.scores
    assert again.finished
    assert (run / "final" / "state.json").stat().st_mtime_ns == before
    assert "already finished: the budget is spent" in capsys.readouterr().err
    assert again.summary().startswith("BLEU ")
    assert "after 25 updates, the budget is spent; peak memory " in again.summary()
    assert again.summary().endswith(f"next: seq2serve evaluate {run}")
    assert again.state.peak_rss_mib > 100


def test_a_finished_run_says_that_its_text_has_changed(
    run: Path, corpus: Path, finished: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    path = corpus / "train.de"
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"eine neue Zeile\n")
        assert train(tiny_recipe(corpus), run).sha256 == finished.sha256
        warning = capsys.readouterr().err.splitlines()[-1]
        assert warning.startswith(f"warning: {path}: changed since; ")
        path.unlink()
        assert train(tiny_recipe(corpus), run).sha256 == finished.sha256
        assert "warning" not in capsys.readouterr().err
    finally:
        path.write_bytes(before)


def test_a_larger_budget_continues_and_equals_one_long_run(
    run: Path, corpus: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(corpus, **{"training.max_updates": 30, "evaluation.every_updates": 5})
    longer = train(recipe, run)
    assert longer.state.update == 30
    straight = train(recipe, tmp_path / "straight")
    last = [read_checkpoint(r / "checkpoints/update-0000030") for r in (run, straight.run)]
    assert last[0].sha256 == last[1].sha256


def test_another_recipe_is_refused_by_its_keys(run: Path, corpus: Path) -> None:
    changed = tiny_recipe(corpus, **{"model.d_ff": 32, "optimizer.learning_rate": 0.02})
    with pytest.raises(CheckpointError) as refusal:
        train(changed, run)
    assert "differs in model.d_ff, optimizer.learning_rate" in str(refusal.value)
    assert "another folder" in str(refusal.value)
    shutil.rmtree(run / "checkpoints")  # what is left in final is protected as well
    with pytest.raises(CheckpointError, match=r"differs in model\.d_ff"):
        train(changed, run)


def test_another_vocabulary_is_refused(run: Path, corpus: Path) -> None:
    shutil.rmtree(run / "final")
    texts = [text for pair in random_pairs(200) for text in pair]
    other = train_subwords(texts, SubwordsConfig(vocab_size=70))
    (run / "tokenizer.model").write_bytes(other.model)
    with pytest.raises(CheckpointError, match="not the vocabulary the checkpoints were trained"):
        train(tiny_recipe(corpus), run)
    (run / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model is missing"):
        train(tiny_recipe(corpus), run)
    with pytest.raises(CheckpointError, match=r"lacks tokenizer\.model"):
        load_trained(run)


def test_another_text_is_refused(run: Path, corpus: Path) -> None:
    shutil.rmtree(run / "final")
    path = corpus / "train.de"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"katze", b"kater"))
        with pytest.raises(CheckpointError, match="trained on other text than own holds now"):
            train(tiny_recipe(corpus), run)
    finally:
        path.write_bytes(before)


def test_a_damaged_newest_checkpoint_falls_back_with_a_warning(
    run: Path, corpus: Path, finished: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "final")
    damaged = run / "checkpoints" / "update-0000025" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    result = train(tiny_recipe(corpus), run)
    assert result.sha256 == finished.sha256
    said = capsys.readouterr().err
    assert "model.safetensors was changed (sha256 differs); continuing from the one before" in said
    assert "continuing after update 20" in said


def test_a_run_without_a_whole_checkpoint_does_not_start_over(run: Path, corpus: Path) -> None:
    shutil.rmtree(run / "final")
    for folder in checkpoint_folders(run / "checkpoints"):
        (folder / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"no whole checkpoint.*to start over"):
        train(tiny_recipe(corpus), run)


def test_leftovers_of_a_killed_writer_are_cleaned(run: Path, corpus: Path) -> None:
    shutil.rmtree(run / "final")
    leftover = run / "checkpoints" / ".update-0000099.tmp"
    leftover.mkdir()
    train(tiny_recipe(corpus), run)
    assert not leftover.exists()


def test_prepared_data_are_reused_and_remade_when_the_recipe_changes(
    corpus: Path, tmp_path: Path
) -> None:
    shorter = {"training.max_updates": 1}
    train(tiny_recipe(corpus, **shorter), tmp_path)
    made = (tmp_path / "data" / "src.ids").stat().st_ino
    for name in ("checkpoints", "final"):
        shutil.rmtree(tmp_path / name)
    train(tiny_recipe(corpus, **shorter), tmp_path)
    assert (tmp_path / "data" / "src.ids").stat().st_ino == made
    for name in ("checkpoints", "final"):
        shutil.rmtree(tmp_path / name)
    train(tiny_recipe(corpus, **shorter, **{"subwords.vocab_size": 70}), tmp_path)
    assert (tmp_path / "data" / "src.ids").stat().st_ino != made
    assert load_trained(tmp_path).tokenizer.vocab_size == 70


def test_what_cleaning_and_the_length_limit_drop_is_said(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny_recipe(corpus, **{"batching.max_length": 20, "training.max_updates": 1})
    train(recipe, tmp_path)
    said = capsys.readouterr().err
    dropped = json.loads((tmp_path / "data" / "dataset.json").read_text())["dropped_too_long"]
    assert 0 < dropped < 200
    assert "read 200 pairs, kept 200" in said
    assert f"; {dropped} pairs were longer than 20" in said


def test_one_run_is_trained_by_one_process(corpus: Path, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CheckpointError, match="is in use by another process"):
            train(tiny_recipe(corpus), tmp_path)


def test_a_file_in_the_run_s_place_is_an_error(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(CheckpointError, match="cannot be used as a run's folder"):
        train(tiny_recipe(corpus), tmp_path / "run")


def test_what_the_disk_refuses_is_one_clear_error(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: Is a directory; mend that"):
        train(tiny_recipe(corpus), tmp_path)


def test_an_unknown_validation_split_is_refused_before_any_work(
    corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.split: own has no split dev, only train"):
        train(tiny_recipe(corpus, **{"evaluation.split": "dev"}), tmp_path)
    assert not (tmp_path / "data").exists()


def test_pairs_that_are_all_too_long_are_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no training pair is left: 200 have more than 2"):
        train(tiny_recipe(corpus, **{"batching.max_length": 2}), tmp_path)


def test_patience_ends_a_run(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"evaluation.every_updates": 2, "evaluation.patience": 3}
    flat = tiny_recipe(corpus, **changes, **{"optimizer.learning_rate": 1e-12})
    result = train(flat, tmp_path)
    assert result.reason == "no better validation score in 3 evaluations"
    assert result.state.update == 8  # the first score is the best, three more are not better


def test_without_a_cadence_every_epoch_is_evaluated(corpus: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        corpus,
        **{
            "evaluation.every_updates": None,
            "training.max_updates": None,
            "training.max_epochs": 2,
        },
    )
    result = train(recipe, tmp_path)
    per_epoch = result.state.per_epoch
    assert [e.update for e in result.state.history] == [per_epoch, 2 * per_epoch]


def test_minutes_are_training_minutes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that moves 0.5 s at each look, an update takes 0.5 s and evaluation nothing."""
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 0.5
        return now

    monkeypatch.setattr("training.train.time.perf_counter", tick)
    recipe = tiny_recipe(
        corpus,
        **{
            "training.max_updates": None,
            "training.max_minutes": 0.1,
            "evaluation.every_updates": None,
            "evaluation.every_minutes": 0.04,
        },
    )
    result = train(recipe, tmp_path)
    assert result.state.seconds == pytest.approx(6.0)
    assert [e.update for e in result.state.history] == [6, 12]


def test_waiting_for_the_device_is_training(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that only the device's work moves, which is waited for where its result is read."""
    now = 0.0

    def wait(_: Updated) -> bool:
        nonlocal now
        now += 0.25
        return True

    monkeypatch.setattr("training.train.time.perf_counter", lambda: now)
    monkeypatch.setattr(Updated, "is_finite", wait)
    result = train(tiny_recipe(corpus), tmp_path)
    assert result.state.seconds == 25 * 0.25


def test_a_loss_that_is_not_finite_skips_the_update_and_then_stops_with_advice(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def sometimes_infinite(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        loss: torch.Tensor = batch_loss(*arguments)
        return loss * math.inf if calls in (2, 3) or calls >= 6 else loss

    monkeypatch.setattr(training.objective, "batch_loss", sometimes_infinite)
    recipe = tiny_recipe(corpus, **{"training.max_bad_updates": 2, "evaluation.every_updates": 5})
    with pytest.raises(ConfigError, match=r"not finite in 3 updates in a row.*learning_rate"):
        train(recipe, tmp_path)
    saved, _ = newest_checkpoint(tmp_path / "checkpoints")
    assert saved is not None
    assert saved.state.update == 5
    assert saved.state.bad_updates == 0
    assert all(torch.isfinite(tensor).all() for tensor in saved.model_tensors().values())


def test_a_stop_request_saves_and_the_same_command_ends_the_run(
    corpus: Path, tmp_path: Path, finished: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopRequest, "__bool__", lambda self: True)
    stopped = train(tiny_recipe(corpus), tmp_path)
    assert not stopped.finished
    assert stopped.reason == "stopped by a signal"
    assert "the same command continues" in stopped.summary()
    monkeypatch.undo()
    assert train(tiny_recipe(corpus), tmp_path).sha256 == finished.sha256


def test_the_gru_trains_and_opens_too(corpus: Path, tmp_path: Path) -> None:
    gru = {
        "family": "gru",
        "embedding_size": 12,
        "encoder_size": 8,
        "decoder_size": 16,
        "attention_size": 8,
    }
    recipe = tiny_recipe(corpus, model=gru, **{"training.max_updates": 4})
    result = train(recipe, tmp_path)
    trained = load_trained(tmp_path)
    assert trained.sha256 == result.sha256
    assert to_values(trained.recipe) == to_values(recipe)


def test_bfloat16_trains(corpus: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(corpus, **{"training.precision": "bf16", "training.max_updates": 6})
    result = train(recipe, tmp_path)
    weights = read_checkpoint(tmp_path / "checkpoints/update-0000006").model_tensors()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert result.finished


def test_each_evaluation_is_told_once_it_is_saved_and_may_end_the_sitting(
    corpus: Path, tmp_path: Path, finished: TrainResult
) -> None:
    told = []

    def stop_at_twenty(state: RunState) -> None:
        told.append((state.update, state.history[-1].bleu))
        assert (tmp_path / f"checkpoints/update-{state.update:07d}/state.json").is_file()
        if state.update == 20:
            raise EOFError

    with pytest.raises(EOFError):
        train(tiny_recipe(corpus), tmp_path, stop_at_twenty)
    assert train(tiny_recipe(corpus), tmp_path).sha256 == finished.sha256
    assert told == [(e.update, e.bleu) for e in finished.state.history[:2]]


def test_scores_of_another_evaluation_choose_nothing(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best of all was BLEU of one sentence, and is forgotten once twelve are scored."""

    def perfect(*_: object) -> list[Score]:
        return [bleu(["a b c d"], ["a b c d"])]

    first = tiny_recipe(corpus, **{"evaluation.sentences": 1, "training.max_updates": 10})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SCORES, perfect)
        train(first, tmp_path)
    best = {"evaluation.sentences": 12, "training.average": "best", "training.average_count": 1}
    result = train(tiny_recipe(corpus, **best), tmp_path)
    assert [e.update for e in result.state.history] == [20, 25]
    assert max(e.bleu for e in result.state.history) < 100
    assert "scores from before are not compared" in capsys.readouterr().err
    longer = {**best, "training.max_updates": 26}
    assert len(train(tiny_recipe(corpus, **longer), tmp_path).state.history) == 3


def test_a_moving_average_is_scored_and_kept_and_survives_a_stop(
    corpus: Path, tmp_path: Path, finished: TrainResult
) -> None:
    recipe = tiny_recipe(corpus, **{"optimizer.ema_decay": 0.8})

    def stop_at_ten(state: RunState) -> None:
        raise EOFError

    whole = train(recipe, tmp_path / "whole")
    with pytest.raises(EOFError):
        train(recipe, tmp_path / "stopped", stop_at_ten)
    assert train(recipe, tmp_path / "stopped").sha256 == whole.sha256 != finished.sha256
    folder = tmp_path / "whole/checkpoints/update-0000025"
    averaged = read_checkpoint(folder).model_tensors()
    in_training = read_tensors(folder / "training.safetensors")
    plain = read_checkpoint(finished.run / "checkpoints/update-0000025").model_tensors()
    for name, tensor in in_training.items():
        assert torch.equal(tensor, plain[name])  # the average does not touch training
    assert not all(torch.equal(averaged[name], tensor) for name, tensor in in_training.items())


def test_a_run_may_start_from_the_weights_of_another(
    corpus: Path, tmp_path: Path, finished: TrainResult
) -> None:
    changes = {"initialise_from": str(finished.run), "training.max_updates": 1}
    recipe = tiny_recipe(corpus, **{**changes, "optimizer.learning_rate": 1e-12})
    result = train(recipe, tmp_path)
    assert result.final is not None
    mine, theirs = read_checkpoint(result.final), read_checkpoint(finished.run / "final")
    for name, tensor in mine.model_tensors().items():
        torch.testing.assert_close(tensor, theirs.model_tensors()[name])
    with pytest.raises(CheckpointError, match=r"nowhere"):
        train(tiny_recipe(corpus, initialise_from="nowhere"), tmp_path / "other")


def test_it_may_not_start_from_a_run_of_another_vocabulary(
    corpus: Path, tmp_path: Path, finished: TrainResult
) -> None:
    changes = {"initialise_from": str(finished.run), "subwords.vocab_size": 70}
    with pytest.raises(CheckpointError, match=r"initialise_from.*subwords\.model"):
        train(tiny_recipe(corpus, **changes), tmp_path)


def test_milestones_are_kept_beside_the_checkpoints(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 0.5
        return now

    monkeypatch.setattr("training.stopwatch.time.process_time", tick)
    minutes = {"training.keep_at_minutes": [2.75 / 60, 6 / 60, 99]}
    result = train(tiny_recipe(corpus, **minutes), tmp_path)
    kept = checkpoint_folders(tmp_path / "milestones")
    assert [read_checkpoint(folder).state.cpu_seconds for folder in kept] == [3.0, 6.0]
    assert [read_checkpoint(folder).state.update for folder in kept] == [6, 12]
    assert load_trained(kept[0]).state.update == 6
    assert result.state.cpu_seconds == pytest.approx(12.5)


def test_milestones_of_a_killed_pass_are_made_again(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sitting takes 0.5 s an update and is killed before the score of update 20; the
    second goes on from update 10 and takes 0.25.
    """
    now, step, milestones = 0.0, 0.5, tmp_path / "milestones"

    def tick() -> float:
        nonlocal now
        now += step
        return now

    def kept() -> list[int]:
        return [read_checkpoint(folder).state.update for folder in checkpoint_folders(milestones)]

    def killed(*_: object) -> list[Score]:
        raise EOFError

    recipe = tiny_recipe(corpus, **{"training.keep_at_minutes": [3 / 60, 6.5 / 60]})
    monkeypatch.setattr("training.stopwatch.time.process_time", tick)
    with pytest.raises(EOFError):
        train(recipe, tmp_path, lambda _: monkeypatch.setattr(SCORES, killed))
    assert kept() == [6, 13]
    (milestones / ".update-0000019.tmp").mkdir()
    monkeypatch.setattr(SCORES, validation_scores)
    step = 0.25
    train(recipe, tmp_path)
    assert kept() == [6, 16]
    assert len(list(milestones.iterdir())) == 2


def test_a_score_that_is_saved_has_its_line(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kills a run between two writes."""

    def killed(*_: object) -> None:
        raise EOFError

    with monkeypatch.context() as patch:
        patch.setattr("training.train.prune", killed)
        with pytest.raises(EOFError):
            train(tiny_recipe(corpus), tmp_path)
    train(tiny_recipe(corpus), tmp_path)
    text = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["update"] for line in lines if line["kind"] == "validation"] == [10, 20, 25]
