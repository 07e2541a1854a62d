"""Markup as blocks of text: where they end, what is inside them, what is kept."""

from typing import Any

import pytest

from mt.errors import InputError
from serving.text.markup_blocks import Block, Element, blocks
from serving.text.text_options import TextOptions


def split(markup: str, **options: Any) -> list[str | Block]:
    pieces = blocks(markup, TextOptions.model_validate({"format": "html"} | options))
    assert "".join(one if isinstance(one, str) else one.raw for one in pieces) == markup
    return pieces


def texts(markup: str, **options: Any) -> list[str]:
    """Texts of blocks, markers shown as what they stand for."""
    found = [one for one in split(markup, **options) if isinstance(one, Block)]
    return ["".join(one.markers.get(char, char) for char in one.text) for one in found]


def outline(block: Block, elements: tuple[Element, ...] | None = None) -> list[Any]:
    """Elements as opening tag, text and children."""
    chosen = block.elements if elements is None else elements
    return [
        (one.opening, block.text[one.start : one.end], outline(block, one.children))
        for one in chosen
    ]


def test_paragraphs_and_line_breaks_end_blocks_and_inline_tags_do_not() -> None:
    markup = "<h1>Title</h1>\n<p>One <b>two</b> three.<br>Four</p><ul><li>five<li>six</ul> seven"
    assert texts(markup) == ["Title", "One two three.", "Four", "five", "six", "seven"]


def test_inline_elements_are_ranges_of_the_text() -> None:
    [_, block, _] = split("<p>a <b>b <i class='x'>c</i></b> d &amp; <u>e</u> f</p>")
    assert isinstance(block, Block)
    assert block.text == "a b c d & e f"
    assert outline(block) == [("<b>", "b c", [("<i class='x'>", "c", [])]), ("<u>", "e", [])]


def test_what_is_around_the_text_is_no_part_of_it() -> None:
    [before, block, after] = split("<div>\n  <b><i>All of <u>it</u></i> </b><img>\n</div>")[1:4]
    assert isinstance(block, Block)
    assert (before, block.raw, after) == ("\n  <b><i>", "All of <u>it</u>", "</i> </b><img>\n")
    assert outline(block) == [("<u>", "it", [])]


@pytest.mark.parametrize(
    "kept",
    [
        '<span translate="no">Acme <b>Inc</b></span>',
        '<b class="big notranslate">Acme</b>',
        "<code>x = a</code>",
        "<img src='a.png'>",
        "<!-- a comment -->",
        '<a id="top"></a>',
        "<sup>12</sup>",
    ],
)
def test_what_is_kept_inside_a_text_is_one_marker(kept: str) -> None:
    [_, block, _] = split(f"<p>See {kept} now</p>")
    assert isinstance(block, Block)
    [marker] = block.markers
    assert block.text == f"See {marker} now"
    assert block.markers[marker] == kept
    assert block.elements == ()
    [span] = block.spans
    assert span.of(block.text) == marker


def test_names_of_html_have_no_capitals() -> None:
    assert texts("<p>a <X>b</X> c</p>", ignore_tags=["X"], non_splitting_tags=["X"]) == [
        "a <X>b</X> c"
    ]


def test_what_a_marker_is_to_the_sentence() -> None:
    kinds = []
    for kept in ("<code>f</code>", "<img>", "<b>42</b>", "<i></i>"):
        [_, block, _] = split(f"<p>See {kept} now</p>")
        assert isinstance(block, Block)
        kinds.append(block.spans[0].kind)
    [_, footnote, _] = split("<p>Word<sup>42</sup> now</p>")
    assert isinstance(footnote, Block)
    assert [*kinds, footnote.spans[0].kind] == ["term", "symbol", "number", "symbol", "symbol"]


def test_blocks_that_are_kept_are_no_blocks() -> None:
    markup = '<div translate="no"><p>One</p></div><script>two</script><p>three</p><style>x</style>'
    assert texts(markup) == ["three"]


def test_markers_are_characters_that_the_markup_does_not_hold() -> None:
    [_, block, _] = split("<p>a &#xF0000; \U000f0001 <img> b</p>")
    assert isinstance(block, Block)
    assert [*block.markers] == ["\U000f0002"]


def test_newlines_are_spaces_but_where_they_are_preformatted() -> None:
    assert texts("<p>one\n   two</p>") == ["one two"]
    assert texts("<pre>one\n  two</pre>") == ["one\n  two"]
    assert texts("<p>one\ntwo</p>", split_sentences="newlines") == ["one\ntwo"]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<b>one <p>two</b> three", ["one", "two", "three"]),
        ("one <i>two <b>three</i> four</b>", ["one", "two", "three", "four"]),
        ("one</b> two", ["one", "two"]),
        ("<p>one <i>two", ["one", "two"]),
    ],
)
def test_tags_without_partner_end_blocks(markup: str, expected: list[str]) -> None:
    assert texts(markup) == expected


def test_xml_elements_beside_text_are_inline() -> None:
    markup = "<doc><t>One</t><t>Two <e>three</e></t><e>four</e></doc>"
    assert texts(markup, format="xml") == ["One", "Two three", "four"]
    assert texts(markup, format="xml", outline_detection=False) == ["OneTwo threefour"]
    splitting = {"outline_detection": False, "splitting_tags": ["t"]}
    assert texts(markup, format="xml", **splitting) == ["One", "Two three", "four"]
    assert texts(markup, format="xml", splitting_tags=["e"]) == ["One", "Two", "three", "four"]
    assert texts(markup, format="xml", non_splitting_tags=["t"]) == ["OneTwo threefour"]


def test_ignored_tags_of_xml_are_kept_even_when_empty() -> None:
    assert texts('a <x id="1"></x> <x>b</x> c', format="xml", ignore_tags=["x"]) == [
        'a <x id="1"></x> <x>b</x> c'
    ]


def test_elements_nested_too_deep_are_refused() -> None:
    deep = "a<b>" * 200 + "x" + "</b>" * 200
    with pytest.raises(InputError, match="nested more than 100 deep"):
        split(deep)
