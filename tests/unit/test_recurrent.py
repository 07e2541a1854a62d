"""The stacked recurrent model: sizes, starts, residuals and choices."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mt.config import describe
from tests.tiny_recurrent import RECURRENT, RECURRENT_SIZES, tiny_recurrent
from training.models import build_model
from training.models.recurrent import Recurrent, RecurrentConfig
from training.models.recurrent_decoder import scaled_embedding, with_residual
from training.models.seq2seq import Tensors, count_parameters

SRC = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]])
TGT_IN = torch.tensor([[2, 9, 10], [2, 11, 12]])


def first_states(model: Recurrent) -> Tensors:
    return model.encode(SRC).state


def test_the_number_of_parameters_by_hand() -> None:
    model = tiny_recurrent(cell="lstm", attention="general")
    e, n, d = 10, 7, 14  # embedding, encoder and decoder sizes
    encoder = 2 * 4 * (e * n + n * n + 2 * n)
    decoder = 4 * (e * d + d * d + 2 * d) + 4 * d * e  # and what is fed back
    attention, combine = d * 2 * n, (2 * n + d) * e + e
    assert count_parameters(model) == 20 * e + encoder + decoder + attention + combine


@pytest.mark.parametrize(
    ("attention", "more"), [("none", 0), ("dot", 0), ("general", 14 * 14), ("bahdanau", 406 + 14)]
)
def test_attentions_differ_in_their_score_only(attention: str, more: int) -> None:
    """bahdanau: 14 * 14 for the query, 14 for its bias, 14 * 14 for the keys, 14 for v."""
    plain = count_parameters(tiny_recurrent(attention="none"))
    assert count_parameters(tiny_recurrent(attention=attention)) == plain + more


def test_attention_size_is_of_the_energies() -> None:
    model = tiny_recurrent(attention="bahdanau", attention_size=3)
    assert model.encode(SRC).memory["keys"].shape == (2, 4, 3)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_decoder_goes_on_where_the_encoder_ends(cell: str, bidirectional: bool) -> None:
    """Equally wide: the last outputs of both directions, side by side, and so the memories."""
    size = 7 if bidirectional else 14
    model = tiny_recurrent(cell=cell, bidirectional=bidirectional, encoder_size=size)
    encoded = model.encode(SRC)
    last = torch.tensor([3, 1])
    values, rows = encoded.memory["values"], torch.arange(2)
    wanted = values[rows, last]
    if bidirectional:  # back has read from the last token to the first
        wanted = torch.cat((wanted[:, :7], values[:, 0, 7:]), -1)
    assert not model.bridges
    torch.testing.assert_close(encoded.state["hidden.0"][:, :14], wanted)


def test_a_bridge_joins_different_sizes() -> None:
    model = tiny_recurrent(decoder_size=15, encoder_layers=2, decoder_layers=2)
    assert [bridge.weight.shape for bridge in model.bridge_layers] == [(30, 28)] * 2
    assert all(first_states(model)[f"hidden.{i}"].abs().max() < 1 for i in range(2))


@pytest.mark.parametrize(
    ("encoder_layers", "decoder_layers", "sources"),
    [(2, 2, [0, 1]), (3, 1, [2]), (1, 3, [0, 0, 0]), (2, 4, [0, 0, 0, 1])],
)
def test_top_layers_meet(encoder_layers: int, decoder_layers: int, sources: list[int]) -> None:
    model = tiny_recurrent(encoder_layers=encoder_layers, decoder_layers=decoder_layers)
    assert [model.source_layer(i) for i in range(decoder_layers)] == sources
    lasts = model.encoder(scaled_embedding(model.src_embedding(SRC)), SRC != 0)[1]
    states = first_states(model)
    assert all(torch.equal(states[f"hidden.{i}"], lasts[k]) for i, k in enumerate(sources))


def test_layers_are_added_to_what_they_read_from_the_second_on() -> None:
    low, high = torch.tensor([1.0]), torch.tensor([10.0])
    assert with_residual(low, None) is low
    assert with_residual(high, low).item() == 11
    model = tiny_recurrent(encoder_layers=2, cell="rnn")
    mask, embedded = SRC != 0, model.src_embedding(SRC)
    first, _ = model.encoder.layers[0](embedded, mask)
    second, _ = model.encoder.layers[1](first, mask)
    torch.testing.assert_close(model.encoder(embedded, mask)[0], first + second)


def test_the_fixed_context_is_the_last_output_of_both_directions() -> None:
    model = tiny_recurrent(attention="none", cell="gru")
    encoded = model.encode(SRC)
    values = model.encoder(scaled_embedding(model.src_embedding(SRC)), SRC != 0)[0]
    forth, back = values[torch.arange(2), torch.tensor([3, 1]), :7], values[:, 0, 7:]
    torch.testing.assert_close(encoded.state["context"], torch.cat((forth, back), -1))
    assert encoded.memory == {}
    step = model.step(TGT_IN[:, 0], encoded.state, encoded.memory, encoded.src_mask)
    assert step.attention is None
    assert torch.equal(step.state["context"], encoded.state["context"])


def test_an_encoder_that_reads_one_way_has_not_read_what_follows() -> None:
    one = tiny_recurrent(bidirectional=False, encoder_size=14, encoder_layers=2)
    two = tiny_recurrent(encoder_layers=2)
    other = SRC.clone()
    other[0, 2] = 9

    def differ(model: Recurrent) -> Tensor:
        before, after = (model.encode(src).memory["values"][0] for src in (SRC, other))
        return (before != after).any(-1)

    assert differ(one).tolist() == [False, False, True, True]
    assert differ(two).all()


def test_input_feeding_tells_the_next_word_what_was_looked_at() -> None:
    fed, unfed = tiny_recurrent(), tiny_recurrent(input_feeding=False)
    for model in (fed, unfed):
        encoded = model.encode(SRC)
        first = model.step(TGT_IN[:, 0], encoded.state, encoded.memory, encoded.src_mask)
        elsewhere = {name: -x for name, x in encoded.memory.items()}
        other = model.step(TGT_IN[:, 0], encoded.state, elsewhere, encoded.src_mask)
        second, changed = (
            model.step(TGT_IN[:, 1], step.state, encoded.memory, encoded.src_mask)
            for step in (first, other)
        )
        assert torch.equal(second.logits, changed.logits) == (model is unfed)
    assert "fed" not in first_states(unfed)
    assert (first_states(fed)["fed"] == 0).all()


DROPOUTS = ["dropout", "dropout_output", "dropout_hidden", "dropout_state", "word_dropout"]
NONE_DROPPED: dict[str, Any] = dict.fromkeys(DROPOUTS, 0.0)


@pytest.mark.parametrize("name", DROPOUTS)
@pytest.mark.parametrize("input_feeding", [False, True])
def test_dropout_acts_in_training_only(name: str, input_feeding: bool) -> None:
    rates = NONE_DROPPED | {name: 0.5}
    model = tiny_recurrent(decoder_layers=2, input_feeding=input_feeding, **rates)
    assert torch.equal(model(SRC, TGT_IN), model(SRC, TGT_IN))
    model.train()
    assert not torch.equal(model(SRC, TGT_IN), model(SRC, TGT_IN))


@pytest.mark.parametrize("input_feeding", [False, True])
def test_without_dropout_training_computes_what_evaluation_does(input_feeding: bool) -> None:
    model = tiny_recurrent(decoder_layers=2, input_feeding=input_feeding, **NONE_DROPPED)
    torch.testing.assert_close(model.train()(SRC, TGT_IN), model.eval()(SRC, TGT_IN))


@pytest.mark.parametrize(("variational", "alike"), [(True, True), (False, False)])
def test_variational_dropout_chooses_once_a_sentence(variational: bool, alike: bool) -> None:
    model = tiny_recurrent(**NONE_DROPPED | {"dropout_output": 0.5}, variational=variational)
    hidden = model.train().hidden(SRC, TGT_IN)
    dropped = hidden == 0
    assert bool((dropped == dropped[:, :1]).all()) == alike
    assert dropped.any()


def test_a_row_of_padding_alone_is_encoded_to_numbers() -> None:
    for changes in RECURRENT.values():
        model = tiny_recurrent(**changes)
        logits = model(torch.tensor([[0, 0], [5, 3]]), torch.tensor([[2], [2]]))
        assert logits.isfinite().all()


def test_embeddings_are_scaled_by_the_root_of_their_size() -> None:
    assert scaled_embedding(torch.tensor([1.0, -2.0, 0.5, 0.0])).tolist() == [2.0, -4.0, 1.0, 0.0]


def test_tying_shares_tables() -> None:
    table = 20 * RECURRENT_SIZES["embedding_size"]
    three, two, none = (tiny_recurrent(tie_embeddings=t) for t in ("three-way", "two-way", "none"))
    assert three.src_embedding is three.tgt_embedding
    assert two.output.weight is two.tgt_embedding.weight
    assert count_parameters(two) == count_parameters(three) + table
    assert count_parameters(none) == count_parameters(three) + 2 * table


def test_long_short_term_memories_start_by_forgetting_little() -> None:
    config = RecurrentConfig(**RECURRENT_SIZES, encoder_layers=2, decoder_layers=2)
    model = build_model(config, vocab_size=20)
    biases = [p for n, p in model.named_parameters() if n.endswith("input.bias")]
    assert len(biases) == 2 * 2 + 2
    assert all(bias.chunk(4)[1].eq(1).all() and bias.sum() == len(bias) / 4 for bias in biases)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cell": "esn"}, "cell: Input should be 'gru', 'lstm' or 'rnn'"),
        ({"encoder_layers": 5}, "encoder_layers: Input should be less than or equal to 4"),
        ({"decoder_layers": 0}, "decoder_layers: Input should be greater than or equal to 1"),
        ({"attention": "loud"}, "attention: Input should be 'none', 'bahdanau', 'dot' or"),
        (
            {"attention": "dot", "encoder_size": 6},
            "attention dot needs encoder states as wide as decoder_size, 14, not 12",
        ),
        ({"attention": "dot", "bidirectional": False}, "14, not 7: change encoder_size, or take"),
    ],
)
def test_impossible_choices_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        RecurrentConfig(**RECURRENT_SIZES | wrong)
    assert says in describe(error.value)
