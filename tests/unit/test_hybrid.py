"""A Transformer's encoder under a recurrent decoder."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from mt.config import describe
from mt.errors import ConfigError
from tests.tiny_hybrid import HYBRID, HYBRID_SIZES, tiny_hybrid
from tests.tiny_models import tiny_transformer
from training.models.hybrid import HybridConfig
from training.models.seq2seq import count_parameters

SRC = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]])
TGT_IN = torch.tensor([[2, 9, 10], [2, 11, 12]])


def test_the_number_of_parameters_by_hand() -> None:
    d, ff, n = 12, 16, 14
    layer = 4 * (d * d + d) + (d * ff + ff) + (ff * d + d) + 4 * d
    cell = 4 * (d * n + n * n + 2 * n) + 4 * n * d  # and what is fed back
    rest = d * n + (d + n) * d + d + (d * 2 * n + 2 * n)  # score, output, bridge
    assert count_parameters(tiny_hybrid()) == 20 * d + 2 * layer + cell + rest


def test_the_encoder_is_the_transformers() -> None:
    hybrid = tiny_hybrid(dropout_output=0.0)
    sizes = {name: HYBRID_SIZES[name] for name in ("encoder_layers", "d_model", "n_heads", "d_ff")}
    transformer = tiny_transformer(**sizes, decoder_layers=1)
    transformer.encoder.load_state_dict(hybrid.encoder.state_dict())
    transformer.src_embedding.load_state_dict(hybrid.src_embedding.state_dict())
    states = transformer.source_states(SRC)
    torch.testing.assert_close(hybrid.encode(SRC).memory["values"], states)
    torch.testing.assert_close(hybrid.source_states(SRC), states)


def test_the_decoder_starts_from_the_mean_of_real_tokens() -> None:
    model = tiny_hybrid(decoder_layers=2, attention="none", cell="gru")
    encoded = model.encode(SRC)
    alone = model.encode(SRC[1:, :2])
    mean = model.source_states(SRC[1:, :2]).mean(1)
    torch.testing.assert_close(alone.state["context"], mean)
    firsts = torch.cat([alone.state[f"hidden.{i}"] for i in range(2)], -1)
    torch.testing.assert_close(firsts, torch.tanh(model.bridge(mean)))
    for name, first in alone.state.items():
        torch.testing.assert_close(encoded.state[name][1:], first)


def test_an_encoder_narrower_than_the_output_cannot_be_pretrained_on_masked_words() -> None:
    with pytest.raises(ConfigError, match="Hybrid is not as wide as its output layer"):
        tiny_hybrid(embedding_size=10, tie_embeddings="two-way").source_states(SRC)


@pytest.mark.parametrize(
    "name", ["dropout", "dropout_output", "dropout_hidden", "dropout_state", "word_dropout"]
)
def test_dropout_acts_in_training_only(name: str) -> None:
    rates: dict[str, Any] = dict.fromkeys(("dropout", "dropout_output"), 0.0) | {name: 0.5}
    model = tiny_hybrid(**rates)
    assert torch.equal(model(SRC, TGT_IN), model(SRC, TGT_IN))
    model.train()
    assert not torch.equal(model(SRC, TGT_IN), model(SRC, TGT_IN))


def test_a_row_of_padding_alone_is_encoded_to_numbers() -> None:
    for changes in HYBRID.values():
        logits = tiny_hybrid(**changes)(torch.tensor([[0, 0], [5, 3]]), torch.tensor([[2], [2]]))
        assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"embedding_size": 10}, "three-way needs embedding_size to be d_model, 12, not 10"),
        ({"attention": "dot"}, "attention dot needs decoder_size to be d_model, 12, not 14"),
        ({"n_heads": 5}, "d_model must be a multiple of n_heads"),
        ({"decoder_layers": 5}, "decoder_layers: Input should be less than or equal to 4"),
    ],
)
def test_impossible_choices_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        HybridConfig(**HYBRID_SIZES | wrong)
    assert says in describe(error.value)
