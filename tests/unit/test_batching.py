"""Padding, cutting and the stream of updates, by hand."""

from itertools import islice

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.tiny_run import random_pairs, tiny_tokenizer
from training.batching import Batch, BatchingConfig, collate, plan_epoch, updates
from training.dataset import TokenDataset, prepare_dataset


def ids(*values: int) -> npt.NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def sizes(tgt_lengths: list[int], src_lengths: list[int], max_tokens: int) -> list[int]:
    """Pairs in each batch, shortest first."""
    plan = plan_epoch(np.array(src_lengths), np.array(tgt_lengths), max_tokens, seed=1, epoch=0)
    return [len(b) for b in sorted(plan, key=lambda b: tgt_lengths[b[0]])]


def test_collate_pads_and_shifts() -> None:
    batch = collate([ids(5, 6), ids(7)], [ids(8), ids(9, 10)])
    assert batch.src.tolist() == [[5, 6, 3], [7, 3, 0]]
    assert batch.tgt_in.tolist() == [[2, 8, 0], [2, 9, 10]]
    assert batch.tgt_out.tolist() == [[8, 3, 0], [9, 10, 3]]
    assert batch.target_tokens == 5


def test_a_batch_moves_whole() -> None:
    moved = collate([ids(5)], [ids(6)]).to(torch.device("meta"))
    assert {part.device.type for part in (moved.src, moved.tgt_in, moved.tgt_out)} == {"meta"}


def test_batches_fill_the_budget_with_padding_counted() -> None:
    # 3 rows of 4 fit into 12; 2 rows of 6 as well; 9 stands alone
    assert sizes([4, 4, 3, 6, 6, 9], [1] * 6, max_tokens=12) == [3, 2, 1]


def test_long_sources_count_at_half_price() -> None:
    # four rows of 2 would fit into 12, but with a source of 7 only three (21 <= 24 < 28)
    assert sizes([2, 2, 2, 2], [1, 1, 1, 7], max_tokens=12) == [3, 1]
    assert sizes([2, 2, 2, 2], [1, 1, 1, 6], max_tokens=12) == [4]


def test_a_pair_over_the_budget_stands_alone() -> None:
    assert sizes([3, 50], [1, 1], max_tokens=6) == [1, 1]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> TokenDataset:
    folder = tmp_path_factory.mktemp("data") / "data"
    return prepare_dataset(folder, random_pairs(60), tiny_tokenizer(), 64, {})


def texts(batches: list[Batch]) -> list[tuple[str, str]]:
    tokenizer = tiny_tokenizer()
    return [
        (tokenizer.decode(src), tokenizer.decode(tgt))
        for batch in batches
        for src, tgt in zip(batch.src.tolist(), batch.tgt_out.tolist(), strict=True)
    ]


def test_an_epoch_of_updates_shows_every_pair_once(dataset: TokenDataset) -> None:
    config = BatchingConfig(max_tokens=120, accumulate=2)
    stream = updates(dataset, config, seed=3)
    first = next(stream)
    epoch = [first, *islice(stream, first.per_epoch - 1)]
    assert [u.position for u in epoch] == list(range(1, first.per_epoch + 1))
    assert all(len(u.batches) == 2 for u in epoch[:-1])
    shown = [text for u in epoch for text in texts(u.batches)]
    assert sorted(shown) == sorted((pair.src, pair.tgt) for pair in random_pairs(60))
    assert (next(stream).epoch, next(stream).position) == (1, 2)


def test_a_stream_may_start_anywhere(dataset: TokenDataset) -> None:
    config = BatchingConfig(max_tokens=120)
    whole = list(islice(updates(dataset, config, seed=3), 25))
    for start in (1, 5, whole[0].per_epoch, whole[0].per_epoch + 2):
        last = whole[start - 1]
        again = next(updates(dataset, config, 3, epoch=last.epoch, position=last.position))
        expected = whole[start]
        assert (again.epoch, again.position) == (expected.epoch, expected.position)
        assert texts(again.batches) == texts(expected.batches)
