"""Word dropout in both families: a dropped word says nothing, and padding stays padding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.tiny_models import tiny_gru, tiny_transformer
from training.models.seq2seq import Seq2Seq

NEARLY_ALL = 0.99999  # under the seed of each test: all
SRC, TGT_IN = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7]])


def gru(**changes: Any) -> Seq2Seq:
    return tiny_gru(**{"dropout": 0.0, "dropout_output": 0.0} | changes)


def transformer(**changes: Any) -> Seq2Seq:
    return tiny_transformer(**{"dropout": 0.0} | changes)


both_families = pytest.mark.parametrize("build", [gru, transformer])
Build = Callable[..., Seq2Seq]


@both_families
def test_it_acts_in_training_only(build: Build) -> None:
    torch.manual_seed(0)
    model = build(word_dropout=0.5)
    assert torch.equal(model(SRC, TGT_IN), build()(SRC, TGT_IN))
    model.train()
    assert len({model(SRC, TGT_IN).sum().item() for _ in range(8)}) > 1


@both_families
def test_dropped_words_say_nothing(build: Build) -> None:
    torch.manual_seed(0)
    model = build(word_dropout=NEARLY_ALL).train()
    logits = model(SRC, TGT_IN)
    assert torch.equal(model(torch.tensor([[8, 9, 10]]), TGT_IN), logits)
    assert torch.equal(model(SRC, torch.tensor([[11, 12]])), logits)


@both_families
def test_a_dropped_word_still_takes_its_place(build: Build) -> None:
    """Masks are made of ids: padding is not read, a dropped word is."""
    torch.manual_seed(0)
    model = build(word_dropout=NEARLY_ALL).train()
    padded = model(torch.tensor([[5, 6, 3, 0, 0]]), TGT_IN)
    torch.testing.assert_close(padded, model(SRC, TGT_IN))
    assert not torch.allclose(padded, model(torch.tensor([[5, 6, 7, 8, 3]]), TGT_IN))
