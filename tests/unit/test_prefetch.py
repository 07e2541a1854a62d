"""Updates made ahead are the updates of the stream, and nothing is left running."""

import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest
import torch

from tests.tiny_run import random_pairs, tiny_tokenizer
from training.batching import BatchingConfig, UpdateBatches, updates
from training.dataset import prepare_dataset
from training.prefetch import Prefetcher, prepared_ahead


def stream(folder: Path) -> Iterator[UpdateBatches]:
    dataset = prepare_dataset(folder / "data", random_pairs(60), tiny_tokenizer(), 64, {})
    return updates(dataset, BatchingConfig(max_tokens=120, accumulate=2), seed=3)


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("depth", [1, 4])
def test_the_same_updates_come_in_the_same_order(tmp_path: Path, depth: int) -> None:
    with Prefetcher(stream(tmp_path), depth) as ahead:
        for found, expected in zip(islice(ahead, 30), stream(tmp_path), strict=False):
            assert (found.epoch, found.position) == (expected.epoch, expected.position)
            assert found.pairs == expected.pairs
            for mine, plain in zip(found.batches, expected.batches, strict=True):
                assert mine.src.tolist() == plain.src.tolist()
                assert mine.tgt_in.tolist() == plain.tgt_in.tolist()
                assert mine.tgt_out.tolist() == plain.tgt_out.tolist()
    assert not running()


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made, third = [], threading.Event()

    def items() -> Iterator[int]:
        for i in count():
            made.append(i)
            if i == 3:  # one handed out, two waiting, one that finds no room
                third.set()
            yield i

    with Prefetcher(items(), depth=2) as ahead:
        assert next(ahead) == 0
        assert third.wait(10)
        assert made == [0, 1, 2, 3]
    assert made == [0, 1, 2, 3]


def test_the_end_comes_after_the_last_item() -> None:
    with Prefetcher(iter("ab"), depth=1) as ahead:
        assert list(ahead) == ["a", "b"]
        assert list(ahead) == []


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with Prefetcher(items(), depth=4) as ahead:
        assert next(ahead) == 1
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is gone"):
                next(ahead)
    assert not running()


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_leaving_early_stops_the_thread(taken: int) -> None:
    with Prefetcher(count(), depth=3) as ahead:
        assert list(islice(ahead, taken)) == list(range(taken))
        assert running()
    assert not running()


def test_an_error_of_the_consumer_stops_the_thread() -> None:
    with pytest.raises(KeyError), Prefetcher(count(), depth=1):
        raise KeyError
    assert not running()


def test_a_cpu_reads_the_stream_itself(tmp_path: Path) -> None:
    plain = stream(tmp_path)
    with prepared_ahead(plain, torch.device("cpu")) as steps:
        assert steps is plain


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gets_the_same_batches_in_pinned_memory(tmp_path: Path) -> None:
    with prepared_ahead(stream(tmp_path), torch.device("cuda")) as steps:
        for found, expected in zip(islice(steps, 10), stream(tmp_path), strict=False):
            for mine, plain in zip(found.batches, expected.batches, strict=True):
                assert mine.src.is_pinned()
                assert mine.targets.is_pinned()
                assert mine.to(torch.device("cuda")).src.tolist() == plain.src.tolist()
