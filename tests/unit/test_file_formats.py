"""Files of each kind: what is translated, and that everything else comes back byte for byte."""

import re
from collections.abc import Callable

import pytest

from mt.beam_search import SearchOptions
from mt.errors import InputError
from serving.file_formats import ENDINGS, open_file
from tests.app_client import over
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper


def texts(name: str, content: str) -> list[str]:
    return open_file(name, content.encode()).texts


def filled(name: str, content: str, change: Callable[[str], str] = str) -> str:
    found = open_file(name, content.encode())
    return found.filled([change(text) for text in found.texts]).decode()


def loud(text: str) -> str:
    """Words of small letters in capitals, but not those of tags."""
    return re.sub(r"(?<![<\w/&={.@:%-])\b[a-z]+\b(?![^<]*>)", lambda word: word[0].upper(), text)


PO = """# a comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"

#: a.c:1
#, c-format
msgctxt "menu"
msgid "Hello %s"
msgstr ""

msgid ""
"one \\"file\\"\\n"
"more"
msgid_plural "many files"
msgstr[0] ""
msgstr[1] ""

msgid "done"
msgstr "fertig"

msgid "%d"
msgstr ""
#~ msgid "old"
#~ msgstr ""
"""

XLIFF = """<?xml version="1.0"?>
<xliff version="1.2"><file original="a"><body>
  <trans-unit id="1">
    <source>Hello <g id="1">big</g> world<x id="2"/></source>
  </trans-unit>
  <trans-unit id="2"><source>a dog</source> <target state="new"/></trans-unit>
  <trans-unit id="3" translate="no"><source>keep</source></trans-unit>
  <trans-unit id="4"><source>b</source><target>c</target></trans-unit>
  <trans-unit id="5"><source>12</source></trans-unit>
</body></file></xliff>
"""

MARKDOWN = """---
title: a page
---
# A *heading* of `code`

One **two** [link *x*](http://a.b "t") and ![img](a.png) &amp; AT&T \\* ok.
A line\\
broken.

> quoted text
> goes on

1. item <b>one</b>
   - [ ] two

| a b | c d |
|-----|-----|
| e f | a b |

```
code
```
    more code

<div>html</div>

[ref]: http://x.y
"""

SRT = """1
00:00:01,000 --> 00:00:02,000
Hello <i>my</i>
dear friend of the whole world

2\r
00:00:03,000 --> 00:00:04,000\r
- one\r
- two\r
\r
3
00:00:05,000 --> 00:00:06,000
1984
"""

ARB = """{
  "@@locale": "en",
  "hello": "Hello {name}\\n\\"you\\"",
  "@hello": {"description": "a greeting", "placeholders": {"name": {"x": "y"}}},
  "n": 5, "all": ["one", null, {"k": "caf\\u00e9"}], "e": ""
}
"""


def test_plain_text_is_translated_by_lines() -> None:
    content = "\ufeffone\r\n\r\n  two 2\n3\n"
    assert texts("a.TXT", content) == ["one", "  two 2"]
    assert filled("a.txt", content, loud) == "\ufeffONE\r\n\r\n  TWO 2\n3\n"


def test_pages_are_translated_by_blocks() -> None:
    content = "<!DOCTYPE html><p>a <b>b</b></p>\n<pre>x\n y</pre><script>a = b</script>"
    assert texts("a.html", content) == ["a <b>b</b>", "<pre>x\n y</pre>"]
    assert filled("a.htm", content, loud) == content.replace(">a <b>b", ">A <b>B").replace(
        "x\n y", "X\n Y"
    )


def test_catalogues_of_gettext() -> None:
    assert texts("a.po", PO) == ["Hello %s", 'one "file"\nmore', "many files", "%d"]
    assert filled("a.po", PO) == PO.replace(
        '"Hello %s"\nmsgstr ""', '"Hello %s"\nmsgstr "Hello %s"'
    ).replace(
        'msgstr[0] ""\nmsgstr[1] ""',
        'msgstr[0] ""\n"one \\"file\\"\\n"\n"more"\nmsgstr[1] "many files"',
    ).replace('"%d"\nmsgstr ""', '"%d"\nmsgstr "%d"')


def test_catalogues_keep_their_line_ends() -> None:
    content = 'msgid "a\\nb"\r\nmsgstr ""\r\n'
    assert filled("a.po", content) == 'msgid "a\\nb"\r\nmsgstr ""\r\n"a\\n"\r\n"b"\r\n'


def test_xliff_gets_its_targets() -> None:
    assert texts("a.xlf", XLIFF) == ['Hello <g id="1">big</g> world<x id="2"/>', "a dog"]
    source = 'Hello <g id="1">big</g> world<x id="2"/>'
    assert filled("a.xliff", XLIFF) == XLIFF.replace(
        f"{source}</source>", f"{source}</source>\n    <target>{source}</target>"
    ).replace('<target state="new"/>', '<target state="new">a dog</target>')


def test_xliff_2_has_segments() -> None:
    content = '<xliff version="2.0"><file><unit id="1"><segment><source>a</source></segment></unit>'
    content += "</file></xliff>"
    assert filled("a.xlf", content, loud) == content.replace(
        "</source>", "</source><target>A</target>"
    )


def test_markdown() -> None:
    assert texts("a.md", MARKDOWN) == [
        'A <span id="0">heading</span> of <code id="1">x</code>',
        'One <span id="0">two</span> <span id="1">link <span id="2">x</span></span> and '
        '<code id="3">x</code> &amp;amp; AT&amp;T <wbr id="4"> ok. A line',
        "broken.",
        "quoted text goes on",
        'item <wbr id="0">one<wbr id="1">',
        "[ ] two",
        *("a b", "c d", "e f", "a b"),
    ]
    joined = MARKDOWN.replace("ok.\nA line", "ok. A line").replace("text\n> goes", "text goes")
    assert filled("a.md", MARKDOWN) == joined


def test_subtitles_keep_times_and_lines() -> None:
    assert texts("a.srt", SRT) == [
        "Hello <i>my</i> dear friend of the whole world",
        "- one",
        "- two",
    ]
    assert filled("a.srt", SRT, loud) == SRT.replace("- one", "- ONE").replace(
        "- two", "- TWO"
    ).replace("my</i>\ndear friend of the whole", "MY</i> DEAR\nFRIEND OF THE WHOLE").replace(
        " world", " WORLD"
    )
    assert filled("a.srt", SRT, lambda _: "Oh").split("\n")[2:4] == ["Oh", ""]


def test_web_subtitles() -> None:
    content = "WEBVTT - a title\n\nNOTE hello\n\nintro\n00:01.000 --> 00:02.000 align:start\n"
    content += "<v Bob>hello\n"
    assert texts("a.vtt", content) == ["<v Bob>hello"]
    assert filled("a.vtt", content) == content


def test_messages_in_json() -> None:
    assert texts("a.arb", ARB) == ['Hello {name}\n"you"', "one", "café"]
    assert filled("a.json", ARB) == ARB
    assert filled("a.arb", ARB, lambda text: text + "ß").count("ß") == 2
    assert '"caf\\u00e9\\u00df"' in filled("a.arb", ARB, lambda text: text + "ß")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.exe", b"x", r"file: only those whose names end in \.txt, "),
        ("a", b"x", "file: only those"),
        ("a.txt", b"ab\xff", "file: byte 3 is not UTF-8"),
        ("a.json", b'{\n"a": }', "file: not JSON, line 2"),
        ("a.json", b"[" * 100_000, "file: not JSON"),
        ("a.po", b'msgid "a"\nrubbish', "file: line 2 is none of a PO file"),
        ("a.po", b'msgid "a\nmsgstr ""', "file: line 1: quotes of a PO file"),
        ("a.xlf", b"<a/>", "file: no XLIFF"),
        ("a.xlf", b"<xliff>", "file: not well-formed XML"),
    ],
)
def test_what_is_no_such_file_is_refused(name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        open_file(name, content)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_file_stays_empty(ending: str) -> None:
    if ending in (".json", ".arb", ".xlf", ".xliff", ".docx", ".odt", ".epub"):
        with pytest.raises(InputError):
            open_file(f"a{ending}", b"")
    else:
        assert open_file(f"a{ending}", b"").filled([]) == b""


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.md", MARKDOWN), ("a.srt", SRT), ("a.arb", ARB), ("a.po", PO), ("a.xlf", XLIFF)],
)
def test_files_through_a_translator_that_says_them_back(name: str, content: str) -> None:
    bundle = fake_bundle(byte_fallback=True, max_source_tokens=300, max_target_tokens=300)
    found = open_file(name, content.encode())
    with over(bundle, EchoStepper(bundle.tokenizer.vocab_size)) as translator:
        search = SearchOptions(beam_size=1)
        answers = translator.translate(found.texts, search, None, found.text_options)
    assert found.filled([answer.text for answer in answers]).decode() == filled(name, content)
