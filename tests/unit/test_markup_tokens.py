"""Tokens put end to end are the markup; what each is, as HTML and as XML read it."""

import pytest

from mt.errors import InputError
from serving.text.markup_tokens import tokens


def read(markup: str, is_html: bool) -> list[tuple[str, str]]:
    found = tokens(markup, is_html)
    assert "".join(token.raw for token in found) == markup
    return [(token.kind, token.text or token.name or token.raw) for token in found]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", []),
        ("no tags &amp; all", [("text", "no tags & all")]),
        ("<P Class=x>Hi</p>", [("open", "p"), ("text", "Hi"), ("close", "p")]),
        ("AT&T a < b &lt; &#8364; &nbsp;c", [("text", "AT&T a < b < € \u00a0c")]),
        ("a<br>b<img src='x'/>", [("text", "a"), ("empty", "br"), ("text", "b"), ("empty", "img")]),
        (
            "<script>if (a<b) '<p>'</script>x",
            [("open", "script"), ("other", "if (a<b) '<p>'"), ("close", "script"), ("text", "x")],
        ),
        ("a<!-- <b> -->", [("text", "a"), ("other", "<!-- <b> -->")]),
        ("<!DOCTYPE html>\n<p>", [("other", "<!DOCTYPE html>"), ("text", "\n"), ("open", "p")]),
        ("</p>\r\nx", [("close", "p"), ("text", "\r\nx")]),
        ("<a href=", [("text", "<a href=")]),
        ("a<![if x]>b<![<", [("text", "a"), ("other", "<![if x]>"), ("text", "b<![<")]),
    ],
)
def test_html(markup: str, expected: list[tuple[str, str]]) -> None:
    assert read(markup, is_html=True) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", []),
        ("just é &amp; 日", [("text", "just é & 日")]),
        ("<A>é</A><b/>", [("open", "A"), ("text", "é"), ("close", "A"), ("empty", "b")]),
        ("<a x='/>'></a>", [("open", "a"), ("close", "a")]),
        ("<a><b/></a>", [("open", "a"), ("empty", "b"), ("close", "a")]),
        ("a<![CDATA[<&amp;]]>b &#x41;", [("text", "a<&amp;b A")]),
        ("x&nbsp;y &own; z", [("text", "x\u00a0y "), ("other", "&own;"), ("text", " z")]),
        ("<?pi x?><!-- c -->\n", [("other", "<?pi x?><!-- c -->"), ("text", "\n")]),
        (
            "<?xml version='1.0'?>\n<!DOCTYPE r>\n<r/>\n",
            [("other", "<?xml version='1.0'?>\n<!DOCTYPE r>\n"), ("empty", "r"), ("other", "\n")],
        ),
        ("<!DOCTYPE r><r/>", [("other", "<!DOCTYPE r>"), ("empty", "r")]),
    ],
)  # fmt: skip
def test_xml(markup: str, expected: list[tuple[str, str]]) -> None:
    assert read(markup, is_html=False) == expected


def test_attributes_are_read() -> None:
    [token] = tokens("<img ALT='a &amp; b' hidden>", is_html=True)
    assert token.attributes == {"alt": "a & b", "hidden": None}
    assert tokens("<x id='5'/>", is_html=False)[0].attributes == {"id": "5"}


@pytest.mark.parametrize("bad", ["<a>", "</a>", "<a></b>", "a < b", "a & b", "<a x=1/>", "<a/><"])
def test_xml_that_is_not_well_formed_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match=r"^not well-formed XML: [a-z ()-]+, line 1$"):
        tokens(bad, is_html=False)


def test_entity_bombs_are_refused() -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r>&b;</r>'
    with pytest.raises(InputError, match="declares XML entities"):
        tokens(bomb, is_html=False)
    outside = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>'
    with pytest.raises(InputError, match="declares XML entities"):
        tokens(outside, is_html=False)
