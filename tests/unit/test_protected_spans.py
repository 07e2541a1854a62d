"""What is found in a text that must survive, and what is found again in its translation."""

import pytest

from serving.text.protected_spans import ProtectedSpan, digits, find, locate


def found(text: str, *terms: str) -> list[tuple[str, str]]:
    return [(span.kind, span.of(text)) for span in find(text, terms)]


@pytest.mark.parametrize(
    ("text", "placeholders"),
    [
        ("Hello {name}!", ["{name}"]),
        ("{{ user.name }} left", ["{{ user.name }}"]),
        ("%1$s of %2$d", ["%1$s", "%2$d"]),
        ("%(count)d files, %s left", ["%(count)d", "%s"]),
        ("took %-5.2f s or %%", ["%-5.2f", "%%"]),
        ("${total} $user #{x} %{y} @{z}", ["${total} $user #{x} %{y} @{z}"]),  # stay together
        ("{n, plural, other {# files}} open", ["{n, plural, other {# files}}"]),
        ("{a}/{b} and {c}", ["{a}/{b}", "{c}"]),
        ("{n}px wide, %APP% &nbsp; x", ["{n}px", "%APP% &nbsp;"]),
        ("say \"{x}\" (:count)", ["{x}"]),
        ("5{x}6 and A1{y}", ["5{x}6"]),
        ("wait :seconds more, %@says", [":seconds", "%@says"]),
        ("100% of people, 20 %discount, 5 % said", []),
        ("a { b", []),
        ("a: b :) c", []),
    ],
)  # fmt: skip
def test_placeholders(text: str, placeholders: list[str]) -> None:
    assert [what for kind, what in found(text) if kind == "placeholder"] == placeholders


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("See https://example.com/a?b=1&c=%20#d.", ["https://example.com/a?b=1&c=%20#d"]),
        ("(see https://en.example.org/wiki/A_(b))", ["https://en.example.org/wiki/A_(b)"]),
        ("www.example.org, or example.com/x!", ["www.example.org", "example.com/x"]),
        ("見てhttps://example.com/b。", ["https://example.com/b"]),
        ("mail anna.k+x@mail.example.org!", ["anna.k+x@mail.example.org"]),
        ("mailto:a@b.org; @jane@host.social #fun", ["mailto:a@b.org", "@jane@host.social", "#fun"]),
        ("Go home.Now, C# is fine at 5", []),
    ],
)
def test_addresses(text: str, addresses: list[str]) -> None:
    assert [what for kind, what in found(text) if kind == "address"] == addresses


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3,500.75 of 1 000 000", ["3,500.75", "1 000 000"]),
        ("at 10:30 on 2024-05-12, the 21st, 3rd and 4street", ["10:30", "2024-05-12", "4"]),
        ("第3章, 5km, 1990s", ["3", "5km", "1990s"]),
        ("192.168.0.1 and 3-4", ["192.168.0.1", "3", "4"]),
    ],
)
def test_numbers(text: str, numbers: list[str]) -> None:
    assert [what for kind, what in found(text) if kind == "number"] == numbers


def test_codes_tags_and_symbols() -> None:
    assert found("the A380, COVID-19, max_rows, H2O but no mid-1990s") == [
        ("code", "A380"),
        ("code", "COVID-19"),
        ("code", "max_rows"),
        ("code", "H2O"),
        ("number", "1990s"),
    ]
    assert found('I <b class="x">love</b> it <br/> 👩‍👩‍👧🇩🇪! 5 < 6 > 4') == [
        ("tag", '<b class="x">'),
        ("tag", "</b>"),
        ("tag", "<br/>"),
        ("symbol", "👩‍👩‍👧🇩🇪"),
        ("number", "5"),
        ("number", "6"),
        ("number", "4"),
    ]


def test_terms_stand_alone_and_the_longest_wins() -> None:
    assert found("Open source at Open, opened; re-Open", "Open", "Open source") == [
        ("term", "Open source"),
        ("term", "Open"),
        ("term", "Open"),
    ]


def test_a_term_inside_an_address_does_not_break_it() -> None:
    text = "See https://Open.org/x and Open."
    assert found(text, "Open") == [("address", "https://Open.org/x"), ("term", "Open")]


def test_given_spans_win_over_what_they_overlap() -> None:
    text = "run {a} b now"
    given = ProtectedSpan(4, 9, "symbol")
    assert find(text, ["b now"], [given]) == [given]


def test_each_span_must_be_there_as_often_as_it_stands_in_the_source() -> None:
    source = "{a} and {a} and {b}"
    spans = find(source)
    located = locate(spans, source, "x {b} y {a}")
    assert located.lost == (spans[1],)
    assert located.kept == ((2, 5), (8, 11))


def test_a_longer_span_keeps_its_place_from_a_shorter_one() -> None:
    source = "b<b><<b><b>"
    spans = find(source)
    assert [span.of(source) for span in spans] == ["<b>", "<b><b>"]
    located = locate(spans, source, "x <b><b> y <b>")
    assert located.lost == ()
    assert located.kept == ((2, 8), (11, 14))


def test_a_number_may_change_its_separators() -> None:
    source = "3,500.75 of 3 and 12"
    spans = find(source)
    located = locate(spans, source, "3.500,75 von 13 und 12")
    assert [span.of(source) for span in located.lost] == ["3"]
    assert digits("3,500.75") == "350075"


@pytest.mark.timeout(60)  # quadratic time would take minutes
@pytest.mark.parametrize(
    "bad", ["{", "{a", "<a ", "<!--", "a.", "%(", "1 ", "a_", "[[", "@", "a", "/"]
)
def test_what_nearly_matches_is_passed_quickly(bad: str) -> None:
    text = bad * (100_000 // len(bad)) + "\n{x}"
    assert find(text)[-1].of(text).endswith("{x}")
