"""Dropout keeps the mean, decides anew, and stays out of the way when not training."""

import pytest
import torch

from training.models.dropout import Dropout


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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_device_drops_as_well() -> None:
    assert (Dropout(0.5)(torch.ones(10_000, device="cuda")) == 0).float().mean() > 0.4
