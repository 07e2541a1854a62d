"""Checkpoints: whole or not at all, verified, exact, averaged, pruned."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from mt.errors import CheckpointError
from tests.tiny_models import tiny_gru, tiny_transformer
from training import durable_files
from training.budget import Evaluation, RunState, Sitting
from training.checkpoint import (
    Origin,
    average,
    checkpoint_folders,
    find_checkpoint,
    newest_checkpoint,
    prune,
    read_checkpoint,
    save_checkpoint,
    sha256_of_model,
)
from training.models.seq2seq import Seq2Seq
from training.optimizer import OptimizerConfig, build_optimizer
from training.schedule import PlateauState
from training.tensors import (
    load_model_tensors,
    model_tensors,
    random_states,
    restore_random_states,
    seed_everything,
)

ORIGIN = Origin({"seed": 1}, {"train.en": "abc"}, "def")


def stepped(model: Seq2Seq) -> torch.optim.AdamW:
    """An optimizer with a memory."""
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.01))
    model(torch.tensor([[5, 3]]), torch.tensor([[2, 6]])).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def save(checkpoints: Path, update: int, seed: int = 0, **fields: object) -> Path:
    model = tiny_transformer(seed)
    state = RunState(update=update, **fields)  # type: ignore[arg-type]
    return save_checkpoint(checkpoints, model, stepped(model), state, ORIGIN)


@pytest.mark.parametrize("build", [tiny_transformer, tiny_gru])
def test_weights_optimizer_and_random_states_come_back(tmp_path: Path, build: type) -> None:
    model = build(seed=1)
    optimizer = stepped(model)
    seed_everything(5)
    folder = save_checkpoint(tmp_path, model, optimizer, RunState(update=3), ORIGIN)
    drawn = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())

    other = build(seed=2)
    other_optimizer = build_optimizer(other, OptimizerConfig(learning_rate=0.01))
    read_checkpoint(folder).restore(other, other_optimizer)
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == drawn
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    before, after = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
    assert before.keys() == after.keys()
    for index, memory in before.items():
        assert all(torch.equal(value, after[index][name]) for name, value in memory.items())


def test_the_state_comes_back(tmp_path: Path) -> None:
    state = RunState(
        update=30,
        epoch=2,
        position=4,
        per_epoch=13,
        seconds=1.5,
        history=[Evaluation(10, 1.25), Evaluation(20, 2.5)],
        plateau=PlateauState(0.5, 2.5, 1),
        sittings=[Sitting(0, None, {"cores": 2}), Sitting(20, "abc", {"cores": 4})],
    )
    model = tiny_transformer()
    folder = save_checkpoint(tmp_path, model, stepped(model), state, ORIGIN)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.state == state
    assert checkpoint.origin == ORIGIN
    assert folder.name == "update-0000030"


def test_a_state_from_before_sittings_were_noted_is_read(tmp_path: Path) -> None:
    folder = save(tmp_path, 5)
    facts = json.loads((folder / "state.json").read_text())
    del facts["state"]["sittings"]
    (folder / "state.json").write_text(json.dumps(facts))
    assert read_checkpoint(folder).state == RunState(update=5)


def test_a_state_before_any_score_is_valid_json(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    text = (folder / "state.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read_checkpoint(folder).state.plateau == PlateauState()


def test_random_states_survive_json() -> None:
    seed_everything(11)
    states = json.loads(json.dumps(random_states()))
    drawn = (torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random())
    restore_random_states(states)
    assert (torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random()) == drawn


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    model = tiny_transformer(tie_embeddings="three-way")
    numbers = sum(tensor.numel() for tensor in model_tensors(model).values())
    assert numbers == sum(weights.numel() for weights in model.parameters())
    other = tiny_transformer(seed=9, tie_embeddings="three-way")
    load_model_tensors(other, model_tensors(model), "here")
    src, tgt = torch.tensor([[5, 3]]), torch.tensor([[2, 6]])
    assert torch.equal(model(src, tgt), other(src, tgt))


def test_other_weights_are_refused() -> None:
    with pytest.raises(CheckpointError, match="here holds other weights than the recipe's model"):
        load_model_tensors(tiny_transformer(), model_tensors(tiny_gru()), "here")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_a_changed_file_is_named(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path, 5)
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=f"{name} was changed"):
        read_checkpoint(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": {}}', '{"sha256": 3}'])
def test_a_broken_state_is_refused(tmp_path: Path, text: str) -> None:
    folder = save(tmp_path, 5)
    (folder / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(folder)


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) == (None, [])
    for update in (5, 10, 100):
        save(tmp_path, update)
    (tmp_path / "update-0000100" / "optimizer.safetensors").unlink()
    newest, problems = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.state.update == 10
    assert len(problems) == 1
    assert "update-0000100" in problems[0]


def test_pruning_keeps_the_chosen_and_the_two_newest(tmp_path: Path) -> None:
    for update in (1, 2, 3, 4, 5):
        save(tmp_path, update)
    prune(tmp_path, [2])
    names = [folder.name for folder in checkpoint_folders(tmp_path)]
    assert names == ["update-0000002", "update-0000004", "update-0000005"]
    assert not list(tmp_path.glob(".*"))


def test_the_average_is_the_mean(tmp_path: Path) -> None:
    checkpoints = [read_checkpoint(save(tmp_path, i, seed=i)) for i in (1, 2, 3)]
    averaged = average(checkpoints)
    parts = [checkpoint.model_tensors() for checkpoint in checkpoints]
    for name, tensor in averaged.items():
        expected = torch.stack([part[name] for part in parts]).mean(0)
        assert tensor.dtype == expected.dtype
        torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-7)


def test_the_average_of_one_is_itself(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(save(tmp_path, 1))
    for name, tensor in average([checkpoint]).items():
        assert torch.equal(tensor, checkpoint.model_tensors()[name])


def test_a_run_is_its_best_checkpoint_until_it_is_finished(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no trained model"):
        find_checkpoint(tmp_path)
    history = [Evaluation(1, 9.0)]
    save(tmp_path / "checkpoints", 1, seed=1, history=history)
    save(tmp_path / "checkpoints", 2, seed=2, history=[*history, Evaluation(2, 8.0)])
    assert find_checkpoint(tmp_path).state.update == 1
    assert find_checkpoint(tmp_path / "checkpoints" / "update-0000002").state.update == 2
    assert sha256_of_model(tmp_path) == find_checkpoint(tmp_path).sha256


def test_nothing_is_pickled(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    for path in folder.iterdir():
        if path.suffix == ".json":
            json.loads(path.read_text())
        else:
            safetensors.torch.load_file(path)


def test_a_full_disk_is_an_error_and_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable_files.write_folder(tmp_path / "one", {"a": b"old"})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.durable_files.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"one cannot be written \(No space left on device\)"):
        durable_files.write_folder(tmp_path / "one", {"a": b"new"})
    with pytest.raises(CheckpointError, match="b cannot be written"):
        durable_files.write_file(tmp_path / "b", b"new")
    assert (tmp_path / "one" / "a").read_bytes() == b"old"


def test_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".update-0000001.tmp").mkdir()
    (tmp_path / ".update-0000001.tmp" / "model.safetensors").write_bytes(b"half")
    (tmp_path / ".recipe.yaml.tmp").write_bytes(b"half")
    (tmp_path / "kept").mkdir()
    (tmp_path / ".lock").touch()
    durable_files.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "kept"]


def test_a_moving_average_is_the_model_and_the_weights_in_training_come_back(
    tmp_path: Path,
) -> None:
    model, average = tiny_transformer(seed=1), tiny_transformer(seed=2)
    folder = save_checkpoint(tmp_path, model, stepped(model), RunState(), ORIGIN, average)
    found = read_checkpoint(folder)
    fresh, fresh_average = tiny_transformer(seed=3), tiny_transformer(seed=4)
    found.restore(fresh, stepped(fresh), fresh_average)
    assert torch.equal(fresh.output.weight, model.output.weight)
    assert torch.equal(fresh_average.output.weight, average.output.weight)
