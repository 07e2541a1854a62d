"""Pools of entries: who writes where, who sees what, and what is squeezed out."""

import numpy as np

from mt import graph_signature as names
from serving.steps.decoder_caches import LEAST_ENTRIES, Axes, DecoderCaches
from serving.steps.hypothesis_grid import EMPTY, Grid
from serving.steps.padding import VECTOR

HEADS, DEPTH = 2, 3
INPUTS: dict[str, Axes] = {
    "state.keys.0": ["sentences", HEADS, names.CACHE_LEN, DEPTH],
    "state.hidden": ["entries", 4],
    names.CACHE_POSITIONS: ["sentences", names.CACHE_LEN],
}


class Walk:
    """Steps of a cache, each entry filled with a number of its own as the step graph would."""

    def __init__(self) -> None:
        self.caches = DecoderCaches(INPUTS)
        self.last, self.positions = EMPTY, np.zeros(0, np.int64)
        self.n_places = 0
        self.count = 0

    def admit(self, *places: int) -> None:
        self.n_places = max(self.n_places, *(place + 1 for place in places))

    def step(
        self, sentences: list[int], parents: list[int], least_width: int = 1
    ) -> list[set[int]]:
        """Write one entry for each row; the numbers that each row then sees."""
        where = np.array(parents)
        positions = np.where(where < 0, 0, np.append(self.positions, 0)[where] + 1)
        grid = Grid(np.array(sentences), self.n_places, least_width)
        self.caches.step(grid, positions, where, self.last)
        feeds = self.caches.told
        self.last, self.positions = grid, positions
        pool, bias = self.caches.tensors["state.keys.0"], feeds[names.CACHE_BIAS]
        places = feeds[names.CACHE_PLACES].reshape(-1, HEADS, 3)
        for cell in grid.cells.tolist():
            self.count += 1
            for sentence, head, entry in places[cell].tolist():
                pool[sentence, head, entry] = self.count
        assert pool.shape[2] % VECTOR == 0
        assert (feeds[names.CACHE_BIAS] == 0).any(-1).all(), "a cell that sees nothing"
        seen = []
        for sentence, column in zip(grid.sentences.tolist(), grid.columns.tolist(), strict=True):
            at = np.flatnonzero(bias[sentence, 0, column] == 0)
            numbers = pool[sentence, :, at]  # (entries, heads, d)
            assert (numbers == numbers[:, :1, :1]).all()
            found = [int(number) for number in numbers[:, 0, 0]]
            depth = feeds[names.CACHE_POSITIONS][sentence, at].tolist()
            assert sorted(depth) == list(range(len(depth)))
            seen.append(set(found))
        return seen


def test_every_hypothesis_sees_its_own_past_and_itself() -> None:
    walk = Walk()
    walk.admit(0, 1)
    assert walk.step([0, 1], [-1, -1]) == [{1}, {2}]
    assert walk.step([0, 0, 1], [0, 0, 1]) == [{1, 3}, {1, 4}, {2, 5}]
    assert walk.step([0, 0, 1], [1, 1, 2]) == [{1, 4, 6}, {1, 4, 7}, {2, 5, 8}]
    assert walk.step([0, 0], [1, 0]) == [{1, 4, 7, 9}, {1, 4, 6, 10}]


def test_a_place_begins_anew() -> None:
    walk = Walk()
    walk.admit(0, 1)
    walk.step([0, 1], [-1, -1])
    walk.step([0, 1], [0, 1])
    walk.admit(0)
    assert walk.step([0, 1], [-1, 1]) == [{5}, {2, 4, 6}]


def test_those_who_stay_move_together() -> None:
    walk = Walk()
    walk.admit(0, 1, 2)
    walk.step([0, 1, 2], [-1, -1, -1])
    walk.admit(3)  # has taken no step yet
    walk.caches.pack(np.array([1, 2, 3]))
    assert walk.step([0, 1, 2], [1, 2, -1]) == [{2, 4}, {3, 5}, {6}]


def test_what_nobody_sees_is_written_over_and_nothing_else() -> None:
    """Three hypotheses of which the last one always has all the children."""
    walk = Walk()
    walk.admit(0, 1)
    wanted: list[set[int]] = walk.step([0, 0, 0, 1], [-1, -1, -1, -1])
    for _ in range(60):
        before = wanted
        wanted = walk.step([0, 0, 0, 1], [2, 2, 2, 3])
        first = walk.count - 3
        assert wanted == [before[2] | {first + i} for i in range(3)] + [before[3] | {walk.count}]
    alive = 60 + 3
    assert walk.caches.tensors["state.keys.0"].shape[2] < 1.6 * alive + VECTOR


def test_room_that_nobody_needs_is_given_back() -> None:
    walk = Walk()
    walk.admit(0, 1)
    walk.step([0, 1], [-1, -1])
    for _ in range(99):
        walk.step([0, 1], [0, 1])
    assert walk.caches.tensors["state.keys.0"].shape[2] >= 100
    walk.caches.pack(np.array([], np.int64))
    walk.last, walk.n_places = EMPTY, 1
    walk.step([0], [-1])
    assert walk.caches.tensors["state.keys.0"].shape == (1, HEADS, LEAST_ENTRIES, DEPTH)


def test_empty_cells_write_where_nobody_looks() -> None:
    walk = Walk()
    walk.admit(0, 1)
    assert walk.step([0, 1], [-1, -1], least_width=2) == [{1}, {2}]
    assert walk.step([0, 0, 0, 1], [0, 0, 0, 1], least_width=2)[3] == {2, 6}


def test_the_arrays_stay_while_they_are_large_enough() -> None:
    """So that they need not be bound again."""
    walk = Walk()
    walk.admit(0)
    walk.step([0], [-1])
    first = walk.caches.tensors["state.keys.0"]
    walk.step([0], [0])
    assert walk.caches.tensors["state.keys.0"] is first
    assert walk.caches.outputs["next.keys.0"] is first


def test_a_model_without_caches() -> None:
    caches = DecoderCaches({"state.hidden": ["entries", 4]})
    caches.step(Grid(np.array([0]), 2), np.array([0]), np.array([-1]), EMPTY)
    assert caches.told == {}
    caches.pack(np.array([0]))
    assert caches.axes == {}
