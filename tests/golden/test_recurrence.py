"""Loops whose way back is written by hand give what autograd gives, for every parameter."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny_models import tiny_gru
from training.models import recurrence
from training.models.gru import GRU, Encoder

SRC = torch.tensor([[5, 6, 7, 8, 3], [9, 3, 0, 0, 0], [3, 0, 0, 0, 0], [10, 11, 12, 3, 0]])
TGT_IN = torch.tensor([[2, 5, 6, 7], [2, 9, 0, 0], [2, 0, 0, 0], [2, 3, 10, 0]])
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "state-dropout": {"dropout_state": 0.4},
    "variational": {"dropout": 0.2, "dropout_output": 0.3, "variational": True},
    "untied": {"tie_embeddings": "none", "word_dropout": 0.2},
    "no-attention": {"attention": "none", "dropout_state": 0.4},
    "layer-norm": {"layer_norm": True, "dropout_state": 0.4},
}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}  # of the largest number


def gru(**changes: Any) -> GRU:
    model = tiny_gru(**{"dropout": 0.0, "dropout_output": 0.0} | changes).train()
    norms = [p for name, p in model.named_parameters() if "norm" in name]
    for i, parameter in enumerate(norms):  # they start as the identity, which hides mistakes
        draw = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
        parameter.data = 1 + 0.3 * draw
    return model


def loss_and_gradients(model: GRU) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(1)
    model.zero_grad()
    log_probs = model(SRC, TGT_IN).log_softmax(-1)
    loss: Tensor = (log_probs * torch.linspace(-1, 1, 20)).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


def assert_close(ours: Tensor, theirs: Tensor, name: str) -> None:
    largest = theirs.abs().max().item()
    assert (ours - theirs).abs().max().item() <= TOLERANCE[ours.dtype] * largest, name


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_and_gradients_are_those_of_autograd(
    variant: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = gru(**VARIANTS[variant]).to(dtype)
    loss, gradients = loss_and_gradients(model)
    monkeypatch.setattr(recurrence, "pays", lambda x: False)
    plain_loss, plain_gradients = loss_and_gradients(model)
    assert_close(loss, plain_loss, "loss")
    assert gradients.keys() == plain_gradients.keys() == dict(model.named_parameters()).keys()
    for name, gradient in gradients.items():
        assert_close(gradient, plain_gradients[name], name)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_attention_without_a_tanh_may_saturate(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and queries far beyond where an exponential overflows."""
    model = gru().double()
    assert model.attention is not None
    with torch.no_grad():
        model.attention.query.weight *= scale
        model.attention.key.weight *= scale
    loss, gradients = loss_and_gradients(model)
    monkeypatch.setattr(recurrence, "pays", lambda x: False)
    plain_loss, plain_gradients = loss_and_gradients(model)
    assert torch.isclose(loss, plain_loss, rtol=1e-9)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], rtol=1e-6, atol=1e-9)


def test_the_hand_written_way_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """In training on a CPU, in either precision, and not without gradients."""
    x = torch.zeros(1)
    assert recurrence.pays(x)
    with torch.no_grad():
        assert not recurrence.pays(x)
    assert not recurrence.pays(x.to("meta"))
    monkeypatch.setattr(GRU, "loop", None)
    monkeypatch.setattr(Encoder, "loop", None)
    for model in (gru(), gru(layer_norm=True)):
        loss_and_gradients(model)  # calls neither
        with torch.autocast("cpu", torch.bfloat16):
            loss_and_gradients(model)


@pytest.mark.parametrize("variant", ["plain", "state-dropout", "no-attention", "layer-norm"])
def test_in_bfloat16_gradients_are_as_precise_as_autograds(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = gru(**VARIANTS[variant])
    _, exact = loss_and_gradients(model)

    def error() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            _, found = loss_and_gradients(model)
        return float(torch.stack([(found[name] - exact[name]).norm() for name in exact]).norm())

    by_hand = error()
    monkeypatch.setattr(recurrence, "pays", lambda x: False)
    assert 0 < by_hand < 1.2 * error()
