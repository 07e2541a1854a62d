"""Where a sentence that is too long is cut."""

import pytest

from serving.text.long_sentences import cut
from serving.text.segmenter import Segment
from tests.fake_bundle import small_tokenizer


def parts(text: str, max_tokens: int, byte_fallback: bool = False) -> list[str]:
    tokenizer = small_tokenizer(byte_fallback)
    pieces = cut(Segment(text, "\n", 7), tokenizer, max_tokens)
    assert "".join(piece.sentence + piece.gap for piece in pieces) == text + "\n"
    assert all(text[piece.start - 7 : piece.end - 7] == piece.sentence for piece in pieces)
    for piece in pieces:
        fits = len(tokenizer.encode_source(piece.sentence)) <= max_tokens
        assert fits or len(piece.sentence) == 1
    return [piece.sentence for piece in pieces]


def test_a_sentence_that_fits_stays_whole() -> None:
    text = "Hello world, this is a small test."
    exactly = len(small_tokenizer().encode_source(text))
    assert parts(text, exactly) == [text]
    assert len(parts(text, exactly - 1)) == 2


def test_punctuation_is_preferred_to_space() -> None:
    text = "Hello world, this is a small test, not wahr is it"
    assert parts(text, 26)[0] == "Hello world, this is a small test,"


def test_punctuation_that_leaves_a_short_part_is_not() -> None:
    assert parts("a, " + "small test " * 12, 20)[0] != "a,"


def test_space_is_preferred_to_tokens() -> None:
    for part in parts("small test " * 30 + "end", 16):
        assert set(part.split()) <= {"small", "test", "end"}


def test_a_word_without_end_is_cut_between_tokens() -> None:
    word = "smalltest" * 50
    assert "".join(parts(word, 16)) == word


def test_decimal_commas_are_no_pauses() -> None:
    assert all(part.split(",")[-1] for part in parts("0,12345 " * 20 + "a", 16))


@pytest.mark.parametrize(
    "text", ["日" * 30, "日本、" * 30, "e\u0301" * 40, "👨‍👩‍👧" * 9, "😀 " * 20 + "x"]
)
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_any_script_is_cut(text: str, byte_fallback: bool) -> None:
    for part in parts(text, 24, byte_fallback):
        assert not part.startswith(("\u0301", "\u200d"))


def test_a_character_that_cannot_fit_stays_alone() -> None:
    assert parts("a😀", 3, byte_fallback=True) == ["a", "😀"]


def test_a_very_long_line_is_cut_in_linear_time() -> None:
    assert len(parts("small test " * 5_000 + "x", 64)) > 200
