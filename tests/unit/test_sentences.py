"""Where sentences end: as asked for, and never inside what is protected."""

import pytest

from serving.text.protected_spans import ProtectedSpan, find
from serving.text.sentences import sentences
from serving.text.text_options import PLAIN, Splitting, TextOptions


def split(text: str, splitting: Splitting, *terms: str) -> list[tuple[str, str]]:
    found = sentences(text, "en", splitting, find(text, terms))
    assert [one.start for one in found] == sorted({one.start for one in found})
    return [(one.sentence, one.gap) for one in found]


WRAPPED = "The dog sleeps\nin the\r\n  park. It\nsnores.\nWell.\n\n- one\n- two\n1. three"


def test_newlines_end_sentences_by_default() -> None:
    assert PLAIN.splitting == "newlines"
    assert TextOptions(format="html").splitting == "punctuation"
    assert split("The dog\nsleeps. It snores.", "newlines") == [
        ("The dog", "\n"),
        ("sleeps.", " "),
        ("It snores.", ""),
    ]


def test_hard_wrapped_paragraphs_are_joined_when_asked() -> None:
    found = sentences(WRAPPED, "en", "punctuation", [])
    assert [(" ".join(one.sentence.split()), one.gap) for one in found] == [
        ("The dog sleeps in the park.", " "),
        ("It snores.", " "),
        ("Well.", "\n\n"),
        *(("-", " "), ("one", "\n"), ("-", " "), ("two", "\n"), ("1.", " "), ("three", "")),
    ]
    assert [WRAPPED[one.start] for one in found][:5] == ["T", "I", "W", "-", "o"]


def test_marks_of_lists_stand_alone() -> None:
    text = "• A dog.\n  12)  A fox - not here\n- \n-x\n– Oh\n1. FC Jane"
    assert split(text, "newlines", "1. FC") == [
        ("•", " "),
        ("A dog.", "\n  "),
        ("12)", "  "),
        ("A fox - not here", "\n"),
        ("-", " \n"),
        ("-x", "\n"),
        ("–", " "),
        ("Oh", "\n"),
        ("1. FC Jane", ""),
    ]


def test_a_text_may_be_one_sentence() -> None:
    assert split(" A dog. A fox.\nEnd.\n", "off") == [("", " "), ("A dog. A fox.\nEnd.", "\n")]
    assert split(" \n", "off") == [("", " \n")]
    assert split("", "off") == []


def test_no_sentence_ends_inside_what_is_protected() -> None:
    text = "We like Yahoo! Inc. Cars go. {A. B} is it."
    assert split(text, "newlines", "Yahoo! Inc. Cars")[0] == ("We like Yahoo! Inc. Cars go.", " ")
    assert [one for one, _ in split(text, "newlines")][-1] == "{A. B} is it."


@pytest.mark.parametrize("splitting", ["newlines", "punctuation"])
def test_a_given_span_keeps_its_newlines(splitting: Splitting) -> None:
    text = "go x\ny on.\nA fox."
    spans = [ProtectedSpan(3, 6, "term")]
    found = sentences(text, "en", splitting, spans)
    assert [one.sentence for one in found] == ["go x\ny on.", "A fox."]
