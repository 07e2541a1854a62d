"""The chunked output layer against its plain twin: same loss, same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.chunked_loss import projected_cross_entropy
from training.loss import label_smoothed_cross_entropy


def inputs(scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(3)
    hidden = (scale * torch.randn(23, 6)).requires_grad_()
    weight = torch.randn(11, 6).requires_grad_()
    return hidden, weight, torch.randint(0, 11, (23,))


@pytest.mark.parametrize("chunk", [1, 5, 23, 64])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_loss_and_gradients_are_those_of_the_plain_way(chunk: int, smoothing: float) -> None:
    hidden, weight, targets = inputs()
    plain = label_smoothed_cross_entropy(F.linear(hidden, weight), targets, smoothing) / 7
    expected = torch.autograd.grad(plain, (hidden, weight))
    fast = projected_cross_entropy(hidden, weight, targets, smoothing, chunk) / 7
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(fast, (hidden, weight)), expected, rtol=1e-4, atol=1e-5
    )


def test_logits_too_far_apart_for_a_softmax_still_have_their_loss() -> None:
    hidden, weight, targets = inputs(scale=200.0)
    plain = label_smoothed_cross_entropy(F.linear(hidden, weight), targets, 0.1)
    assert plain > 1000
    fast = projected_cross_entropy(hidden, weight, targets, 0.1)
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-2)


def test_no_tokens_cost_nothing() -> None:
    hidden, weight, targets = inputs()
    loss = projected_cross_entropy(hidden[:0], weight, targets[:0], 0.1)
    assert loss.item() == 0.0
