"""Each score and what is made of it, by hand-worked numbers."""

import math

import pytest
import torch
from torch import Tensor

from training.models.luong_attention import (
    AdditiveScore,
    DotScore,
    GeneralScore,
    ScoreName,
    attend,
    make_score,
)

VALUES = torch.tensor([[[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]])  # three words
QUERIES = torch.tensor([[[2.0, 1.0], [0.0, 4.0]]])  # two steps


@torch.no_grad()
def energies(score: DotScore | GeneralScore | AdditiveScore, queries: Tensor) -> list[list[float]]:
    keys = score.keys(VALUES)
    found: Tensor = score(queries, VALUES if keys is None else keys)
    return found[0].tolist()


def test_dot_by_hand() -> None:
    assert energies(DotScore(), QUERIES) == [[4.0, -1.0, 6.5], [8.0, -4.0, 2.0]]


def test_general_by_hand() -> None:
    score = GeneralScore(query_size=1, value_size=2)
    with torch.no_grad():
        score.query.weight.copy_(torch.tensor([[2.0], [10.0]]))
    # a query q asks as (2 q, 10 q)
    assert energies(score, torch.tensor([[[1.0], [-0.5]]])) == [[22.0, -10.0, 11.0], [-11, 5, -5.5]]


def test_general_with_the_identity_is_dot() -> None:
    score = GeneralScore(2, 2)
    with torch.no_grad():
        score.query.weight.copy_(torch.eye(2))
    assert energies(score, QUERIES) == energies(DotScore(), QUERIES)


def test_additive_by_hand() -> None:
    score = AdditiveScore(query_size=2, value_size=2, size=2)
    with torch.no_grad():
        score.query.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        score.query.bias.copy_(torch.tensor([0.0, 0.5]))
        score.key.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        score.energy.copy_(torch.tensor([3.0, 7.0]))
    # first number: tanh of both first numbers' sum, times 3; second: 7 tanh(1/2) for all
    wanted = [[3 * math.tanh(q + k) + 7 * math.tanh(0.5) for k in (1, 0, 3)] for q in (2, 0)]
    for found, row in zip(energies(score, QUERIES), wanted, strict=True):
        assert found == pytest.approx(row, abs=1e-6)


def test_attending_by_hand() -> None:
    log3 = math.log(3)
    weighed = torch.tensor([[[log3, 0.0, 50.0], [0.0, 0.0, 50.0]]])
    contexts, weights = attend(weighed, VALUES, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(weights, torch.tensor([[[0.75, 0.25, 0.0], [0.5, 0.5, 0.0]]]))
    torch.testing.assert_close(contexts, torch.tensor([[[0.75, 1.25], [0.5, 0.5]]]))


def test_attention_over_no_token_is_a_number() -> None:
    _, weights = attend(torch.randn(1, 1, 3), VALUES, torch.zeros(1, 3, dtype=torch.bool))
    assert weights.isfinite().all()


@pytest.mark.parametrize(
    ("name", "kind"), [("dot", DotScore), ("general", GeneralScore), ("bahdanau", AdditiveScore)]
)
def test_scores_have_the_names_of_recipes(name: ScoreName, kind: type) -> None:
    torch.manual_seed(0)
    score = make_score(name, query_size=2, value_size=2, size=5)
    score.initialise()
    assert type(score) is kind
    assert all(parameter.abs().sum() > 0 for n, parameter in score.named_parameters() if "w" in n)
    assert name == "bahdanau" or score.keys(VALUES) is None
