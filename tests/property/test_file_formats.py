"""Any bytes: a file is taken apart or refused, and what was not translated is as it was."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.beam_search import SearchOptions
from mt.errors import InputError
from serving.file_formats import ENDINGS, open_file
from serving.text.text_options import TextOptions
from serving.translator import Translator
from tests.app_client import over
from tests.babbling_stepper import BabblingStepper
from tests.fake_bundle import fake_bundle

PIECES = [
    "<",
    ">",
    "</",
    "b",
    "p",
    "<b>",
    "</b>",
    "<p>",
    "<br/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
]
PIECES += [
    "&amp;",
    "&",
    "&#8364;",
    "<script>",
    "</script>",
    "<!DOCTYPE x",
    "<?xml ",
    "?>",
    '"',
    "'",
]
PIECES += [
    "a dog",
    "Jane.",
    " ",
    "\n",
    "\r\n",
    "\n\n",
    "- ",
    "# ",
    "> ",
    "| ",
    "|---|",
    "**",
    "_",
    "`",
]
PIECES += [
    "[a](b)",
    "![",
    "](",
    "1. ",
    "```\n",
    "---\n",
    "00:01 --> 00:02\n",
    "{\\an8}",
    "{",
    "}",
    ":",
]
PIECES += [
    'msgid "a"\n',
    'msgstr ""\n',
    '"a"',
    "[",
    "]",
    ",",
    "{x}",
    "%d",
    "\\",
    "\t",
    "é",
    "😀",
    "\x0b",
]
messy = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
CATALOGUES = (".po", ".xlf")
SAME = (".txt", ".html", ".json", ".arb")  # a text given back is the file, byte for byte


@settings(deadline=None, max_examples=400)
@given(messy | st.text(max_size=60), st.sampled_from(ENDINGS))
def test_any_text_is_taken_apart_or_refused(text: str, ending: str) -> None:
    content = text.encode()
    try:
        found = open_file(f"a{ending}", content)
    except InputError:
        return
    again = found.filled(found.texts)
    if ending in SAME:
        assert again == content
    if ending in CATALOGUES:
        assert open_file(f"a{ending}", again).texts == []  # every message has its translation


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.sampled_from(ENDINGS))
def test_any_bytes_are_taken_apart_or_refused(content: bytes, ending: str) -> None:
    try:
        found = open_file(f"a{ending}", content)
    except InputError:
        return
    assert isinstance(found.filled(found.texts), bytes)


@pytest.fixture(scope="module")
def babble() -> Iterator[Translator]:
    bundle = fake_bundle(byte_fallback=True, max_source_tokens=40)
    with over(bundle, BabblingStepper(3, bundle.tokenizer.vocab_size)) as translator:
        yield translator


@settings(deadline=None, max_examples=150)
@given(messy, st.sampled_from(["text", "html", "xml"]), st.sampled_from(["newlines", "off", None]))
def test_any_markup_is_translated_or_refused(
    babble: Translator, text: str, form: str, splitting: str | None
) -> None:
    options = TextOptions.model_validate({"format": form, "split_sentences": splitting})
    search = SearchOptions(beam_size=1, max_length=8)
    try:
        [found] = babble.translate([text], search, None, options)
    except InputError:
        return
    assert isinstance(found.text, str)
    assert not any("lost" in warning for warning in found.warnings)
