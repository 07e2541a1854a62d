"""Which characters a piece stands for, and which pieces were learnt from text."""

from itertools import pairwise

from mt.tokenizer import EOS_ID, UNK_ID
from tests.fake_bundle import small_tokenizer


def test_source_spans_cover_the_text_in_order() -> None:
    tokenizer = small_tokenizer()
    text = "Hello  world, é"
    ids, spans = tokenizer.encode_with_spans(text)
    assert ids == tokenizer.encode(text)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


def test_offsets_count_characters_not_bytes() -> None:
    _, spans = small_tokenizer().encode_with_spans("äää x")
    assert spans[-1] == (4, 5)


def test_target_spans_are_those_of_the_decoded_text() -> None:
    tokenizer = small_tokenizer()
    ids = tokenizer.encode("Hello world.")
    text, spans = tokenizer.decode_with_spans(ids)
    assert text == tokenizer.decode(ids) == "Hello world."
    assert "".join(text[start:end] for start, end in spans) == text
    assert tokenizer.decode_with_spans([]) == ("", [])


def test_the_last_byte_of_a_character_has_its_span() -> None:
    tokenizer = small_tokenizer(byte_fallback=True)
    ids, spans = tokenizer.encode_with_spans("😀")
    assert len(ids) == 5  # the bare space and four bytes
    assert [end - start for start, end in spans] == [0, 0, 0, 0, 1]


def test_learnt_pieces() -> None:
    tokenizer = small_tokenizer(byte_fallback=True)
    space, *of_bytes = tokenizer.encode("😀")
    assert not any(map(tokenizer.is_learnt, [UNK_ID, EOS_ID, space, *of_bytes]))
    assert all(map(tokenizer.is_learnt, tokenizer.encode("Jane visits")))
