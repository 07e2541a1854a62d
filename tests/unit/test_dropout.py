"""Dropout keeps the mean, decides anew, and stays out of the way when not training."""

import pytest
import torch

from training.models.dropout import Dropout, WordDropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_the_dropped_share_is_p_and_the_rest_is_scaled(p: float) -> None:
    torch.manual_seed(0)
    y = Dropout(p)(torch.ones(400, 501))
    share = (y == 0).float().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / y.numel()) ** 0.5)
    torch.testing.assert_close(y[y != 0].unique(), torch.tensor([1 / (1 - p)]), rtol=1e-4, atol=0)


def test_decisions_are_independent_of_place() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(4000, 64)) != 0).float()
    correlation = torch.corrcoef(kept.T) - torch.eye(64)
    assert correlation.abs().max() < 6 / 4000**0.5


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3, 7)])
def test_any_shape_comes_back(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


def test_the_gradient_passes_where_the_number_did() -> None:
    torch.manual_seed(0)
    x = torch.ones(50, 7, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y)


def test_torchs_seed_decides() -> None:
    drop, x = Dropout(0.5), torch.ones(10, 10)
    torch.manual_seed(1)
    first, second = drop(x), drop(x)
    torch.manual_seed(1)
    assert torch.equal(drop(x), first)
    assert not torch.equal(first, second)


def test_nothing_is_dropped_in_evaluation_or_at_zero() -> None:
    x = torch.randn(10, 10)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_the_number_type_is_kept() -> None:
    for dtype in (torch.float64, torch.bfloat16):
        assert Dropout(0.5)(torch.ones(4, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("over", [-2, 0, 1])
def test_one_decision_for_a_whole_axis(over: int) -> None:
    torch.manual_seed(0)
    y = Dropout(0.5, over)(torch.ones(20, 6, 30))
    first = y.narrow(over, 0, 1)
    assert torch.equal(y, first.expand_as(y))
    assert first.unique().tolist() == [0, 2]  # and not the same one for all axes


def test_a_drawn_decision_is_the_one_that_forward_takes() -> None:
    drop, x = Dropout(0.3), torch.randn(10, 10)
    torch.manual_seed(1)
    scales = drop.draw(x)
    torch.manual_seed(1)
    assert scales is not None
    assert torch.equal(drop(x), x * scales)
    assert drop.eval().draw(x) is None


def test_words_are_dropped_whole_and_the_rest_scaled() -> None:
    torch.manual_seed(0)
    y = WordDropout(0.2)(torch.ones(50, 40, 7))
    torch.testing.assert_close(y.unique(), torch.tensor([0, 1.25]), rtol=1e-4, atol=0)
    assert torch.equal(y, y[..., :1].expand_as(y))
    assert (y[..., 0] == 0).float().mean().item() == pytest.approx(0.2, abs=0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_device_drops_as_well() -> None:
    for dropout in (Dropout(0.5), Dropout(0.5, over=0)):
        assert (dropout(torch.ones(1, 10_000, device="cuda")) == 0).float().mean() > 0.4
