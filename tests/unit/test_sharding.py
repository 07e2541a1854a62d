"""Sharded training: the losses of one worker, and checkpoints that either kind continues."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from mt.errors import ConfigError
from tests.tiny_run import recipe_values, tiny_recipe, write_corpus
from training.batching import Share, collate
from training.loss import batch_loss
from training.models import build_model
from training.recipe import Recipe
from training.train import train

WORKERS = 2
CHANGES: dict[str, Any] = {"model.dropout": 0.0, "evaluation.every_updates": 4}


def worker(rank: int, recipe: Recipe, run: Path, meeting: Path) -> None:
    """One of the workers, as Ray would start it; its share of the weights is written down."""
    import torch.distributed as dist

    from training import distributed, session
    from training.sharding import Shards

    class Measured(Shards):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            mine = sum(one.numel() for one in self._locals)
            (run / f"share-{rank}").write_text(str(mine))

    pytest.MonkeyPatch().setattr(session, "Shards", Measured)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=WORKERS)
    distributed.take_part(recipe, run, threads=1)


def train_sharded(recipe: Recipe, run: Path) -> None:
    meeting = run.with_name(f"meeting-{recipe.training.max_updates}")
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=worker, args=(rank, recipe, run, meeting)) for rank in range(WORKERS)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join(300)
    assert [one.exitcode for one in workers] == [0] * WORKERS
    assert not (run / ".failure.json").exists()


def losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {line["update"]: line["loss"] for line in map(json.loads, lines) if "loss" in line}


@pytest.mark.slow
def test_shards_have_the_losses_of_one_worker_and_the_same_checkpoints(tmp_path: Path) -> None:
    write_corpus(tmp_path)

    def recipe(updates: int, sharded: bool) -> Recipe:
        given = {"training.max_updates": updates, "training.sharded": sharded}
        return tiny_recipe(tmp_path, **CHANGES, **given)

    train(recipe(14, sharded=False), tmp_path / "one")
    run = tmp_path / "two"
    train_sharded(recipe(5, sharded=True), run)
    train(recipe(10, sharded=False), run)  # one worker goes on from the shards' checkpoint
    train_sharded(recipe(14, sharded=True), run)  # and they from its
    assert sorted(losses(run)) == list(range(1, 15))
    assert losses(run) == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    whole = sum(one.numel() for one in build_model(recipe(5, True).model, 80).parameters())
    shares = [int((run / f"share-{rank}").read_text()) for rank in range(WORKERS)]
    assert sum(shares) == whole
    assert max(shares) < 0.51 * whole


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer.ema_decay": 0.9},
        {"training.compile": True},
        {"loss.minimum_risk": {}},
        {"loss.pretraining": {"objective": "denoising"}},
    ],
)
def test_what_does_not_go_with_shards_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=f"training.sharded does not go with {next(iter(changes))}"
    ):
        tiny_recipe(tmp_path, **{"training.sharded": True}, **changes)


def test_every_worker_has_a_part_of_every_batch() -> None:
    group = [torch.arange(5).numpy(), torch.arange(5, 6).numpy()]
    first, second = (Share(rank, 2, by_rows=True).of(group) for rank in range(2))
    assert [list(rows) for rows in first] == [[0, 2, 4], [5]]
    assert [list(rows) for rows in second] == [[1, 3], []]


def test_a_silent_batch_has_no_loss_and_gradients_of_zero(tmp_path: Path) -> None:
    model = build_model(Recipe.model_validate(recipe_values(tmp_path)).model, 80)
    ids = torch.tensor([5, 6, 7], dtype=torch.int32).numpy()
    silent = collate([ids], [ids]).silent()
    assert silent.target_tokens == 0
    loss = batch_loss(model, silent, 0.1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0.0
    assert all(not one.grad.any() for one in model.parameters() if one.grad is not None)


def test_memory_that_does_not_suffice_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import update
    from training.session import Session

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(update, "_gradients", fail)
    session = Session.__new__(Session)
    session.shards = object()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"lower batching\.max_tokens"):
        update.gradients(session, [], 1)
