"""Bahdanau et al. 2015 by hand-worked numbers and published sizes."""

import math
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tests.tiny_models import GRU_SIZES, tiny_gru
from training.models import ModelConfig, build_model
from training.models.gate_norm import GateNorm
from training.models.gru import (
    GRU,
    AdditiveAttention,
    DeepOutput,
    GRUConfig,
    reverse_tokens,
)
from training.models.gru_cell import GRUCell
from training.models.seq2seq import count_parameters
from training.models.transformer import Transformer
from training.models.transformer_config import TransformerConfig

SMALL = {"embedding_size": 128, "encoder_size": 160, "decoder_size": 256, "attention_size": 256}
MEDIUM = {"embedding_size": 256, "encoder_size": 320, "decoder_size": 560, "attention_size": 256}
ONES = {"embedding_size": 1, "encoder_size": 1, "decoder_size": 1, "attention_size": 1}


@pytest.mark.parametrize(
    ("sizes", "vocab_size", "parameters"),
    [(SMALL, 10_000, 2_619_392), (MEDIUM, 8_000, 7_591_536)],
)
def test_sizes_are_the_published_ones(
    sizes: dict[str, int], vocab_size: int, parameters: int
) -> None:
    assert count_parameters(GRU(GRUConfig(**sizes), vocab_size)) == parameters


def test_no_attention_saves_only_the_attention() -> None:
    without = count_parameters(tiny_gru(attention="none"))
    attention = tiny_gru().attention
    assert attention is not None
    assert without == count_parameters(tiny_gru()) - count_parameters(attention)


def test_tying_shares_tables() -> None:
    table = 20 * GRU_SIZES["embedding_size"]
    three = tiny_gru(tie_embeddings="three-way")
    two = tiny_gru(tie_embeddings="two-way")
    none = tiny_gru(tie_embeddings="none")
    assert three.src_embedding is three.tgt_embedding
    assert two.src_embedding.weight is not two.tgt_embedding.weight
    assert three.output.weight is three.tgt_embedding.weight
    assert two.output.weight is two.tgt_embedding.weight
    assert count_parameters(two) == count_parameters(three) + table
    assert count_parameters(none) == count_parameters(three) + 2 * table


def test_cell_by_hand() -> None:
    cell = GRUCell(input_size=1, hidden_size=1)
    with torch.no_grad():  # rows are reset, update, candidate
        cell.input.weight.copy_(torch.tensor([[0.0], [math.log(3)], [1.0]]))
        cell.input.bias.copy_(torch.tensor([0.0, 0.0, 0.5]))
        cell.hidden.weight.copy_(torch.tensor([[0.0], [0.0], [2.0]]))
        cell.hidden.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
        after = cell(cell.input(torch.tensor([[1.0]])), torch.tensor([[0.25]])).item()
    # reset 1/2, update 3/4, candidate tanh(1 + 1/2 + 1/2 * (2 * 1/4 + 1)) = tanh(2.25)
    assert after == pytest.approx(0.25 * math.tanh(2.25) + 0.75 * 0.25)


def test_cell_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = GRUCell(3, 4), torch.nn.GRUCell(3, 4)
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.input.weight)
        theirs.bias_ih.copy_(ours.input.bias)
        theirs.weight_hh.copy_(ours.hidden.weight)
        theirs.bias_hh.copy_(ours.hidden.bias)
        x, hidden = torch.randn(5, 3), torch.randn(5, 4)
        torch.testing.assert_close(ours(ours.input(x), hidden), theirs(x, hidden))


def test_every_gate_is_normalised_by_itself() -> None:
    norm = GateNorm(3, 2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 1, 1, 1, 2, 2]))
        norm.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 5]))
        normal = norm(torch.tensor([[1.0, 3.0, -10.0, 10.0, 0.2, 0.1]]))
    # two numbers become 1 and -1, whatever the other gates' are; the last two are scaled and moved
    wanted = torch.tensor([[-1.0, 1.0, -1.0, 1.0, 2.0, 3.0]])
    torch.testing.assert_close(normal, wanted, atol=0.01, rtol=0)


def test_layer_norm_makes_a_cell_blind_to_the_scale_of_what_it_reads() -> None:
    torch.manual_seed(0)
    cell = GRUCell(3, 8, layer_norm=True)
    torch.nn.init.zeros_(cell.input.bias)
    torch.nn.init.zeros_(cell.hidden.bias)
    x, hidden = torch.randn(5, 3), torch.randn(5, 8)
    once, tenfold = (cell(cell.project(k * x), hidden) for k in (1, 10))
    torch.testing.assert_close(once, tenfold, atol=0.02, rtol=0)


@pytest.mark.parametrize("attention", ["bahdanau", "none"])
def test_layer_norm_costs_a_gain_and_a_bias_a_gate_and_projection(attention: str) -> None:
    plain, normal = tiny_gru(attention=attention), tiny_gru(attention=attention, layer_norm=True)
    gates = 3 * (2 * GRU_SIZES["encoder_size"] + 2 * GRU_SIZES["decoder_size"])
    assert count_parameters(normal) == count_parameters(plain) + 2 * 2 * gates
    assert not [name for name, _ in plain.named_parameters() if "norm" in name]


def test_reversing_leaves_padding_where_it_is() -> None:
    ids = torch.tensor([[5, 6, 3, 0], [7, 3, 0, 0], [5, 6, 7, 3]])
    reversed_ids = reverse_tokens(ids.unsqueeze(-1), ids != 0).squeeze(-1)
    assert reversed_ids.tolist() == [[3, 6, 5, 0], [3, 7, 0, 0], [3, 7, 6, 5]]


def test_reading_by_cells_is_pytorchs_recurrence() -> None:
    encoder = tiny_gru().double().encoder
    embedded = torch.randn(3, 5, 10, dtype=torch.float64)
    mask = torch.arange(5) < torch.tensor([[5], [1], [3]])
    for cells, fused in zip(
        encoder.read_by_cells(embedded, mask), encoder.read(embedded, mask), strict=True
    ):
        torch.testing.assert_close(cells, fused)


def test_additive_attention_by_hand() -> None:
    attention = AdditiveAttention(query_size=1, key_size=1, attention_size=2)
    with torch.no_grad():
        attention.query.weight.copy_(torch.tensor([[1.0], [0.0]]))
        attention.query.bias.copy_(torch.tensor([0.0, 0.5]))
        attention.key.weight.copy_(torch.tensor([[1.0], [0.0]]))
        attention.energy.copy_(torch.tensor([math.log(3) / math.tanh(2), 7.0]))
        states = torch.tensor([[[1.0], [-1.0], [9.0]]])
        values = torch.tensor([[[4.0, 1.0], [8.0, 1.0], [99.0, 99.0]]])
        mask = torch.tensor([[True, True, False]])
        query = torch.tensor([[1.0]])
        context, weights = attention(query, attention.key(states), values, mask)
    # energies log 3 + c and 0 + c with c = 7 tanh(1/2): weights 3/4 and 1/4, the third is masked
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25, 0.0]]))
    torch.testing.assert_close(context, torch.tensor([[5.0, 1.0]]))


def test_attention_over_no_token_is_a_number() -> None:
    attention = tiny_gru().attention
    assert attention is not None
    keys, values = torch.randn(1, 3, 8), torch.randn(1, 3, 12)
    _, weights = attention(torch.randn(1, 14), keys, values, torch.zeros(1, 3, dtype=torch.bool))
    assert weights.isfinite().all()


def test_deep_output_by_hand() -> None:
    output = DeepOutput(GRUConfig(**ONES)).eval()
    with torch.no_grad():
        for weight, value in zip(output.parameters(), (2, 0.1, 3, 0.2, 4, 0.3), strict=True):
            weight.fill_(value)
        hidden = output(torch.tensor([0.1]), torch.tensor([0.01, 0.02]), torch.tensor([0.001]))
    # 2 * 0.1 + 0.1, 3 * (0.01 + 0.02) + 0.2, 4 * 0.001 + 0.3
    assert hidden.item() == pytest.approx(math.tanh(0.3 + 0.29 + 0.304))


def test_first_state_is_made_of_the_mean_annotation_of_real_tokens() -> None:
    model = tiny_gru()
    encoded = model.encode(torch.tensor([[5, 6, 3, 0, 0]]))
    mean = encoded.memory["values"][:, :3].mean(1)
    torch.testing.assert_close(encoded.state["hidden"], torch.tanh(model.first_state(mean)))


def test_annotations_have_read_both_sides() -> None:
    model = tiny_gru()
    forth = model.encode(torch.tensor([[5, 6, 3]])).memory["values"][0]
    other = model.encode(torch.tensor([[5, 6, 9]])).memory["values"][0]
    assert torch.equal(forth[0, :6], other[0, :6])  # forward: the last word is not yet read
    assert not torch.equal(forth[0, 6:], other[0, 6:])  # backward: it is


def test_fixed_context_is_both_directions_last_states_at_every_step() -> None:
    model = tiny_gru(attention="none")
    encoded = model.encode(torch.tensor([[5, 6, 3, 0]]))
    annotations, _ = model.encoder(
        model.src_embedding(torch.tensor([[5, 6, 3, 0]])), encoded.src_mask
    )
    last = torch.cat((annotations[:, 2, :6], annotations[:, 0, 6:]), -1)
    torch.testing.assert_close(encoded.state["context"], last)
    torch.testing.assert_close(encoded.state["hidden"], torch.tanh(model.first_state(last)))
    step = model.step(torch.tensor([2]), encoded.state, encoded.memory, encoded.src_mask)
    assert step.attention is None
    assert encoded.memory == {}
    assert torch.equal(step.state["context"], encoded.state["context"])


@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_row_of_padding_alone_is_encoded_to_numbers(layer_norm: bool) -> None:
    for attention in ("bahdanau", "none"):
        model = tiny_gru(attention=attention, layer_norm=layer_norm)
        logits = model(torch.tensor([[0, 0], [5, 3]]), torch.tensor([[2], [2]]))
        assert logits.isfinite().all()


@pytest.mark.parametrize("dropout", [{"dropout": 0.5}, {"dropout_output": 0.5}])
def test_dropout_acts_in_training_only(dropout: dict[str, Any]) -> None:
    model = tiny_gru(**{"dropout": 0.0, "dropout_output": 0.0} | dropout)
    src, tgt_in = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7]])
    assert torch.equal(model(src, tgt_in), model(src, tgt_in))
    model.train()
    assert not torch.equal(model(src, tgt_in), model(src, tgt_in))


def test_layer_norms_start_as_the_identity() -> None:
    model = GRU(GRUConfig(**GRU_SIZES, layer_norm=True), 50)
    for name, weights in model.named_parameters():
        if "norm" in name:
            assert torch.equal(weights, torch.full_like(weights, float("weight" in name))), name


def test_recurrent_weights_start_orthogonal() -> None:
    torch.manual_seed(0)
    model = GRU(GRUConfig(**SMALL), 50)
    for name in ("encoder.gru.weight_hh_l0_reverse", "word_cell.hidden.weight"):
        for gate in model.get_parameter(name).chunk(3):
            torch.testing.assert_close(gate @ gate.T, torch.eye(len(gate)), atol=1e-5, rtol=0)


def test_families_are_told_apart_by_name() -> None:
    configs: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
    gru = configs.validate_python({"family": "gru", **GRU_SIZES})
    transformer = TransformerConfig(
        encoder_layers=1, decoder_layers=1, d_model=4, n_heads=2, d_ff=4
    )
    assert isinstance(build_model(gru, 9), GRU)
    assert isinstance(build_model(transformer, 9), Transformer)
    assert build_model(gru, 9).vocab_size == 9
    with pytest.raises(ValidationError, match=r"'gru'.*'transformer'"):
        configs.validate_python({"family": "lstm"})


@pytest.mark.parametrize("wrong", [{"attention": "dot"}, {"encoder_size": 0}, {"layers": 2}])
def test_impossible_sizes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        GRUConfig(**GRU_SIZES | wrong)
