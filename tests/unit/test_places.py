import numpy as np
import pytest

from mt.errors import EngineError
from serving.steps.places import PACK_STEPS, Places


def test_a_freed_place_is_given_again() -> None:
    places = Places()
    assert places.admit([10, 11, 12]).tolist() == [0, 1, 2]
    assert places.retire([11]).tolist() == [1]
    assert places.admit([13, 14]).tolist() == [1, 3]
    assert places.of(np.array([14, 13, 10])).tolist() == [3, 1, 0]
    assert len(places) == 4


def test_what_does_not_run_has_no_place() -> None:
    places = Places()
    places.admit([1])
    places.retire([1])
    with pytest.raises(EngineError, match="slot 1 is not running"):
        places.of(np.array([1]))


def test_gaps_are_closed_where_many_are_free() -> None:
    places = Places()
    places.admit(list(range(16)))
    assert places.pack() is None
    places.retire([3, 5])
    assert places.pack() is None  # an eighth may be free
    places.retire([4])
    assert [places.pack() for _ in range(PACK_STEPS - 1)] == [None] * (PACK_STEPS - 1)
    kept = places.pack()
    assert kept is not None
    assert kept.tolist() == [0, 1, 2, *range(6, 16)]
    assert places.of(np.array([6, 15])).tolist() == [3, 12]
    assert places.pack() is None


def test_who_comes_in_time_keeps_the_others_where_they_are() -> None:
    places = Places()
    places.admit([1, 2, 3])
    places.retire([1, 2])
    assert places.pack() is None
    places.admit([4, 5])
    assert [places.pack() for _ in range(2 * PACK_STEPS)] == [None] * (2 * PACK_STEPS)
    assert places.of(np.array([4, 5, 3])).tolist() == [0, 1, 2]


def test_all_may_leave() -> None:
    places = Places()
    places.admit([1, 2])
    places.retire([1, 2])
    kept = places.pack()
    assert kept is not None
    assert not len(kept)
    assert places.pack() is None
