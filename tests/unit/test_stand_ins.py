"""What a model reads in the place of protected spans, and the way back to the sentence."""

import pytest

from serving.text.protected_spans import find
from serving.text.stand_ins import original_offset, read


@pytest.mark.parametrize(
    ("language", "sentence", "text"),
    [
        ("en", "Hello {name}, 42 files", "Hello man, 2 files"),
        ("de-AT", "Hallo {name}", "Hallo Mann"),
        ("xx", "Hello {name}, 42", "Hello , 2"),
        ("en", "5km of b{x}, 第3章, 4street", "2 of man, 第2章, 4street"),
        ("en", "in the 1990s, a<b>b", "in the 2, a b"),
        ("en", "{count} of %d or %(n)d and {name}", "2 of 2 or 2 and man"),
        ("en", "1 or 1,0 or 21 <b>dogs</b> 😀!", "1 or 2 or 2 dogs !"),
    ],
)
def test_a_noun_a_figure_or_nothing_stands_in(language: str, sentence: str, text: str) -> None:
    assert read(sentence, find(sentence), language).text == text


def test_what_is_not_replaced_is_read_itself() -> None:
    sentence = "See {a} at b@c.de 3x."
    reading = read(sentence, find(sentence), "en", lambda verbatim: verbatim == "{a}")
    assert reading.text == "See man at b@c.de 3x."
    assert [slot.replaced for slot in reading.slots] == [True, False, False]
    assert [slot.apart for slot in reading.slots] == [(True, True)] * 3
    assert [reading.text[slice(*slot.span)] for slot in reading.slots] == ["man", "b@c.de", "3x"]
    assert [sentence[slice(*slot.original)] for slot in reading.slots] == ["{a}", "b@c.de", "3x"]
    assert [slot.spaced for slot in reading.slots] == [(True, True), (True, True), (True, False)]
    assert reading.own_words.split() == ["See", "at", "."]


def test_offsets_lead_back_to_the_sentence() -> None:
    sentence = "a {name} b <i>c"
    reading = read(sentence, find(sentence), "en")
    assert reading.text == "a man b c"
    back = [original_offset(at, reading.slots) for at in range(len(reading.text) + 1)]
    assert back == [0, 1, 2, 2, 2, 8, 9, 10, 14, 15]
