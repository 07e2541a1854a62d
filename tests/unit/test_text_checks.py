"""What is refused at the door; the message names the text and never repeats it."""

import pytest

from mt.errors import InputError
from mt.search_options import SearchOptions
from serving.settings import OFFLINE, Limits
from serving.text.text_checks import (
    check_options,
    check_texts,
    check_work,
    has_letters,
    has_words,
    search_options,
)

LIMITS = Limits(max_texts=3, max_text_chars=10, max_total_chars=15)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["ok", "ok", "a\x00b"], r"texts\[2\]: control character U\+0000 at position 1; remove it"),
        (["\x1b[0m"], r"texts\[0\]: control character U\+001B"),
        (["a\x85"], r"texts\[0\]: control character U\+0085"),
        (["\x7f"], r"texts\[0\]: control character U\+007F"),
        (["ok", "a\ud83d"], r"texts\[1\]: half of a surrogate pair at position 1; send valid"),
        (["ok", "a" * 11], r"texts\[1\]: 11 characters, at most 10"),
        (["a"] * 4, "4 texts, at most 3 in one request"),
        (["a" * 8, "b" * 8], "16 characters in all, at most 15"),
        ([b"bytes"], r"texts\[0\]: is bytes, not text"),
        ([None], r"texts\[0\]: is NoneType, not text"),
        ("one string", "texts must be a list of strings"),
    ],
)
def test_a_bad_text_is_named(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        check_texts(texts, LIMITS)


def test_text_is_never_repeated() -> None:
    with pytest.raises(InputError) as error:
        check_texts(["secret\x00"], LIMITS)
    assert "secret" not in str(error.value)


def test_good_texts_pass() -> None:
    check_texts(["", " \t\r\n", "é 😀"], LIMITS)
    check_texts([], LIMITS)
    check_texts(["a" * 1_000_000, *["a"] * 10_000], OFFLINE)


def test_a_search_that_is_too_wide_is_refused() -> None:
    limits = Limits(max_beam_size=8, max_n_best=4)
    check_options(SearchOptions(beam_size=8, n_best=4), limits)
    with pytest.raises(InputError, match="beam_size is 9, at most 8"):
        check_options(SearchOptions(beam_size=9), limits)
    with pytest.raises(InputError, match="n_best is 5, at most 4"):
        check_options(SearchOptions(beam_size=8, n_best=5), limits)
    check_options(SearchOptions(samples=4), limits)
    with pytest.raises(InputError, match="samples is 5, at most 4"):
        check_options(SearchOptions(samples=5), limits)


def test_long_texts_and_a_wide_search_are_refused_together() -> None:
    check_work(["a" * 60, "b" * 40], SearchOptions(beam_size=4), most=400)
    with pytest.raises(InputError, match="101 characters times 4 hypotheses are 404, at most 400"):
        check_work(["a" * 61, "b" * 40], SearchOptions(beam_size=4), most=400)
    with pytest.raises(InputError, match="times 5 hypotheses"):
        check_work(["a" * 100], SearchOptions(samples=5, beam_size=1), most=400)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beam_size": 0}, "beam_size: .*greater than or equal to 1"),
        ({"beam_size": 10_000}, "beam_size: "),
        ({"beam_size": 2, "n_best": 3}, "n_best is 3, more than beam_size, 2"),
        ({"beam": 2}, "beam: Extra inputs are not permitted"),
        ({"beam_size": 17}, "beam_size is 17, at most 16"),
    ],
)
def test_options_out_of_range_are_named(values: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        search_options(values, Limits())


def test_options_of_plain_values() -> None:
    expected = SearchOptions(beam_size=3, length_penalty=0.6)
    assert search_options({"beam_size": 3, "length_penalty": 0.6}, Limits()) == expected


@pytest.mark.parametrize(
    ("text", "words", "letters"),
    [
        ("Oui.", True, True),
        ("42", True, False),
        ("日本", True, True),
        ("?!", False, False),
        ("— …", False, False),
        ("+ = €", False, False),
        ("😀", False, False),
        ("👍🏽 ☀️", False, False),
        (" ", False, False),
    ],
)
def test_words_and_letters(text: str, words: bool, letters: bool) -> None:
    assert has_words(text) is words
    assert has_letters(text) is letters
