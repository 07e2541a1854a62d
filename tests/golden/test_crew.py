"""Two workers' loss curve is one worker's, although one of the two is killed on the way."""

import json
import os
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch.distributed as dist

from mt.errors import ConfigError
from tests.killable_run import SERVER
from tests.tiny_run import tiny_recipe, write_corpus
from training import distributed
from training.checkpoint import checkpoint_folders
from training.recipe import Recipe
from training.train import train

PATIENCE_S = 400
CHANGES = {
    "model.dropout": 0.0,
    "training.max_updates": 40,
    "evaluation.every_updates": 6,
    "evaluation.sentences": 1,
}


def losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {line["update"]: line["loss"] for line in map(json.loads, lines) if "loss" in line}


def work(rank: int, meeting: Path, recipe: Recipe, run: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    distributed.take_part(recipe, run, threads=1)


def start(meeting: Path, recipe: Recipe, run: Path) -> list[BaseProcess]:
    workers: list[BaseProcess] = [
        SERVER.Process(target=work, args=(rank, meeting, recipe, run)) for rank in (0, 1)
    ]
    for worker in workers:
        worker.start()
    return workers


def codes(workers: list[BaseProcess]) -> list[int | None]:
    for worker in workers:
        worker.join(PATIENCE_S)
    return [worker.exitcode for worker in workers]


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE_S)
def test_two_workers_have_the_loss_curve_of_one_though_one_is_killed(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    recipe, run = tiny_recipe(tmp_path, **CHANGES), tmp_path / "two"
    train(recipe, tmp_path / "one")
    workers = start(tmp_path / "first", recipe, run)
    deadline = time.monotonic() + PATIENCE_S
    while not checkpoint_folders(run / "checkpoints"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    workers[1].kill()
    assert codes(workers) == [1, -9]  # the first one does not go on alone
    assert max(losses(run)) < 40
    assert codes(start(tmp_path / "second", recipe, run)) == [0, 0]
    expected = losses(tmp_path / "one")
    assert sorted(losses(run)) == list(range(1, 41))
    assert losses(run) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
def test_an_error_of_the_recipe_ends_all_workers_and_keeps_its_kind(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    recipe = tiny_recipe(tmp_path, **{"evaluation.split": "nowhere"})
    assert codes(start(tmp_path / "meeting", recipe, tmp_path / "run")) == [0, 0]
    with pytest.raises(ConfigError, match="own has no split nowhere"):
        distributed._raise_noted(tmp_path / "run")
