"""Tags around target words, from links written by hand."""

from serving.text.alignment import word_attention
from serving.text.markup_blocks import Element
from serving.text.tag_placement import Link, Placed, place


def links_of(source: str, target: str, of: list[int | None]) -> list[Link]:
    """`of`: the number of the source word that each target word came of."""
    found = word_attention(source, [], target, [], None)
    spans = [None if at is None else found.source[at] for at in of]
    return [Link(word, span) for word, span in zip(found.target, spans, strict=True)]


def element(source: str, text: str, *children: Element, name: str = "b") -> Element:
    start = source.index(text)
    return Element(f"<{name}>", f"</{name}>", start, start + len(text), children)


def shown(target: str, placed: tuple[Placed, ...]) -> list[object]:
    return [(target[one.start : one.end], shown(target, one.children)) for one in placed]


SOURCE, TARGET = "a red ball rolls", "es rollt ein roter Ball"
LINKS = links_of(SOURCE, TARGET, [3, 3, 2, 1, 2])


def test_an_element_goes_around_the_words_that_came_of_it() -> None:
    assert shown(TARGET, place([element(SOURCE, "red ball")], SOURCE, TARGET, LINKS)) == [
        ("ein roter Ball", [])
    ]
    assert shown(TARGET, place([element(SOURCE, "rolls")], SOURCE, TARGET, LINKS)) == [
        ("es rollt", [])
    ]


def test_elements_stay_nested_and_disjoint() -> None:
    inner = element(SOURCE, "red", name="i")
    outer = element(SOURCE, "red ball", inner)
    other = element(SOURCE, "rolls")
    assert shown(TARGET, place([outer, other], SOURCE, TARGET, LINKS)) == [
        ("es rollt", []),
        ("ein roter Ball", [("roter", [])]),
    ]


def test_one_word_that_drifted_does_not_cut_an_element_in_two() -> None:
    source, target = "one two", "eins erste x erste eins zwei"
    links = links_of(source, target, [0, 0, 1, 0, 0, 1])
    assert shown(target, place([element(source, "one")], source, target, links)) == [
        ("eins erste x erste eins", [])
    ]


def test_marks_go_with_their_element_where_it_has_them() -> None:
    source, target = "red, ball.", "rot, Ball."
    links = links_of(source, target, [0, 2, 2, 0])
    for inside, expected in [
        ("red,", "rot,"),
        ("red", "rot"),
        ("ball.", "Ball."),
        ("ball", "Ball"),
    ]:
        [placed] = place([element(source, inside)], source, target, links)
        assert target[placed.start : placed.end] == expected


def test_two_elements_never_take_the_same_word() -> None:
    source, target = "one two", "einszwei"
    links = links_of(source, target, [1])
    found = place([element(source, "one"), element(source, "two")], source, target, links)
    assert [target[one.start : one.end] for one in found] == ["", "einszwei"]


def test_a_word_of_none_is_in_no_element_by_itself() -> None:
    source, target = "one two", "nun eins zwei"
    links = links_of(source, target, [None, 0, 1])
    assert shown(target, place([element(source, "one")], source, target, links)) == [("eins", [])]


def test_without_attention_tags_go_as_far_in() -> None:
    source, target = "one two three four", "eins zwei drei vier"
    links = links_of(source, target, [None] * 4)
    assert shown(target, place([element(source, "two three")], source, target, links)) == [
        ("zwei drei", [])
    ]


def test_an_empty_translation_still_has_its_tags() -> None:
    [placed] = place([element("one two", "one")], "one two", "", [])
    assert (placed.start, placed.end) == (0, 0)


def test_one_too_many_stands_at_the_edge_of_another_never_in_it() -> None:
    source, target = "one two three four five", "eins zwei drei"
    links = [Link((0, 4), (0, 3)), Link((5, 9), (14, 18)), Link((10, 14), (19, 23))]
    first, last = element(source, "one"), element(source, "four five")
    found = place([first, element(source, "three"), last], source, target, links)
    assert [(one.start, one.end) for one in found] == [(0, 4), (5, 5), (5, 14)]
