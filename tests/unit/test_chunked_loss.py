"""The chunked output layer against its plain twin: same loss, same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.chunked_loss import projected_cross_entropy
from training.loss import label_smoothed_cross_entropy
from training.precision import Precision, autocast


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


@pytest.mark.parametrize("chunk", [5, 64])
def test_in_bfloat16_it_is_the_plain_way_within_that_precision(chunk: int) -> None:
    hidden, weight, targets = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        plain = label_smoothed_cross_entropy(F.linear(hidden, weight), targets, 0.1)
        fast = projected_cross_entropy(hidden, weight, targets, 0.1, chunk)
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast, plain, rtol=2e-3, atol=1e-3)
    expected = torch.autograd.grad(plain, (hidden, weight))
    found = torch.autograd.grad(fast, (hidden, weight))
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, theirs, rtol=0.02, atol=0.02)


def test_in_bfloat16_sums_over_many_chunks_stay_precise() -> None:
    torch.manual_seed(3)
    hidden = torch.randn(4000, 6)
    weight, targets = torch.randn(11, 6).requires_grad_(), torch.randint(0, 11, (4000,))
    (expected,) = torch.autograd.grad(projected_cross_entropy(hidden, weight, targets, 0.1), weight)
    with torch.autocast("cpu", torch.bfloat16):
        loss = projected_cross_entropy(hidden, weight, targets, 0.1, chunk=8)
    (found,) = torch.autograd.grad(loss, weight)
    assert ((found - expected).norm() / expected.norm()).item() < 3e-3


def test_in_float64_it_is_as_precise() -> None:
    hidden, weight, targets = (
        part.double() if part.is_floating_point() else part for part in inputs()
    )
    plain = F.cross_entropy(F.linear(hidden, weight), targets, reduction="sum", label_smoothing=0.1)
    fast = projected_cross_entropy(hidden, weight, targets, 0.1, chunk=5)
    torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05)])
def test_a_gpu_agrees(precision: Precision, tolerance: float) -> None:
    hidden, weight, targets = inputs()
    expected = projected_cross_entropy(hidden, weight, targets, 0.1, chunk=5)
    slopes = torch.autograd.grad(expected, (hidden, weight))
    there = hidden.detach().cuda().requires_grad_(), weight.detach().cuda().requires_grad_()
    with autocast(precision, torch.device("cuda")):
        found = projected_cross_entropy(*there, targets.cuda(), 0.1, chunk=5)
    torch.testing.assert_close(found.cpu(), expected, rtol=tolerance, atol=tolerance)
    for mine, theirs in zip(torch.autograd.grad(found, there), slopes, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=tolerance, atol=tolerance)
