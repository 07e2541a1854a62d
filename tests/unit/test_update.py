"""One update: a batch that does not fit, a loss that is no number, and what is kept of it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mt.errors import ConfigError
from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import Batch, updates
from training.models.seq2seq import Seq2Seq
from training.prepare import prepare
from training.session import Session
from training.update import BadUpdates, update_weights


def session(tmp_path: Path, **changes: Any) -> Session:
    write_corpus(tmp_path)
    recipe = tiny_recipe(tmp_path, **{"model.dropout": 0.0, "optimizer.eps": 0.01, **changes})
    return Session(recipe, tmp_path / "run", prepare(recipe, tmp_path / "run", None), None)


def first_update(s: Session) -> Any:
    return next(updates(s.prepared.dataset, s.recipe.batching, s.recipe.seed))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_a_batch_that_does_not_fit_is_split_and_moves_the_weights_alike(
    tmp_path: Path, error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, split = session(tmp_path), session(tmp_path)
    objective = split.objective

    def small_batches_only(model: Seq2Seq, batch: Batch) -> Tensor:
        loss = objective(model, batch)
        if len(batch.src) > 4:
            loss.backward()  # type: ignore[no-untyped-call]
            raise error  # after half the work: nothing of it may count
        return loss

    split.objective = small_batches_only
    step = first_update(whole)
    assert len(step.batches[0].src) > 8
    expected, found = update_weights(whole, step), update_weights(split, step)
    torch.testing.assert_close((found.loss, found.norm), (expected.loss, expected.norm))
    assert found.tokens == expected.tokens
    for mine, other in zip(split.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
    assert "ran out of memory; split into 4 batches" in capfd.readouterr().err


def test_a_single_pair_that_does_not_fit_is_an_error_with_advice(tmp_path: Path) -> None:
    s = session(tmp_path)

    def never(model: Seq2Seq, batch: Batch) -> Tensor:
        raise MemoryError

    s.objective = never
    with pytest.raises(ConfigError, match=r"single pair.*batching\.max_length"):
        update_weights(s, first_update(s))


def test_other_errors_pass_through(tmp_path: Path) -> None:
    s = session(tmp_path)

    def wrong(model: Seq2Seq, batch: Batch) -> Tensor:
        raise RuntimeError("shapes do not match")

    s.objective = wrong
    with pytest.raises(RuntimeError, match="shapes do not match"):
        update_weights(s, first_update(s))


def test_a_bad_update_moves_nothing_and_its_pairs_are_saved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    s = session(tmp_path, **{"optimizer.ema_decay": 0.9})
    objective = s.objective
    s.objective = lambda model, batch: objective(model, batch) * math.nan
    before = [weights.clone() for weights in s.model.parameters()]
    step = first_update(s)
    updated, bad = update_weights(s, step), BadUpdates(s)
    bad.add(updated)
    bad.read()
    assert all(map(torch.equal, before, s.model.parameters()))
    assert s.state.bad_updates == 1
    path = tmp_path / "run/bad-updates/update-0000001.json"
    assert str(path) in capfd.readouterr().err
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert [pair["pair"] for pair in saved["pairs"]] == list(step.pairs)
    first = saved["pairs"][0]
    assert first["source_ids"] == s.prepared.dataset.src[first["pair"]].tolist()
    assert first["source"] == s.prepared.tokenizer.decode(first["source_ids"])

    s.objective = objective
    bad.add(update_weights(s, step))
    bad.read()
    assert s.state.bad_updates == 0
    assert not all(map(torch.equal, before, s.model.parameters()))
