"""BPE-dropout: other pieces in every epoch, the same text, and the same again after a kill."""

from pathlib import Path

import numpy as np
import pytest

from mt.tokenizer import Tokenizer
from tests.tiny_run import random_pairs, tiny_recipe, tiny_tokenizer, write_corpus
from training.bpe_dropout import ResampledDataset
from training.budget import RunState
from training.dataset import TokenDataset, prepare_dataset
from training.train import train

PAIRS = random_pairs(40)


def resampled(
    folder: Path, tokenizer: Tokenizer, seed: int = 1, max_length: int = 64
) -> ResampledDataset:
    plain = prepare_dataset(folder / "data", PAIRS, tokenizer, max_length, {})
    return ResampledDataset(
        *(plain.src, plain.tgt, plain.facts),
        pairs=lambda: PAIRS,
        tokenizer=tokenizer,
        dropout=0.5,
        seed=seed,
        folder=folder / "epoch",
    )


def sentences(dataset: TokenDataset) -> list[list[int]]:
    return [side[i].tolist() for side in (dataset.src, dataset.tgt) for i in range(len(side))]


def test_an_epoch_cuts_words_anew_and_keeps_the_text(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    dataset = resampled(tmp_path, tokenizer)
    plain, first, second = sentences(dataset), *(sentences(dataset.of_epoch(i)) for i in (0, 1))
    assert first != plain
    assert first != second
    assert [tokenizer.decode(ids) for ids in first] == [tokenizer.decode(ids) for ids in plain]
    assert sum(map(len, first)) > sum(map(len, plain))


def test_an_epoch_depends_on_seed_and_number_only(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    first = sentences(resampled(tmp_path / "a", tokenizer).of_epoch(3))
    other = resampled(tmp_path / "b", tokenizer)
    other.of_epoch(0)
    assert sentences(other.of_epoch(3)) == first
    assert sentences(other.of_epoch(3)) == first  # read again, not drawn again
    assert sentences(resampled(tmp_path / "c", tokenizer, seed=2).of_epoch(3)) != first


def test_sides_that_grow_too_long_stay_whole_and_pairs_keep_their_numbers(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    longest = int(np.median([len(tokenizer.encode(pair.tgt)) for pair in PAIRS])) + 1
    dataset = resampled(tmp_path, tokenizer, max_length=longest)
    assert 0 < dataset.facts.dropped_too_long < len(PAIRS)
    epoch = dataset.of_epoch(0)
    assert epoch.facts.pairs == dataset.facts.pairs
    assert max(map(len, sentences(epoch))) < longest
    for plain, cut in zip(sentences(dataset), sentences(epoch), strict=True):
        assert tokenizer.decode(plain) == tokenizer.decode(cut)


def test_a_run_with_dropout_continues_as_if_never_stopped(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    recipe = tiny_recipe(tmp_path, **{"subwords.dropout": 0.2, "evaluation.every_updates": 8})

    def stop(state: RunState) -> None:
        raise EOFError

    whole = train(recipe, tmp_path / "whole")
    with pytest.raises(EOFError):
        train(recipe, tmp_path / "stopped", stop)
    assert train(recipe, tmp_path / "stopped").sha256 == whole.sha256
    plain = train(tiny_recipe(tmp_path, **{"evaluation.every_updates": 8}), tmp_path / "plain")
    assert plain.sha256 != whole.sha256
