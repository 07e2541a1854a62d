"""What lasts is spared by the collector, and what comes later is not."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from serving.running.garbage import FULL_EVERY, spare_what_lasts


class Node:
    """May hold itself, and then only the collector frees it."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_garbage_of_the_start_is_freed_and_the_rest_is_spared() -> None:
    gone, kept = weakref.ref(Node()), Node()
    spare_what_lasts()
    assert gone() is None
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[2] == FULL_EVERY
    assert all(one is not kept for one in gc.get_objects())


def test_later_garbage_is_freed() -> None:
    spare_what_lasts()
    gone = weakref.ref(Node())
    gc.collect()
    assert gone() is None
