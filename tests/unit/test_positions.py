"""Schemes of positions by hand-worked numbers and by what each promises."""

import math

import pytest
import torch
from pydantic import ValidationError

from mt.tokenizer import BOS_ID, EOS_ID
from tests.tiny_models import TRANSFORMER_SIZES, tiny_transformer
from training.models.attention import attend, attend_by_distance
from training.models.positions import (
    LearnedPositions,
    RecurrentPositions,
    RelativePositions,
    input_positions,
    rotate,
)
from training.models.seq2seq import count_parameters
from training.models.transformer_config import TransformerConfig


def test_rotation_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])  # pairs (1, 3) and (2, 4)
    turned = rotate(x, torch.tensor([2]))[0, 0, 0]
    near, far = 2.0, 2.0 / 100  # 10000^(0/2) = 1 and 10000^(1/2) = 100 divide the position
    expected = [
        math.cos(near) - 3 * math.sin(near),
        2 * math.cos(far) - 4 * math.sin(far),
        3 * math.cos(near) + math.sin(near),
        4 * math.cos(far) + 2 * math.sin(far),
    ]
    torch.testing.assert_close(turned, torch.tensor(expected))
    torch.testing.assert_close(rotate(x, torch.tensor([0])), x)


def test_rotated_scores_depend_on_the_distance_alone() -> None:
    torch.manual_seed(1)
    query, key = torch.randn(2, 1, 1, 1, 8).unbind()

    def score(at: int, of: int) -> float:
        turned = rotate(query, torch.tensor([[at]])), rotate(key, torch.tensor([[of]]))
        return float((turned[0] * turned[1]).sum())

    assert score(7, 3) == pytest.approx(score(104, 100), abs=1e-4)
    assert score(7, 3) != pytest.approx(score(7, 4), abs=1e-2)


def test_positions_beyond_a_learned_table_share_its_last() -> None:
    places = LearnedPositions(max_positions=3, d_model=4)
    x = torch.zeros(1, 5, 4)
    added, _ = places(x, torch.arange(5), None)
    torch.testing.assert_close(added[0, :3], places.table.weight)
    torch.testing.assert_close(added[0, 3:], places.table.weight[[2, 2]])


def test_recurrent_positions_go_on_from_a_state() -> None:
    torch.manual_seed(0)
    places, x = RecurrentPositions(4), torch.randn(2, 5, 4)
    whole, last = places(x, torch.arange(5), None)
    first, state = places(x[:, :3], torch.arange(3), None)
    second, end = places(x[:, 3:], torch.arange(3, 5), state)
    torch.testing.assert_close(torch.cat((first, second), 1), whole)
    torch.testing.assert_close(end, last)


def test_distances_are_clipped_and_the_last_query_stands_at_the_last_key() -> None:
    relative = RelativePositions(max_distance=2, d_head=4)
    assert relative.rows(3, 3).tolist() == [[2, 3, 4], [1, 2, 3], [0, 1, 2]]
    assert relative.rows(1, 5).tolist() == [[0, 0, 0, 1, 2]]


def test_relative_attention_by_hand() -> None:
    relative = RelativePositions(max_distance=1, d_head=1)
    with torch.no_grad():
        relative.keys.copy_(torch.tensor([[0.0], [0.0], [math.log(3)]]))  # before, at, after
        relative.values.copy_(torch.tensor([[7.0], [0.0], [4.0]]))
    query, keys = torch.ones(1, 1, 2, 1), torch.zeros(1, 1, 2, 1)
    values = torch.tensor([[[[1.0], [2.0]]]])
    everywhere = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    context = attend_by_distance(query, keys, values, everywhere, 0.0, relative)
    # query 0: weights 1/4 at itself and 3/4 after it, values 1 and 2 + 4; query 1: 1/2, 1/2
    expected = [0.25 * 1 + 0.75 * 6, 0.5 * (1 + 7) + 0.5 * 2]
    torch.testing.assert_close(context.flatten(), torch.tensor(expected))


@pytest.mark.parametrize("causal", [True, False])
def test_distances_that_say_nothing_are_plain_attention(causal: bool) -> None:
    torch.manual_seed(2)
    relative = RelativePositions(max_distance=2, d_head=4)
    with torch.no_grad():
        relative.keys.zero_()
        relative.values.zero_()
    query, keys, values = torch.randn(3, 2, 2, 5, 4).unbind()
    mask = None if causal else torch.tensor([[True, True, True, False, True]])
    torch.testing.assert_close(
        attend_by_distance(query, keys, values, mask, 0.0, relative),
        attend(query, keys, values, mask, dropout=0.0),
    )


@pytest.mark.parametrize(
    ("positions", "extra"),
    [
        ("sinusoidal", 0),
        ("rotary", 0),
        ("none", 0),
        ("learned", 2 * 7 * 16),
        ("recurrent", 2 * 2 * 3 * (16 * 16 + 16)),
        ("relative", 4 * 2 * (2 * 3 + 1) * 8),
    ],
)
def test_what_each_scheme_adds_in_parameters(positions: str, extra: int) -> None:
    model = tiny_transformer(positions=positions, max_positions=7, max_distance=3)
    assert count_parameters(model) - count_parameters(tiny_transformer()) == extra


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "relative", "rotary", "recurrent"])
def test_order_matters_but_without_positions_it_does_not(positions: str) -> None:
    ids = torch.tensor([[5, 6, 7, 8, EOS_ID], [8, 5, 7, 6, EOS_ID]])
    bos = torch.full((2, 1), BOS_ID)
    ordered = tiny_transformer(positions=positions)(ids, bos)
    assert (ordered[0] - ordered[1]).abs().max() > 1e-3
    bag = tiny_transformer(positions="none")(ids, bos)
    torch.testing.assert_close(bag[0], bag[1])


def test_only_recurrent_positions_have_a_state() -> None:
    for positions in ("sinusoidal", "learned", "relative", "rotary", "none", "recurrent"):
        config = TransformerConfig(**TRANSFORMER_SIZES, positions=positions)
        assert input_positions(config).has_state == (positions == "recurrent")


def test_a_head_that_cannot_be_turned_in_pairs() -> None:
    with pytest.raises(ValidationError, match="d_model / n_heads must be even"):
        TransformerConfig(**TRANSFORMER_SIZES | {"d_model": 6}, positions="rotary")
