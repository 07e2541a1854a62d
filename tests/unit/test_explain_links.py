"""Links: joined from two directions as Koehn, Och & Marcu do, and counted as Och & Ney do."""

import sys

import pytest

from mt.errors import ConfigError
from training.compare.explain.aligner import align, aligner_name
from training.compare.explain.links import (
    Alignment,
    alignment_errors,
    parse_links,
    symmetrise,
)


def test_links_are_read() -> None:
    assert parse_links("0-0 2-1") == {(0, 0), (2, 1)}
    assert parse_links("") == frozenset()


def test_agreement_is_sure_and_neighbours_of_it_are_possible() -> None:
    forward, backward = parse_links("0-0 1-1 2-2"), parse_links("0-0 1-1 1-2 3-3")
    found = symmetrise(forward, backward)
    assert found.sure == parse_links("0-0 1-1")
    # 2-2 is diagonal to 1-1 and links two new words; 1-2 then links none. 3-3 stands beside 2-2.
    assert parse_links("0-0 1-1 2-2 3-3") <= found.grown


def test_a_link_far_from_the_others_joins_if_both_its_words_are_new() -> None:
    found = symmetrise(parse_links("0-0 5-5"), parse_links("0-0 0-9 7-2"))
    assert found.grown == parse_links("0-0 5-5 7-2")  # source 0 of 0-9 has a link


def test_growing_repeats_from_what_was_added() -> None:
    chain = parse_links("0-0 1-1 2-2 3-3")
    assert symmetrise(chain, parse_links("0-0")).grown == chain


def test_nothing_agreed_leaves_only_the_final_links() -> None:
    found = symmetrise(parse_links("0-0"), parse_links("0-1"))
    assert found.sure == frozenset()
    assert found.grown == parse_links("0-0")  # 0-1's source has a link by then


def test_errors_are_counted_by_kind() -> None:
    alignment = Alignment(sure=parse_links("0-0 1-1"), grown=parse_links("0-0 1-1 2-1"))
    found = parse_links("0-0 2-1 3-3")
    assert alignment_errors(found, alignment) == (1, 2, 3, 2)  # AER = 1 - (1 + 2) / (3 + 2)


def test_eflomal_learns_which_words_belong_together() -> None:
    if aligner_name() is None:
        pytest.skip("eflomal is not installed: pip install 'seq2serve[align]'")
    words = {"dog": "hund", "cat": "katze", "runs": "rennt", "sleeps": "schläft", "big": "groß"}
    names, verbs = ("dog", "cat", "big"), ("runs", "sleeps")
    sources = [f"{name} {verb}" for name in names for verb in verbs] * 10
    targets = [" ".join(words[word] for word in text.split()) for text in sources]
    found = align([*sources, "", "dog"], [*targets, "hund", ""])
    assert [one.grown for one in found[:6]] == [parse_links("0-0 1-1")] * 6
    assert [one.grown for one in found[-2:]] == [frozenset(), frozenset()]


def test_nothing_is_aligned_with_nothing() -> None:
    assert align([""], [""]) == [Alignment(frozenset(), frozenset())]


def test_without_eflomal_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eflomal", None)
    assert aligner_name() is None
    with pytest.raises(ConfigError, match=r"pip install 'seq2serve\[align\]'"):
        align(["a"], ["b"])
