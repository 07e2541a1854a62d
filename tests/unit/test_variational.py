"""Variational dropout of the GRU: one choice a sentence, kept at every step."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tests.tiny_models import tiny_gru
from training.models.gru import GRU
from training.models.gru_cell import GRUCell

SRC, TGT_IN = torch.tensor([[5, 6, 9, 3]]), torch.tensor([[2, 7, 8]])
WHERE = [
    "embedding_dropout",
    "encoder.dropout",
    "deep_output.dropout",
    "deep_output.hidden_dropout",
]


def gru(**changes: Any) -> GRU:
    return tiny_gru(**{"dropout": 0.0, "dropout_output": 0.0} | changes).double()


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("variational", [False, True])
def test_every_step_of_a_sentence_drops_the_same(where: str, variational: bool) -> None:
    torch.manual_seed(0)
    model = tiny_gru(dropout=0.5, dropout_output=0.5, dropout_hidden=0.5, variational=variational)
    kept = model.train().get_submodule(where)(torch.ones(5, 7, 16)) != 0  # (batch, length, d)
    assert torch.equal(kept, kept[:, :1].expand_as(kept)) == variational
    assert not torch.equal(kept, kept[:1].expand_as(kept)), "all sentences drop the same"


def test_a_fixed_context_is_dropped_for_each_sentence_by_itself() -> None:
    torch.manual_seed(0)
    model = tiny_gru(attention="none", dropout=0, dropout_output=0.5, variational=True).train()
    dropped = model.encode(SRC.expand(6, -1)).state["context"] == 0
    assert not torch.equal(dropped, dropped[:1].expand_as(dropped))


@pytest.mark.parametrize("name", ["dropout", "dropout_output", "dropout_hidden", "dropout_state"])
@pytest.mark.parametrize("changes", [{}, {"attention": "none"}, {"layer_norm": True}], ids=str)
def test_it_acts_in_training_only(name: str, changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = gru(**{name: 0.5}, variational=True, **changes)
    assert torch.equal(model(SRC, TGT_IN), gru(**changes)(SRC, TGT_IN))
    model.train()
    assert not torch.equal(model(SRC, TGT_IN), model(SRC, TGT_IN))


def test_a_cell_that_may_not_read_its_state_still_carries_it() -> None:
    torch.manual_seed(0)
    cell, x, hidden = GRUCell(3, 4), torch.randn(5, 3), torch.randn(5, 4)
    inputs, nothing = cell.project(x), torch.zeros(5, 4)
    blind = cell(inputs, nothing)  # (1 - z) n, and z = sigmoid of the second gate
    update = torch.sigmoid((inputs + cell.hidden.bias)[:, 4:8])
    torch.testing.assert_close(cell(inputs, hidden, nothing), blind + update * hidden)


def test_the_encoder_drops_the_same_of_its_state_at_every_step() -> None:
    """As if the weights that read what is dropped were zero, and the others larger."""
    encoder = gru(dropout_state=0.5).encoder.train()
    embedded, mask = torch.randn(1, 6, 10, dtype=torch.float64), torch.ones(1, 6, dtype=torch.bool)
    torch.manual_seed(3)
    annotations, _ = encoder(embedded, mask)
    torch.manual_seed(3)
    kept = encoder.state_dropout.draw(torch.zeros(2, 1, 6, dtype=torch.float64))
    assert kept is not None
    with torch.no_grad():
        encoder.get_parameter("gru.weight_hh_l0").mul_(kept[0])
        encoder.get_parameter("gru.weight_hh_l0_reverse").mul_(kept[1])
    torch.testing.assert_close(annotations, encoder.gru(embedded)[0])


def test_the_decoder_drops_the_same_of_its_state_at_every_step() -> None:
    model = gru(dropout_state=0.5)
    encoded = model.encode(SRC)
    model.train()
    torch.manual_seed(3)
    hidden = model.decode(encoded, TGT_IN)
    torch.manual_seed(3)
    kept = [model.state_dropout.draw(encoded.state["hidden"]) for _ in range(2)]
    plain = copy.deepcopy(model).eval()
    for cell, scale in zip((plain.word_cell, plain.context_cell), kept, strict=True):
        assert scale is not None
        cell.hidden.weight = nn.Parameter(cell.hidden.weight * scale)
    torch.testing.assert_close(hidden, plain.decode(encoded, TGT_IN))
