"""Which sentences of a test set are scored."""

from training.corpora.pair import Pair
from training.scoring import evenly

PAIRS = [Pair(str(i), str(i)) for i in range(10)]


def test_a_sample_is_spread_over_the_whole_set() -> None:
    assert [pair.src for pair in evenly(PAIRS, 4)] == ["0", "2", "5", "7"]


def test_all_are_taken_where_no_fewer_are_asked_for() -> None:
    assert evenly(PAIRS, None) == evenly(PAIRS, 10) == evenly(PAIRS, 99) == PAIRS
