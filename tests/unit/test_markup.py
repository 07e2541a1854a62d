"""Markup through a translator: everything but the words comes back as it was."""

from collections.abc import Iterator
from typing import Any

import pytest

from mt.beam_search import SearchOptions
from mt.errors import InputError
from serving.text.text_options import TextOptions
from serving.translation import Translation
from serving.translator import Translator
from tests.app_client import over
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.fakes import EchoStepper, TableStepper
from tests.gated_stepper import PATIENCE_S

PAGE = """<!DOCTYPE html>
<html lang="fr"><head><title>Jane visits Africa</title><style>p { color: red }</style></head>
<body class='a "b"'>
  <!-- Jane visits -->
  <p>Jane <b>visits <i>Africa</i></b> in <a href="x?a=1&amp;b=2">September</a>.<br/>
     The&nbsp;quick &lt;fox&gt; jumps over the <code>lazy</code> dog.</p>
  <ul><li>the <img src="a.png" alt="Jane"> dog<li translate="no">the fox</ul>
  <script>if (1 < 2) { say("<b>Jane</b>") }</script>
  <p>42 &mdash; 😀</p>
</body></html>
"""


@pytest.fixture(scope="module")
def echo() -> Iterator[Translator]:
    bundle = fake_bundle(byte_fallback=True, max_source_tokens=200)
    with over(bundle, EchoStepper(bundle.tokenizer.vocab_size)) as translator:
        yield translator


def translate(translator: Translator, text: str, n_best: int = 1, **options: Any) -> Translation:
    search = SearchOptions(beam_size=max(2, n_best), n_best=n_best)
    wishes = TextOptions.model_validate({"format": "html"} | options)
    return translator.translate([text], search, None, wishes)[0]


def test_a_page_said_back_is_the_page(echo: Translator) -> None:
    said = translate(echo, PAGE).text
    assert said.split() == PAGE.replace("&nbsp;", " ").split()


def test_only_what_has_letters_is_translated() -> None:
    bundle = fake_bundle()
    text = "<p>42 &nbsp; <b>1,5</b></p><img><p>a dog</p>"
    with over(bundle, EchoStepper(bundle.tokenizer.vocab_size)) as translator:
        assert translate(translator, text).text == text
        assert translator.engine.drain(PATIENCE_S)
        assert translator.engine.stats().done == 1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("<t>Jane <x id='5'></x> visits</t>", {"format": "xml", "ignore_tags": ["x"]}),
        ("Jane &amp; the <e>lazy</e> dog", {"format": "xml"}),
        ("<a>the dog</a><a>the fox</a>", {"format": "xml"}),
        ("the <b>lazy dog. The quick</b> fox", {}),
        ("", {}),
        (" \n ", {}),
        ("<p></p>", {}),
    ],
)
def test_fragments_said_back(echo: Translator, text: str, options: dict[str, Any]) -> None:
    assert translate(echo, text, **options).text == text


def test_what_a_model_writes_is_escaped() -> None:
    tokenizer = small_tokenizer(byte_fallback=True)
    bundle = fake_bundle(byte_fallback=True)

    class Writes(EchoStepper):
        def distribution(self, src: Any, prefix: Any) -> Any:
            return super().distribution([*tokenizer.encode("<b> & >"), 3], prefix)

    with over(bundle, Writes(tokenizer.vocab_size)) as translator:
        assert translate(translator, "<p>Hello</p>").text == "<p>&lt;b&gt; &amp; &gt;</p>"


def test_candidates_are_markup_too() -> None:
    bundle = fake_bundle()
    stepper = TableStepper(seed=4, vocab_size=bundle.tokenizer.vocab_size, peak=3.0)
    with over(bundle, stepper) as translator:
        wishes = TextOptions(format="html")
        search = SearchOptions(beam_size=3, n_best=3, max_length=8)
        [found] = translator.translate(["<p>a <b>dog</b></p><p>fox</p>"], search, None, wishes)
    assert found.text == found.candidates[0].text
    assert len({one.text for one in found.candidates}) == 3
    for one in found.candidates:
        assert one.text.startswith("<p>")
        assert one.text.count("<b>") == one.text.count("</b>") == 1
    assert found.source_tokens > 0


def test_warnings_name_the_paragraph() -> None:
    bundle = fake_bundle()

    class Loops(EchoStepper):
        def distribution(self, src: Any, prefix: Any) -> Any:
            return super().distribution([9], prefix)

    with over(bundle, Loops(bundle.tokenizer.vocab_size)) as translator:
        found = translate(translator, "<p>42</p><p>a dog</p>", guards=False)
    assert found.warnings[0] == "paragraph 1, sentence 1 repeats itself"


def test_what_cannot_be_read_is_refused_by_its_number(echo: Translator) -> None:
    wishes = TextOptions(format="xml")
    with pytest.raises(InputError, match=r"^texts\[1\]: not well-formed XML: mismatched tag"):
        echo.translate(["<a>dog</a>", "<a>dog</b>"], SearchOptions(), None, wishes)
    with pytest.raises(InputError, match=r"^texts\[0\]: the model knows none of its characters"):
        translate(echo, "<p>日本語</p>")
