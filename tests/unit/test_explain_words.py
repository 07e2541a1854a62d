"""Words, word accuracy by frequency, faults and extremes: small texts, counted by hand."""

import numpy as np
import pytest

from training.compare.explain.bootstrap import mean_ratio, ratio
from training.compare.explain.extremes import Rated
from training.compare.explain.faults import (
    content_words,
    fault_rates,
    omission_rates,
    repeats,
)
from training.compare.explain.outputs import Outputs
from training.compare.explain.pairs import shown_pairs
from training.compare.explain.word_frequency import bucket_names, count_words, word_accuracy
from training.compare.explain.words import plain_words, source_length, split_words
from training.compare.statistics import Resampled

DRAWS = Resampled.draw(2, 50)


def outputs(references: list[str], **systems: list[list[str]]) -> Outputs:
    hypotheses = {name: dict(enumerate(seeds, start=1)) for name, seeds in systems.items()}
    return Outputs([f"source {i}" for i in range(len(references))], references, hypotheses)


def test_words_keep_apostrophes_and_hyphens_and_their_places() -> None:
    words = split_words("L'homme, sous-marin!")
    assert [word.text for word in words] == ["L'homme", ",", "sous-marin", "!"]
    assert [(word.start, word.end) for word in words] == [(0, 7), (7, 8), (9, 19), (19, 20)]


def test_scripts_without_spaces_are_read_sign_by_sign() -> None:
    assert plain_words("我是 Bob。") == ["我", "是", "bob", "。"]


def test_length_is_counted_between_spaces() -> None:
    assert source_length(" A man , waiting. ") == 4


def test_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        Outputs(["a"], ["b"], {"x": {1: ["c", "d"]}})
    with pytest.raises(ValueError, match="no translations"):
        Outputs(["a"], ["b"], {"x": {}})


def test_some_of_the_sentences() -> None:
    some = outputs(["a", "b", "c"], x=[["1", "2", "3"]]).only([2, 0])
    assert (some.sources, some.references) == (["source 2", "source 0"], ["c", "a"])
    assert some.hypotheses == {"x": {1: ["3", "1"]}}


def test_a_ratio_of_nothing_is_zero() -> None:
    assert ratio(np.array([[1.0, 4.0], [0.0, 0.0]])).tolist() == [0.25, 0.0]


def test_a_mean_over_seeds_lies_in_its_interval_and_shares_stay_shares() -> None:
    tables = [np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])]
    found = mean_ratio(tables, Resampled.draw(2, 500))
    assert found.value == 0.75
    assert 0 <= found.low < 0.75 < found.high <= 1


def test_buckets_are_written_as_ranges() -> None:
    assert bucket_names() == ("0", "1", "2-4", "5-9", "10-99", "100-999", "1000+")


def test_word_accuracy_clips_matches_and_sorts_words_by_frequency() -> None:
    frequencies = {"a": 1500, "dog": 3}  # `zebra` and `unicorn` were never seen
    texts = outputs(["A dog a zebra", "a unicorn"], system=[["a a a dog", "unicorn zebra"]])
    found = {one.bucket: one for one in word_accuracy(texts, frequencies, DRAWS)}
    assert set(found) == {"0", "2-4", "1000+"}
    frequent = found["1000+"]  # wanted 2 + 1, written 3 + 0, matched 2 + 0
    assert frequent.words == 3
    assert frequent.precision.value == pytest.approx(2 / 3)
    assert frequent.recall.value == pytest.approx(2 / 3)
    unseen = found["0"]  # wanted zebra, unicorn; written unicorn, zebra; only unicorn in its place
    assert (unseen.precision.value, unseen.recall.value) == (0.5, 0.5)
    assert unseen.f1.value == 0.5
    assert found["2-4"].f1.value == 1.0


def test_word_accuracy_is_a_mean_over_seeds() -> None:
    texts = outputs(["dog", "dog"], system=[["dog", "dog"], ["cat", "cat"]])
    (found,) = [one for one in word_accuracy(texts, {"dog": 1}, DRAWS) if one.bucket == "1"]
    assert found.recall.value == 0.5
    assert found.recall.low < 0.5 < found.recall.high


def test_words_are_counted_without_their_case() -> None:
    assert count_words(["A a b", "B."]) == {"a": 2, "b": 2, ".": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a man in a man in a hat", True),
        ("the the dog", True),
        ("on, on and on", True),  # signs between do not count
        ("one two three four one two three four", True),
        ("one two three four five one two three four five", False),  # five words
        ("a man and a man", False),  # `and` is between
        ("... !!", False),
        ("", False),
    ],
)
def test_what_is_said_twice_in_a_row(text: str, expected: bool) -> None:
    assert repeats(text) is expected


def test_fault_rates_count_sentences() -> None:
    references = ["one two three four five", "one two three four five"]
    texts = outputs(references, system=[["one one two three four", "one two three"]])
    found = {(one.system, one.fault): one for one in fault_rates(texts, DRAWS)}
    assert found["system", "repetition"].rate.value == 0.5
    assert found["(references)", "repetition"].rate.value == 0.0
    assert found["system", "too short"].rate.value == 0.5  # 3 of 5 words is less than 0.7
    assert found["system", "too long"].rate.value == 0.0
    assert ("(references)", "too short") not in found
    assert found["system", "too long"].counted == 2


def test_the_most_frequent_words_and_signs_are_no_content() -> None:
    frequencies = {f"word{i}": 1000 - i for i in range(99)} | {"the": 5000, "dog": 7}
    assert content_words(["The dog, the cat!"], frequencies) == [[1, 4]]


def test_source_words_without_a_link_are_left_out() -> None:
    content = [[0, 2], [1]]
    linked = {"system": [[frozenset({(0, 0)}), frozenset({(1, 1), (0, 0)})]]}
    (found,) = omission_rates(content, linked, DRAWS)
    assert found.fault == "source words left out"
    assert found.rate.value == pytest.approx(1 / 3)
    assert found.counted == 3


def test_extremes_stand_on_the_side_of_the_better_system() -> None:
    references = ["a small dog runs", "two men talk", "a red car"]
    texts = outputs(
        references,
        one=[["a small dog runs", "xyz", "a red car"], ["?", "?", "?"]],
        other=[["xyz", "two men talk", "a red car"]],
    )
    (found,) = Rated(texts, {"one": 1, "other": 1}).extremes(shown=2)
    assert (found.first, found.second) == ("one", "other")
    assert [row.number for row in found.ahead_first] == [1]  # equals are on neither side
    assert [row.number for row in found.ahead_second] == [2]
    row = found.ahead_first[0]
    assert row.chrf["one"] == pytest.approx(100.0)
    assert row.translations == {"one": "a small dog runs", "other": "xyz"}
    assert "nc:6" in found.signature


def test_the_worst_sentences_stand_beside_all_other_translations() -> None:
    texts = outputs(["a dog", "two men talk"], one=[["a dog", "?"]], other=[["a do", "two men"]])
    one, other = Rated(texts, {"one": 1, "other": 1}).worst(shown=1)
    assert (one.system, other.system) == ("one", "other")
    assert [row.number for row in one.sentences] == [2]
    assert one.sentences[0].translations == {"one": "?", "other": "two men"}
    assert [row.number for row in other.sentences] == [2]


def test_of_many_systems_only_pairs_with_the_first_are_shown() -> None:
    assert shown_pairs(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert shown_pairs(list("abcd")) == [("a", "b"), ("a", "c"), ("a", "d")]
