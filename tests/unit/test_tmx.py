"""TMX: units of several languages, read as a stream and refused where they are bombs."""

import io
from itertools import islice
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.errors import InputError
from serving.stores.memory_store import Pair
from serving.stores.tmx import read, write

UNIT = """<tu{source}>
  <tuv xml:lang="en-US">
    <seg>The <hi>old</hi> <bpt i="1">&lt;b&gt;</bpt>house<ept i="1"/>.</seg>
  </tuv>
  <tuv xml:lang="de"><seg>Das alte
    Haus &amp; Hof.</seg></tuv>
  <tuv lang="fr"><prop>x</prop><seg>La maison.</seg></tuv>
</tu>"""


def tmx(body: str, header: str = 'srclang="en"', before: str = "") -> BinaryIO:
    text = f'<?xml version="1.0"?>{before}<tmx version="1.4"><header {header}/><body>{body}</body>'
    return io.BytesIO(f"{text}</tmx>".encode())


ENGLISH, GERMAN, FRENCH = "The old house.", "Das alte Haus & Hof.", "La maison."


def test_every_other_language_makes_a_pair() -> None:
    assert list(read(tmx(UNIT.format(source="")))) == [
        Pair("en-US", "de", ENGLISH, GERMAN),
        Pair("en-US", "fr", ENGLISH, FRENCH),
    ]


def test_languages_may_be_chosen() -> None:
    unit = UNIT.format(source="")
    assert list(read(tmx(unit), target="de")) == [Pair("en-US", "de", ENGLISH, GERMAN)]
    assert list(read(tmx(unit), source="de", target="en")) == [Pair("de", "en-US", GERMAN, ENGLISH)]
    assert list(read(tmx(unit), source="it")) == []


def test_a_unit_may_say_its_own_source() -> None:
    found = list(read(tmx(UNIT.format(source=' srclang="fr"'))))
    assert [(one.source, one.target) for one in found] == [("fr", "en-US"), ("fr", "de")]
    first = list(read(tmx(UNIT.format(source=""), header='srclang="*all*"')))
    assert {one.source for one in first} == {"en-US"}


def test_empty_segments_make_no_pair() -> None:
    unit = '<tu><tuv xml:lang="en"><seg/></tuv><tuv xml:lang="de"><seg>x</seg></tuv></tu>'
    assert list(read(tmx(unit))) == []


def test_a_large_file_is_read_as_it_comes() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += 1
            head = b"" if self.given > 1 else b'<tmx version="1.4"><header srclang="en"/><body>'
            return head + UNIT.format(source="").encode() * 100

    file = Endless()
    assert len(list(islice(read(file), 1000))) == 1000  # type: ignore[arg-type]
    assert file.given <= 6


BOMB = '<!DOCTYPE tmx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE tmx [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>'


@pytest.mark.parametrize("before", [BOMB, OUTSIDE, PARAMETER])
def test_entities_are_refused(before: str) -> None:
    with pytest.raises(InputError, match="line 1: declares entities"):
        list(read(tmx(UNIT.format(source=""), before=before)))


def test_the_usual_document_type_is_not_opened() -> None:
    usual = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">'
    assert len(list(read(tmx(UNIT.format(source=""), before=usual)))) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1: not XML"),
        (b"plain text", "line 1: not XML"),
        (b"<html></html>", "line 1: no TMX"),
        (b"<tmx><body>\n<tu></body></tmx>", "line 2: not XML .mismatched tag"),
        (b"<tmx><tu><seg>" + b"x" * 1_100_000, "a segment of more than"),
    ],
)
def test_what_is_no_tmx_is_refused_by_line(content: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        list(read(io.BytesIO(content)))


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zs", "Zl", "Zp"]),
    min_size=1,
).filter(lambda text: not text.isspace() and not {"\ufffe", "\uffff"} & set(text))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT)))
def test_what_is_written_is_read_again(texts: list[tuple[str, str]]) -> None:
    pairs = [Pair("en", "de-AT", text, translation) for text, translation in texts]
    file = io.StringIO()
    assert write(pairs, file) == len(pairs)
    assert list(read(io.BytesIO(file.getvalue().encode()))) == pairs
