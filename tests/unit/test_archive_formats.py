"""Documents that are archives: their passages, what stays, and what is not opened at all."""

import io
import re
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from mt.beam_search import SearchOptions
from mt.errors import InputError
from serving.file_formats import archives, open_file
from tests.app_client import over
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper

BOLD = "<w:rPr><w:b/></w:rPr>"
DOCX = f"""<?xml version="1.0" encoding="UTF-8"?>
<w:document xmlns:w="http://w"><w:body>
<w:p><w:pPr><w:jc/></w:pPr><w:r><w:t>The </w:t></w:r><w:proofErr/><w:r><w:t>lazy </w:t></w:r>\
<w:r>{BOLD}<w:t xml:space="preserve">dog</w:t></w:r><w:r><w:tab/><w:t>jumps &amp; runs</w:t></w:r>\
<w:hyperlink r:id="5"><w:r><w:t> here</w:t></w:r></w:hyperlink></w:p>
<w:p><w:r><w:t>42</w:t></w:r></w:p><w:p/>
<w:tbl><w:tr><w:tc><w:p><w:r>{BOLD}<w:t>fox</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
<w:p><w:r><w:drawing><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:drawing></w:r></w:p>
</w:body></w:document>"""
ODT = """<?xml version="1.0"?><office:document-content><office:body>
<text:h>Jane</text:h>
<text:p>The <text:span text:style-name="T1">lazy</text:span> dog<text:s/> jumps\
<text:line-break/>over <text:a xlink:href="x">the fox</text:a>.</text:p><text:p/>
</office:body></office:document-content>"""
PAGE = """<?xml version="1.0"?><html><head><title>Jane</title></head>
<body><p>A <b>dog</b></p></body></html>"""


def zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def unzipped(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def translated(name: str, content: bytes, change: Callable[[str], str] = str) -> dict[str, str]:
    found = open_file(name, content)
    return unzipped(found.filled([change(text) for text in found.texts]))


def loud(text: str) -> str:
    return re.sub(r"(?<![<\w/&=])\b[a-z]+\b(?![^<]*>)", lambda word: word[0].upper(), text)


def test_word_paragraphs_are_passages_whatever_their_runs() -> None:
    content = zipped({"[Content_Types].xml": "<t/>", "word/document.xml": DOCX, "x/i.png": "\x89"})
    found = open_file("a.docx", content)
    assert found.texts == [
        'The lazy <r id="1">dog</r><bx id="0"/>jumps &amp; runs<h id="1"> here</h>',
        "fox",
    ]
    said = translated("a.docx", content)
    assert [*said] == ["[Content_Types].xml", "word/document.xml", "x/i.png"]
    runs = '<w:r><w:t xml:space="preserve">The lazy </w:t></w:r>'
    runs += f'<w:r>{BOLD}<w:t xml:space="preserve">dog</w:t></w:r><w:r><w:tab/></w:r>'
    runs += '<w:r><w:t xml:space="preserve">jumps &amp; runs</w:t></w:r>'
    runs += '<w:hyperlink r:id="5"><w:r><w:t xml:space="preserve"> here</w:t></w:r></w:hyperlink>'
    first = DOCX.index("<w:r>")
    expected = DOCX[:first] + runs + DOCX[DOCX.index("</w:p>") :]
    expected = expected.replace("<w:t>fox", '<w:t xml:space="preserve">fox')
    assert said["word/document.xml"] == expected
    assert 'preserve">JUMPS &amp; RUNS<' in translated("a.docx", content, loud)["word/document.xml"]


def test_word_headers_and_notes_are_read_too() -> None:
    note = "<w:x><w:p><w:r><w:t>a dog</w:t></w:r></w:p></w:x>"
    members = ("word/header1.xml", "word/footnotes.xml", "word/settings.xml", "word/styles.xml")
    found = open_file("a.docx", zipped(dict.fromkeys(members, note)))
    assert found.texts == ["a dog", "a dog"]


def test_open_documents() -> None:
    content = zipped(
        {"mimetype": "m", "content.xml": ODT, "styles.xml": "<a><text:p>Foot</text:p></a>"}
    )
    found = open_file("a.odt", content)
    assert found.texts == [
        "Jane",
        'The <text:span text:style-name="T1">lazy</text:span> dog<text:s/> jumps',
        'over <text:a xlink:href="x">the fox</text:a>.',
        "Foot",
    ]
    assert translated("a.odt", content) == unzipped(content)
    assert ">LAZY</text:span> DOG" in translated("a.odt", content, loud)["content.xml"]


def test_books() -> None:
    content = zipped({"mimetype": "application/epub+zip", "a/1.xhtml": PAGE, "a/s.css": "p {}"})
    assert open_file("a.epub", content).texts == ["Jane", "A <b>dog</b>"]
    assert translated("a.epub", content) == unzipped(content)
    assert "A <b>DOG</b>" in translated("a.epub", content, loud)["a/1.xhtml"]


def test_members_are_packed_as_they_were() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype", (2001, 2, 3, 4, 5, 6)), "m")
        archive.writestr("content.xml", ODT, zipfile.ZIP_DEFLATED)
    found = open_file("a.odt", content.getvalue())
    with zipfile.ZipFile(io.BytesIO(found.filled(found.texts))) as archive:
        first, second = archive.infolist()
    assert (first.filename, first.date_time) == ("mimetype", (2001, 2, 3, 4, 5, 6))
    assert first.compress_type == zipfile.ZIP_STORED
    assert second.compress_type == zipfile.ZIP_DEFLATED


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:\\x", "..\\x"])
def test_paths_out_of_the_archive_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^file: member 2 of the archive has a path that leads"):
        open_file("a.odt", zipped({"content.xml": ODT, name: "x"}))


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 10_000)
    bomb = zipped({"content.xml": ODT, "big": b"0" * 20_000})
    with pytest.raises(InputError, match=r"^file: unpacked it is larger than"):
        open_file("a.odt", bomb)
    liar = bomb.replace(struct.pack("<L", 20_000), struct.pack("<L", 20))  # in both headers
    with pytest.raises(InputError, match=r"^file: (unpacked it is larger|not a whole zip)"):
        open_file("a.odt", liar)
    monkeypatch.setattr(archives, "MOST_TEXT_BYTES", 10)
    with pytest.raises(InputError, match=r"^file: a member of "):
        open_file("a.odt", zipped({"content.xml": ODT}))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(InputError, match=r"^file: 2 members, at most 1"):
        open_file("a.odt", zipped({"content.xml": ODT, "b": ""}))


def test_entity_bombs_are_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a><text:p>&c;</text:p></a>'
    with pytest.raises(InputError, match=r"^file: declares XML entities"):
        open_file("a.odt", zipped({"content.xml": bomb}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rubbish", "not a whole zip archive"),
        (zipped({"content.xml": ODT})[:-30], "not a whole zip archive"),
        (zipped({"content.xml": b"\xff\xfe"}), "content.xml is not UTF-8"),
        (zipped({"content.xml": "<a>"}), "not well-formed XML"),
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^file: {message}"):
        open_file("a.odt", content)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("a.docx", {"word/document.xml": DOCX}),
        ("a.odt", {"content.xml": ODT}),
        ("a.epub", {"1.xhtml": PAGE}),
    ],
)
def test_archives_through_a_translator_that_says_them_back(
    name: str, members: dict[str, Any]
) -> None:
    bundle = fake_bundle(byte_fallback=True, max_source_tokens=300, max_target_tokens=300)
    found = open_file(name, zipped(members))
    with over(bundle, EchoStepper(bundle.tokenizer.vocab_size)) as translator:
        search = SearchOptions(beam_size=1)
        answers = translator.translate(found.texts, search, None, found.text_options)
    said = unzipped(found.filled([answer.text for answer in answers]))
    assert said == translated(name, zipped(members))
