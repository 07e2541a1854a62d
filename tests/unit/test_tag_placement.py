"""Tags around target words, from attention written by hand."""

import numpy as np

from serving.alignment import WordAttention, word_attention
from serving.markup_blocks import Element
from serving.tag_placement import Placed, place


def attention(source: str, target: str, rows: list[list[float]]) -> WordAttention:
    found = word_attention(source, [], target, [], None)
    return WordAttention(found.source, found.target, np.array(rows, np.float32))


def element(source: str, text: str, *children: Element, name: str = "b") -> Element:
    start = source.index(text)
    return Element(f"<{name}>", f"</{name}>", start, start + len(text), children)


def shown(target: str, placed: tuple[Placed, ...]) -> list[object]:
    return [(target[one.start : one.end], shown(target, one.children)) for one in placed]


SOURCE, TARGET = "a red ball rolls", "es rollt ein roter Ball"
ROWS = [
    [0.1, 0.1, 0.1, 0.7],
    [0.1, 0.1, 0.1, 0.7],
    [0.4, 0.1, 0.5, 0.0],
    [0.1, 0.8, 0.1, 0.0],
    [0.1, 0.2, 0.6, 0.1],
]
WORDS = attention(SOURCE, TARGET, ROWS)


def test_an_element_goes_around_the_words_that_looked_into_it() -> None:
    assert shown(TARGET, place([element(SOURCE, "red ball")], SOURCE, TARGET, WORDS)) == [
        ("ein roter Ball", [])
    ]
    assert shown(TARGET, place([element(SOURCE, "rolls")], SOURCE, TARGET, WORDS)) == [
        ("es rollt", [])
    ]


def test_elements_stay_nested_and_disjoint() -> None:
    inner = element(SOURCE, "red", name="i")
    outer = element(SOURCE, "red ball", inner)
    other = element(SOURCE, "rolls")
    assert shown(TARGET, place([outer, other], SOURCE, TARGET, WORDS)) == [
        ("es rollt", []),
        ("ein roter Ball", [("roter", [])]),
    ]


def test_one_word_that_drifted_does_not_cut_an_element_in_two() -> None:
    rows = [[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.0, 1.0]]
    source, target = "one two", "eins x zwei y"
    words = attention(source, target, rows)
    assert shown(target, place([element(source, "one")], source, target, words)) == [
        ("eins x zwei", [])
    ]


def test_marks_go_with_their_element_where_it_has_them() -> None:
    target = "rot, Ball."
    rows = [[0.9, 0.0, 0.1, 0.0], [0.1, 0.1, 0.7, 0.1], [0.1, 0.0, 0.9, 0.0], [0.9, 0, 0, 0.1]]
    for source, inside, expected in [
        ("red, ball.", "red,", "rot,"),
        ("red, ball.", "red", "rot"),
        ("red, ball.", "ball.", "Ball."),
        ("red, ball.", "ball", "Ball"),
    ]:
        words = attention(source, target, rows)
        [placed] = place([element(source, inside)], source, target, words)
        assert target[placed.start : placed.end] == expected


def test_two_elements_never_take_the_same_word() -> None:
    source, target = "one two", "einszwei"
    words = attention(source, target, [[0.4, 0.6]])
    found = place([element(source, "one"), element(source, "two")], source, target, words)
    assert sorted(target[one.start : one.end] for one in found) == ["", "einszwei"]


def test_without_attention_tags_go_as_far_in() -> None:
    source, target = "one two three four", "eins zwei drei vier"
    words = word_attention(source, [], target, [], None)
    assert shown(target, place([element(source, "two three")], source, target, words)) == [
        ("zwei drei", [])
    ]


def test_an_empty_translation_still_has_its_tags() -> None:
    words = word_attention("one two", [], "", [], None)
    [placed] = place([element("one two", "one")], "one two", "", words)
    assert (placed.start, placed.end) == (0, 0)
