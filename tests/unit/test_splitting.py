import pytest

from mt.errors import CorpusError
from training.corpora.pair import Pair
from training.corpora.splitting import SplitConfig, assign_splits, comparable

DISTINCT = [Pair(f"source {n}", f"target {n}") for n in range(100)]


def test_distinct_pairs_give_exactly_the_sizes_asked_for() -> None:
    given = assign_splits(DISTINCT, SplitConfig(validation=7, test=11))
    assert [given.count(index) for index in range(3)] == [82, 7, 11]


def test_the_seed_decides() -> None:
    def split(seed: int) -> bytes:
        return assign_splits(DISTINCT, SplitConfig(validation=10, test=10, seed=seed))

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_pairs_chained_by_shared_sides_stay_together() -> None:
    # 0 and 1 share a target, 1 and 2 a source: one component of three; 3 is alone
    chain = [Pair("a", "x"), Pair("b", "X!"), Pair("B.", "y"), Pair("c", "z")]
    for seed in range(20):
        given = assign_splits(chain, SplitConfig(validation=1, test=0, seed=seed))
        assert list(given) == [0, 0, 0, 1]


def test_equal_texts_on_different_sides_do_not_connect() -> None:
    pairs = [Pair("taxi", "a"), Pair("b", "taxi")]
    assert sorted(assign_splits(pairs, SplitConfig(validation=1, test=0))) == [0, 1]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Hello, world!", "hello world", True),
        ("STRASSE", "straße", True),
        ("e\u0301te\u0301", "été", True),
        ("it's", "it s", True),
        ("two", "too", False),
        ("?!", "...", False),
        ("नमस्ते", "नमसत", False),  # vowel signs are no punctuation
    ],
)
def test_what_counts_as_the_same_side(a: str, b: str, same: bool) -> None:
    assert (comparable(a) == comparable(b)) is same


def test_more_held_out_than_there_is() -> None:
    with pytest.raises(CorpusError, match=r"100 pairs cannot be held out of 100; lower split\."):
        assign_splits(DISTINCT, SplitConfig(validation=50, test=50))


def test_a_corpus_that_is_one_component_cannot_be_cut() -> None:
    pairs = [Pair("always", f"other {n}") for n in range(50)]
    with pytest.raises(CorpusError, match="no pairs can be cut off for validation"):
        assign_splits(pairs, SplitConfig(validation=5, test=5))
