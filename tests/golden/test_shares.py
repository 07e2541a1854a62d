"""Workers' shares of an update: together the very update that one worker makes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import Share, UpdateBatches, updates
from training.crew import ALONE
from training.prepare import prepare
from training.session import Session
from training.update import gradients


def group(*sizes: int) -> list[np.ndarray]:
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def dealt(size: int, *sizes: int) -> list[list[list[int]]]:
    shares = [Share(rank, size).of(group(*sizes)) for rank in range(size)]
    return [[rows.tolist() for rows in share] for share in shares]


def test_whole_batches_where_they_come_out_even() -> None:
    assert dealt(2, 2, 1, 1, 2) == [[[0, 1], [3]], [[2], [4, 5]]]


def test_rows_where_they_do_not_and_perhaps_none() -> None:
    assert dealt(2, 3) == [[[0, 2]], [[1]]]
    assert dealt(3, 2, 1) == [[[0], [2]], [[1]], []]


@pytest.mark.parametrize(("accumulate", "workers"), [(1, 2), (2, 2), (2, 3), (1, 40)])
def test_gradients_of_all_shares_add_up_to_those_of_one_worker(
    tmp_path: Path, accumulate: int, workers: int
) -> None:
    write_corpus(tmp_path)
    changes = {"batching.accumulate": accumulate, "model.dropout": 0.0}
    recipe = tiny_recipe(tmp_path, **changes)
    session = Session(recipe, tmp_path / "run", prepare(recipe, tmp_path / "run", None), None)

    def step(rank: int, size: int) -> UpdateBatches:
        data = session.prepared.dataset
        return next(updates(data, recipe.batching, recipe.seed, share=Share(rank, size)))

    def gradient() -> torch.Tensor:
        parts = [w.grad for w in session.model.parameters() if w.grad is not None]
        return torch.cat([part.flatten() for part in parts])

    whole = step(0, 1)
    loss = gradients(session, whole.batches, whole.target_tokens)
    expected = gradient()
    session.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros(())
    for rank in range(workers):
        share = step(rank, workers)
        assert share.target_tokens == whole.target_tokens
        assert share.pairs == whole.pairs
        total += gradients(session, share.batches, share.target_tokens)
    torch.testing.assert_close(total, loss)
    torch.testing.assert_close(gradient(), expected, rtol=1e-4, atol=1e-6)


def test_one_worker_alone_agrees_with_itself() -> None:
    assert ALONE.told(0.5) == 0.5
    assert not ALONE.is_stopped(Path())
