"""Word vectors as first embeddings."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mt.errors import ConfigError, CorpusError
from tests.tiny_hybrid import tiny_hybrid
from tests.tiny_models import tiny_decoder_only, tiny_gru, tiny_transformer
from tests.tiny_run import tiny_tokenizer
from training.embeddings import load_embeddings, read_vectors
from training.models.seq2seq import Seq2Seq

SIZE = 16


def write_vectors(path: Path, words: dict[str, float], header: bool = False) -> Path:
    rows = [f"{word} " + " ".join([str(value)] * SIZE) for word, value in words.items()]
    lines = [f"{len(words)} {SIZE}", *rows] if header else rows
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def piece_id(piece: str) -> int:
    tokenizer = tiny_tokenizer()
    return tokenizer.pieces(range(tokenizer.vocab_size)).index(piece)


def test_both_formats_read_alike(tmp_path: Path) -> None:
    plain = write_vectors(tmp_path / "glove.txt", {"bird": 1.5, "small": -2})
    counted = write_vectors(tmp_path / "word2vec.txt", {"bird": 1.5, "small": -2}, header=True)
    for path in (plain, counted):
        found = dict(read_vectors(path, SIZE))
        assert list(found) == ["bird", "small"]
        np.testing.assert_array_equal(found["small"], np.full(SIZE, -2, np.float32))


def test_a_word_without_its_space_is_the_whole_words_piece(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "v.txt", {"bird": 1.0, "▁small": 3.0, "unheard": 9.0})
    model = tiny_transformer(vocab_size=80)
    before = model.src_embedding.weight.detach().clone()
    assert load_embeddings(model, tiny_tokenizer(), [path]) == 2
    after = model.src_embedding.weight
    bird, small = after[piece_id("▁bird")], after[piece_id("▁small")]
    torch.testing.assert_close(small, 3 * bird)
    size = torch.stack((bird, small)).square().mean().sqrt()
    torch.testing.assert_close(size, before.square().mean().sqrt())  # as large as fresh ones
    same = torch.ones(80, dtype=torch.bool)
    same[[piece_id("▁bird"), piece_id("▁small")]] = False
    assert torch.equal(after[same], before[same])


@pytest.mark.parametrize(
    ("model", "tables"),
    [
        (tiny_transformer(vocab_size=80, tie_embeddings="none", positions="learned"), 2),
        (tiny_decoder_only(vocab_size=80), 1),
        (tiny_gru(vocab_size=80, embedding_size=SIZE, tie_embeddings="two-way"), 2),
    ],
)
def test_every_table_of_words_gets_them(tmp_path: Path, model: Seq2Seq, tables: int) -> None:
    path = write_vectors(tmp_path / "v.txt", {"bird": 1.0})
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    load_embeddings(model, tiny_tokenizer(), [path])
    changed = [n for n, w in model.named_parameters() if not torch.equal(w, before[n])]
    assert len(changed) == tables
    assert all(name.endswith("embedding.weight") for name in changed)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    model, tokenizer = tiny_transformer(vocab_size=80, d_model=8), tiny_tokenizer()
    other = write_vectors(tmp_path / "v.txt", {"bird": 1.0})
    with pytest.raises(ConfigError, match=r"line 1: 16 numbers after the word.*have 8"):
        load_embeddings(model, tokenizer, [other])
    strange = write_vectors(tmp_path / "s.txt", {"unheard": 1.0})
    with pytest.raises(ConfigError, match="none of the 76 pieces"):
        load_embeddings(tiny_transformer(vocab_size=80), tokenizer, [strange])
    (tmp_path / "w.txt").write_text("bird " + "x " * SIZE, encoding="utf-8")
    with pytest.raises(ConfigError, match="not all of these are numbers"):
        list(read_vectors(tmp_path / "w.txt", SIZE))
    with pytest.raises(CorpusError, match="no such file"):
        list(read_vectors(tmp_path / "none.txt", SIZE))


def test_tables_of_two_widths_are_refused(tmp_path: Path) -> None:
    model = tiny_hybrid(vocab_size=80, d_model=SIZE, embedding_size=8, tie_embeddings="two-way")
    vectors = write_vectors(tmp_path / "v.txt", {"bird": 1.0})
    with pytest.raises(ConfigError, match=r"8 and 16 wide.*set model.embedding_size"):
        load_embeddings(model, tiny_tokenizer(), [vectors])
