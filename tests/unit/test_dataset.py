"""Encoded pairs on disk: complete, reused, and made anew when anything behind them changed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mt.errors import CorpusError
from tests.tiny_run import random_pairs, tiny_tokenizer
from training.corpora.pair import Pair
from training.dataset import open_dataset, prepare_dataset, read_facts


def refused() -> Iterator[Pair]:
    raise AssertionError("the corpus is read again")
    yield


def test_ids_come_back_as_they_were_encoded(tmp_path: Path) -> None:
    pairs, tokenizer = random_pairs(20), tiny_tokenizer()
    dataset = prepare_dataset(tmp_path / "data", iter(pairs), tokenizer, 64, {})
    assert [dataset.src[i].tolist() for i in range(20)] == [tokenizer.encode(p.src) for p in pairs]
    assert [dataset.tgt[i].tolist() for i in range(20)] == [tokenizer.encode(p.tgt) for p in pairs]
    assert dataset.src.lengths.tolist() == [len(tokenizer.encode_source(p.src)) for p in pairs]
    assert dataset.facts.tgt_tokens == dataset.tgt.lengths.sum()
    assert dataset.facts.pairs == len(dataset.src) == 20
    assert dataset.src[0].dtype == np.int32


def test_long_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    short, long = Pair("the cat", "die katze"), Pair("the " * 40, "die katze")
    dataset = prepare_dataset(tmp_path / "data", [short, long, long], tiny_tokenizer(), 40, {})
    assert (dataset.facts.pairs, dataset.facts.dropped_too_long) == (1, 2)


def test_max_length_counts_eos(tmp_path: Path) -> None:
    pair, tokenizer = Pair("the cat", "die"), tiny_tokenizer()
    with_eos = len(tokenizer.encode_source(pair.src))
    kept = prepare_dataset(tmp_path / "a", [pair], tokenizer, with_eos, {})
    assert kept.facts.pairs == 1
    with pytest.raises(CorpusError, match=f"more than {with_eos - 1} tokens.*batching.max_length"):
        prepare_dataset(tmp_path / "b", [pair], tokenizer, with_eos - 1, {})


def test_an_unchanged_dataset_is_reused(tmp_path: Path) -> None:
    made = prepare_dataset(tmp_path / "data", random_pairs(5), tiny_tokenizer(), 64, {"sha": "1"})
    again = prepare_dataset(tmp_path / "data", refused(), tiny_tokenizer(), 64, {"sha": "1"})
    assert again.facts == made.facts


@pytest.mark.parametrize(("max_length", "sha"), [(63, "1"), (64, "2")])
def test_a_changed_one_is_made_anew(tmp_path: Path, max_length: int, sha: str) -> None:
    prepare_dataset(tmp_path / "data", random_pairs(5), tiny_tokenizer(), 64, {"sha": "1"})
    again = prepare_dataset(
        tmp_path / "data", random_pairs(6), tiny_tokenizer(), max_length, {"sha": sha}
    )
    assert again.facts.pairs == 6


def test_a_half_written_one_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    prepare_dataset(folder, random_pairs(5), tiny_tokenizer(), 64, {})
    (folder / "dataset.json").write_text('{"pairs": 5')
    assert read_facts(folder) is None
    with pytest.raises(CorpusError, match="no encoded training pairs"):
        open_dataset(folder)
    assert prepare_dataset(folder, random_pairs(4), tiny_tokenizer(), 64, {}).facts.pairs == 4
