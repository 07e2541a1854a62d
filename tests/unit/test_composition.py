"""Control characters never come out, however a model spells them."""

import pytest

from serving.text.composition import written
from tests.fake_bundle import small_tokenizer

TOKENIZER = small_tokenizer(byte_fallback=True)


def byte_ids(data: bytes) -> list[int]:
    pieces = TOKENIZER.pieces(range(TOKENIZER.vocab_size))
    return [pieces.index(f"<0x{one:02X}>") for one in data]


@pytest.mark.parametrize(
    "data", [b"\x00", b"\n", b"\x1b", b"\x7f", "\x85\x9f".encode(), "\u2028".encode(), b"\xff\xc3"]
)
def test_control_characters_are_taken_out(data: bytes) -> None:
    dog, fox = TOKENIZER.encode("dog"), TOKENIZER.encode("fox")
    text, spans = written([*dog, *byte_ids(data), *fox], TOKENIZER)
    assert text == "dog fox"
    assert len(spans) == len(dog) + len(data) + len(fox)
    assert "".join(text[start:end] for start, end in spans).split() == ["dog", "fox"]


def test_letters_spelt_in_bytes_stay() -> None:
    text, spans = written(byte_ids("né 日".encode()), TOKENIZER)
    assert text == "né 日"
    assert spans[-1] == (3, 4)


def test_bytes_of_control_characters_are_never_to_be_written() -> None:
    never = TOKENIZER.pieces(TOKENIZER.never_emitted())
    assert {f"<0x{code:02X}>" for code in (*range(32), 127)} <= set(never)
