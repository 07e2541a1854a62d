import io
from pathlib import Path

import pytest
import sentencepiece

from mt.errors import BundleError
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer
from tests.fake_bundle import SENTENCES, small_tokenizer


@pytest.mark.parametrize("text", SENTENCES)
def test_what_was_encoded_decodes(text: str) -> None:
    tokenizer = small_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_source_ends_with_eos_and_a_target_does_not() -> None:
    tokenizer = small_tokenizer()
    ids = tokenizer.encode("Hello world.")
    assert EOS_ID not in ids
    assert tokenizer.encode_source("Hello world.") == [*ids, EOS_ID]
    assert tokenizer.encode_source("") == [EOS_ID]


@pytest.mark.parametrize("threads", [1, 2])
def test_many_texts_at_once_are_encoded_as_one_by_one(threads: int) -> None:
    tokenizer, texts = small_tokenizer(), ["", *SENTENCES, "日本", "a\0b"] * 50
    assert tokenizer.encode_all(texts, threads) == [tokenizer.encode(text) for text in texts]


def test_special_ids_leave_no_trace_in_text() -> None:
    tokenizer = small_tokenizer()
    ids = tokenizer.encode("Jane")
    assert tokenizer.decode([BOS_ID, *ids, UNK_ID, EOS_ID, PAD_ID]) == "Jane"


def test_what_it_has_never_seen_is_unknown_or_bytes() -> None:
    assert UNK_ID in small_tokenizer().encode("☃")
    with_bytes = small_tokenizer(byte_fallback=True)
    assert with_bytes.pieces(with_bytes.encode("☃"))[-3:] == ["<0xE2>", "<0x98>", "<0x83>"]
    assert with_bytes.decode(with_bytes.encode("☃")) == "☃"


def test_pieces_spell_the_text() -> None:
    tokenizer = small_tokenizer()
    assert "".join(tokenizer.pieces(tokenizer.encode("Jane visits"))) == "▁Jane▁visits"


def test_vocab_size_counts_special_pieces() -> None:
    assert small_tokenizer().vocab_size == 120
    assert small_tokenizer().pieces([EOS_ID]) == ["</s>"]


def test_a_decoder_never_emits_specials_nor_control_characters() -> None:
    assert small_tokenizer().never_emitted() == [PAD_ID, UNK_ID, BOS_ID]
    tokenizer = small_tokenizer(byte_fallback=True)
    never = tokenizer.never_emitted()
    assert len(never) == 3 + 33  # 32 control characters and DEL
    assert {"<0x00>", "<0x0A>", "<0x1F>", "<0x7F>"} <= set(tokenizer.pieces(never))
    assert "<0x20>" not in tokenizer.pieces(never)


@pytest.mark.parametrize("model", [b"", b"not a model", small_tokenizer().model[:-1]])
def test_other_bytes_are_refused(model: bytes) -> None:
    with pytest.raises(BundleError, match=r"^x\.model is not a SentencePiece model$"):
        Tokenizer(model, "x.model")


def test_a_model_with_other_special_ids_is_refused() -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=60, minloglevel=2
    )
    with pytest.raises(BundleError, match=r"are \(-1, 0, 1, 2\), expected \(0, 1, 2, 3\)"):
        Tokenizer(model.getvalue())


def test_a_model_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(small_tokenizer().model)
    assert Tokenizer.load(path).model == small_tokenizer().model


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nothing\.model cannot be read \(No such file"):
        Tokenizer.load(tmp_path / "nothing.model")


def test_pieces_that_go_on_with_a_word() -> None:
    tokenizer = small_tokenizer(byte_fallback=True)
    continuing = tokenizer.continuing()
    by_piece = dict(zip(tokenizer.pieces(range(tokenizer.vocab_size)), continuing, strict=True))
    assert len(continuing) == tokenizer.vocab_size
    assert by_piece["s"]
    assert by_piece["<0xE4>"]
    assert not any(by_piece[piece] for piece in ("▁", ",", "</s>", "▁Jane"))


def test_a_phrase_amid_unspaced_words_has_no_space_before_it() -> None:
    tokenizer = small_tokenizer(byte_fallback=True)
    spaced, unspaced = (tokenizer.encode_phrase("房", spaced) for spaced in (True, False))
    assert spaced == tokenizer.encode("房")
    assert tokenizer.pieces(spaced[:1]) == ["▁"]
    assert unspaced == spaced[1:]
