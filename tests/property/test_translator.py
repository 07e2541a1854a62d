"""Whatever the text: an echo gives it back, and nothing of a long sentence is lost."""

from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mt.beam_search import SearchOptions
from mt.errors import InputError
from serving.text.long_sentences import cut
from serving.text.segmenter import Segment
from serving.translator import Translator
from tests.app_client import over
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.fakes import EchoStepper

WORDS = ["Jane", "visits", "Africa", "dog", "the", "12", "test,", "fox;", "wahr?", "Hello!", "日本"]
SPACES = [" ", "  ", "\n", "\r\n\r\n", "\t", " \n "]
layouts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SPACES)), max_size=40)


@pytest.fixture(scope="module")
def echo() -> Iterator[Translator]:
    bundle = fake_bundle(max_source_tokens=16)
    with over(bundle, EchoStepper(bundle.tokenizer.vocab_size)) as translator:
        yield translator


@settings(deadline=None, max_examples=40)
@given(layouts)
def test_an_echo_keeps_words_and_lines(echo: Translator, layout: list[tuple[str, str]]) -> None:
    text = "".join(word + space for word, space in layout)
    assume(not layout or any(word != "日本" for word, _ in layout))  # unknown to the model
    [translation] = echo.translate([text], SearchOptions(beam_size=1))
    for ours, given_line in zip(translation.text.split("\n"), text.split("\n"), strict=True):
        assert ours.replace("日本", "").split() == given_line.replace("日本", "").split()


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=60))
def test_any_text_is_translated_or_refused(echo: Translator, text: str) -> None:
    try:
        [translation] = echo.translate([text], SearchOptions(beam_size=1))
    except InputError:
        return
    for sentence in translation.sentences:
        assert text[slice(*sentence.source)].strip()
        assert translation.text[slice(*sentence.target)] == sentence.hypotheses[0].text


@settings(deadline=None, max_examples=150)
@given(st.text(min_size=1, max_size=80), st.integers(6, 20), st.booleans())
def test_parts_of_a_sentence_fit_and_are_the_sentence(
    text: str, max_tokens: int, byte_fallback: bool
) -> None:
    sentence = text.strip()
    assume(sentence and "\x00" not in sentence)
    tokenizer = small_tokenizer(byte_fallback)
    parts = cut(Segment(sentence, " \n", 3), tokenizer, max_tokens)
    assert "".join(part.sentence + part.gap for part in parts) == sentence + " \n"
    for part in parts:
        assert part.sentence
        fits = len(tokenizer.encode_source(part.sentence)) <= max_tokens
        assert fits or len(part.sentence) == 1
