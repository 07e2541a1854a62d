"""Training on Ray Train: one worker's loss curve, although a worker is killed on the way."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mt.errors import ConfigError
from tests.tiny_run import tiny_recipe, write_corpus
from training import distributed
from training.checkpoint import checkpoint_folders
from training.recipe import Recipe
from training.train import train

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CHANGES: dict[str, Any] = {
    "model.dropout": 0.0,
    "training.max_updates": 14,
    "evaluation.every_updates": 5,
}
TRAINED = distributed._work


def losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {line["update"]: line["loss"] for line in map(json.loads, lines) if "loss" in line}


def dying_once(config: dict[str, Any]) -> None:
    """What a worker does, but for the second one, which is killed after the first checkpoint."""
    import torch.distributed as dist

    run = Path(config["run"])
    if dist.get_rank() == 1:
        threading.Thread(target=die_after_a_checkpoint, args=(run,), daemon=True).start()
    TRAINED(config)


def die_after_a_checkpoint(run: Path) -> None:
    while not checkpoint_folders(run / "checkpoints"):
        time.sleep(0.01)
    mark = run / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.timeout(900)
def test_two_workers_have_the_loss_curve_of_one_though_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path)
    recipe: Recipe = tiny_recipe(tmp_path, **CHANGES)
    train(recipe, tmp_path / "one")
    monkeypatch.setattr(distributed, "_work", dying_once)
    result = distributed.train_together(recipe, tmp_path / "two", workers=2)
    assert result.finished
    assert (tmp_path / "two" / "killed").exists()
    expected = losses(tmp_path / "one")
    assert sorted(expected) == list(range(1, 15))
    assert losses(tmp_path / "two") == pytest.approx(expected, rel=1e-3)
    monkeypatch.setattr(distributed, "_work", TRAINED)
    longer = CHANGES | {"training.max_updates": 18}
    train(tiny_recipe(tmp_path, **longer), tmp_path / "one")
    in_parts = tiny_recipe(tmp_path, **longer | {"training.sharded": True})
    distributed.train_together(in_parts, tmp_path / "two", workers=2)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    assert sorted(losses(tmp_path / "two")) == list(range(1, 19))


@pytest.mark.timeout(600)
def test_more_workers_than_cores_are_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    with pytest.raises(ConfigError, match="need 1000 cores, but Ray has"):
        distributed.train_together(tiny_recipe(tmp_path), tmp_path / "run", workers=1000)
