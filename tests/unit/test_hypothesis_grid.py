import numpy as np

from serving.steps.hypothesis_grid import EMPTY, Grid


def grid(sentences: list[int], n_sentences: int) -> Grid:
    return Grid(np.array(sentences), n_sentences)


def test_rows_stand_beside_those_of_their_sentence() -> None:
    found = grid([0, 0, 0, 1, 3, 3], n_sentences=4)
    assert found.columns.tolist() == [0, 1, 2, 0, 0, 1]
    assert (found.width, found.n_cells) == (3, 12)
    assert found.cells.tolist() == [0, 1, 2, 3, 9, 10]


def test_sentences_need_not_stand_in_order() -> None:
    found = grid([2, 2, 0], n_sentences=3)
    assert found.cells.tolist() == [4, 5, 0]


def test_values_go_to_their_places_and_zero_to_empty_ones() -> None:
    found = grid([0, 1, 1], n_sentences=2)
    assert found.spread(np.array([7, 8, 9])).tolist() == [[7, 0], [8, 9]]


def test_where_no_cell_is_empty_and_rows_stand_in_order_nothing_is_moved() -> None:
    found, values = grid([0, 0, 1, 1], n_sentences=2), np.array([6, 7, 8, 9])
    assert found.is_dense
    assert np.shares_memory(found.spread(values), values)
    assert not grid([1, 1, 0, 0], n_sentences=2).is_dense
    assert grid([1, 1, 0, 0], n_sentences=2).spread(values).tolist() == [[8, 9], [6, 7]]


def test_a_grid_without_rows() -> None:
    assert (EMPTY.width, EMPTY.n_cells, EMPTY.cells.tolist()) == (1, 0, [])


def test_a_grid_may_be_wider_than_its_rows_need() -> None:
    grid = Grid(np.array([0, 1]), 2, least_width=2)
    assert grid.width == 2
    assert grid.cells.tolist() == [0, 2]
    assert grid.spread(np.array([7, 8])).tolist() == [[7, 0], [8, 0]]
    assert [part.tolist() for part in grid.empty] == [[0, 1], [1, 1]]
    assert grid.counts.tolist() == [1, 1]
