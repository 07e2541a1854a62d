"""The index of pairs that came before answers as a plain set would, in memory and on disk."""

from collections.abc import Iterable, Iterator
from itertools import islice
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.corpora import cleaning
from training.corpora.cleaning import CleaningConfig, CleaningReport, Reason, clean
from training.corpora.pair import Pair
from training.corpora.seen_pairs import SeenPairs, digests

few = st.integers(0, 40)  # so that they often come again
chunks = st.lists(st.lists(few, max_size=30), max_size=12)
pairs = st.lists(st.builds(Pair, st.sampled_from(["a", "b", "c ", ""]), st.sampled_from("xyz")))


@settings(deadline=None, max_examples=100)
@given(chunks, st.sampled_from([1, 8, 1 << 20]))
def test_equals_a_set(numbers: list[list[int]], in_memory: int) -> None:
    index, known = SeenPairs(in_memory), set[int]()
    for chunk in numbers:
        new = index.unseen(np.array(chunk, np.uint64))
        for number, fresh in zip(chunk, new.tolist(), strict=True):
            assert fresh is (number not in known)
            known.add(number)
        index.add(np.array(chunk, np.uint64)[new])
        assert len(index) == len(known)


def test_long_runs_merge_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.corpora.seen_pairs._MERGED_AT_ONCE", 7)
    draw = np.random.default_rng(1)
    numbers = draw.choice(10_000, 900, replace=False).astype(np.uint64)
    index = SeenPairs(in_memory=100)
    for part in np.split(numbers, [300, 420, 421, 800]):
        index.add(part)
    assert len(index._runs) <= 4
    assert all(np.all(run[1:] > run[:-1]) for run in index._runs)
    everything = np.arange(10_000, dtype=np.uint64)
    assert np.array_equal(index.unseen(everything), ~np.isin(everything, numbers))


def test_digests_tell_sides_apart() -> None:
    given = [Pair("a", "b"), Pair("b", "a"), Pair("a b", ""), Pair("a", "b")]
    assert len(set(digests(given).tolist())) == 3
    assert digests(given).nbytes == 8 * len(given)


def plainly_cleaned(
    stream: Iterable[Pair], config: CleaningConfig, report: CleaningReport, seen: set[Pair]
) -> Iterator[Pair]:
    """As `clean` was before it read ahead: a pair at a time, and a set."""
    for pair in (Pair(src.strip(), tgt.strip()) for src, tgt in stream):
        reason = cleaning._fault(pair, config)
        if reason is None and config.drop_duplicates:
            reason = Reason.DUPLICATE if pair in seen else None
            seen.add(pair)
        if report.keeps(reason):
            yield pair


@settings(deadline=None, max_examples=100)
@given(pairs, pairs, st.integers(0, 20), st.integers(1, 5), st.booleans())
def test_cleaning_equals_the_plain_way_and_may_be_left_early(
    own: list[Pair], more: list[Pair], taken: int, chunk: int, drop: bool
) -> None:
    config = CleaningConfig(drop_duplicates=drop)
    report, expected = CleaningReport(), CleaningReport()
    seen, plainly_seen = SeenPairs(), set[Pair]()
    with mock.patch.object(cleaning, "CHUNK", chunk):
        first = clean(own, config, report, seen)
        got = list(islice(first, taken))
        first.close()
        got += clean(more, config, report, seen)
    slow = list(islice(plainly_cleaned(own, config, expected, plainly_seen), taken))
    slow += plainly_cleaned(more, config, expected, plainly_seen)
    assert got == slow
    assert report == expected
