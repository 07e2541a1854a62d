"""Choosing the best by blocks is choosing the best."""

import numpy as np
import pytest

from tests.unit.test_graph_builder import run
from training.export.best import best_ids, block_size
from training.export.graph import GraphBuilder

Array = np.ndarray


def best(scores: Array, k: int) -> tuple[Array, Array]:
    graph = GraphBuilder("g")
    x, wanted = graph.input("x", np.float32, ["n", "v"]), graph.input("k", np.int64, [1])
    best_ids(graph, x, scores.shape[1], wanted, ("values", "ids"))
    graph.output("values", np.float32, ["n", "k"])
    graph.output("ids", np.int64, ["n", "k"])
    values, ids = run(graph, x=scores, k=np.array([k]))
    return values, ids


@pytest.mark.parametrize("vocab_size", [40, 1031, 1200, 2048, 8000])
@pytest.mark.parametrize("k", [1, 5, 33, 1000])
def test_the_best_are_those_of_a_whole_sort(vocab_size: int, k: int) -> None:
    k = min(k, vocab_size)
    rng = np.random.default_rng(k)
    scores = rng.permuted(np.tile(np.linspace(-9, 0, vocab_size, dtype=np.float32), (7, 1)), axis=1)
    scores[2, : vocab_size // 2] = -np.inf
    values, ids = best(scores, k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(values, np.take_along_axis(scores, order, 1))
    known = values > -np.inf  # of those that are -inf any may come
    np.testing.assert_array_equal(ids[known], order[known])
    np.testing.assert_array_equal(values, np.take_along_axis(scores, ids, 1))


def test_all_ids_come_when_all_are_asked_for() -> None:
    scores = np.random.default_rng(1).normal(size=(3, 2048)).astype(np.float32)
    _, ids = best(scores, 2048)
    np.testing.assert_array_equal(np.sort(ids, 1), np.tile(np.arange(2048), (3, 1)))


def test_among_equals_each_id_comes_once() -> None:
    scores = np.zeros((2, 2048), np.float32)
    scores[1, 1000] = 1
    values, ids = best(scores, 40)
    assert all(len(set(row)) == 40 for row in ids.tolist())
    assert ids[1, 0] == 1000
    np.testing.assert_array_equal(values, np.take_along_axis(scores, ids, 1))


@pytest.mark.parametrize(
    ("vocab_size", "size"), [(8000, 64), (10_000, 80), (4000, 80), (1023, None), (1031, None)]
)
def test_blocks_are_whole(vocab_size: int, size: int | None) -> None:
    assert block_size(vocab_size) == size
