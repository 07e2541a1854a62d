"""What holds for every epoch of every corpus."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import batching
from training.batching import BatchingConfig, Epoch, plan_epoch, updates
from training.dataset import TokenDataset, open_dataset, write_dataset

LENGTHS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.integers(30, 200), st.integers(0, 9), st.integers(0, 9))
def test_every_pair_once_within_budget_and_reproducible(
    lengths: list[tuple[int, int]], max_tokens: int, seed: int, epoch: int
) -> None:
    src, tgt = np.array(lengths).T
    plan = plan_epoch(src, tgt, max_tokens, seed, epoch)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) * tgt[batch].max() <= max_tokens
        assert len(batch) * src[batch].max() <= 2 * max_tokens
    again = plan_epoch(src, tgt, max_tokens, seed, epoch)
    assert [b.tolist() for b in again] == [b.tolist() for b in plan]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    lengths = np.full(50, 5)
    orders = {
        tuple(np.concatenate(plan_epoch(lengths, lengths, 50, seed, epoch)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_sentences_of_like_length_stand_together() -> None:
    draw = np.random.default_rng(0)
    tgt = draw.integers(2, 40, 2000)
    plan = plan_epoch(tgt + draw.integers(-1, 5, 2000), tgt, 400, seed=1, epoch=0)
    padded = sum(len(batch) * tgt[batch].max() for batch in plan)
    assert tgt.sum() / padded > 0.95


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> TokenDataset:
    folder: Path = tmp_path_factory.mktemp("data") / "data"
    draw = np.random.default_rng(0)
    sentences = [draw.integers(4, 9, draw.integers(1, 9)).tolist() for _ in range(300)]
    write_dataset(folder, ((ids, ids[::-1]) for ids in sentences), 64, {})
    return open_dataset(folder)


@settings(deadline=None, max_examples=40)
@given(st.integers(20, 400), st.integers(1, 3), st.integers(0, 3), st.integers(0, 60))
def test_an_epoch_in_blocks_has_every_pair_once_and_goes_on_anywhere(
    dataset: TokenDataset, block: int, together: int, epoch: int, position: int
) -> None:
    config = BatchingConfig(max_tokens=64, accumulate=together)
    with mock.patch.object(batching, "BLOCK", 70):
        planned = Epoch(dataset, config, seed=1, epoch=epoch, block=block)
        whole = [np.concatenate(group).tolist() for group in planned.after(0)]
        rest = [np.concatenate(group).tolist() for group in planned.after(position)]
    assert sorted(pair for group in whole for pair in group) == list(range(300))
    assert len(planned) == len(whole)
    assert rest == whole[position:]


def test_blocks_are_drawn_anew_in_every_epoch(dataset: TokenDataset) -> None:
    config = BatchingConfig(max_tokens=64)
    firsts = []
    for epoch in range(2):
        planned = Epoch(dataset, config, seed=1, epoch=epoch, block=100)
        firsts.append({pair for group in list(planned.after(0))[:5] for pair in group[0].tolist()})
    assert len(firsts[0] & firsts[1]) < min(map(len, firsts))


def test_a_stream_of_updates_passes_from_block_to_block_and_epoch_to_epoch(
    dataset: TokenDataset,
) -> None:
    config = BatchingConfig(max_tokens=64)
    with mock.patch.object(batching, "BLOCK", 100):
        stream = updates(dataset, config, seed=1)
        first = next(stream)
        steps = [first, *(next(stream) for _ in range(2 * first.per_epoch))]
        again = updates(dataset, config, seed=1, epoch=0, position=first.per_epoch - 1)
        assert next(again).pairs == steps[first.per_epoch - 1].pairs
        assert next(again).pairs == steps[first.per_epoch].pairs
    assert steps[first.per_epoch].epoch == 1
