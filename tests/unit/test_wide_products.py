"""Float32 products through oneDNN: chosen by processor, precise, and off again afterwards."""

from collections.abc import Iterator

import pytest
import torch

from training import wide_products as module
from training.wide_products import (
    are_precise,
    wide_products,
    wide_products_are_on,
    wide_products_pay,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def choose_anew() -> Iterator[None]:
    wide_products_pay.cache_clear()
    yield
    wide_products_pay.cache_clear()


def test_they_are_on_within_only_and_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    for pays in (True, False):
        monkeypatch.setattr(module, "wide_products_pay", lambda pays=pays: pays)
        with wide_products(CPU):
            assert wide_products_are_on() == pays
        assert not wide_products_are_on()
    monkeypatch.setattr(module, "wide_products_pay", lambda: True)
    with wide_products(torch.device("meta")):
        assert not wide_products_are_on()


@pytest.mark.parametrize(
    ("capability", "has_amx", "is_amd", "precise", "expected"),
    [
        ("AVX512", False, True, True, True),
        ("AVX2", False, True, True, False),
        ("AVX512", True, True, True, False),  # it would round to bfloat16
        ("AVX512", False, False, True, False),  # MKL is as fast
        ("AVX512", False, True, False, False),
    ],
)
def test_they_pay_on_some_processors(
    monkeypatch: pytest.MonkeyPatch,
    capability: str,
    has_amx: bool,
    is_amd: bool,
    precise: bool,
    expected: bool,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    monkeypatch.setattr(module, "_is_amd", lambda: is_amd)
    monkeypatch.setattr(module, "are_precise", lambda: precise)
    assert wide_products_pay() == expected


def test_a_product_that_rounds_to_bfloat16_is_not_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    if wide_products_pay():
        assert are_precise()
    product = torch.Tensor.__matmul__

    def rounded(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.float64:
            return product(a, b)
        return product(a.bfloat16(), b.bfloat16()).float()

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not are_precise()
    assert not wide_products_are_on()


def test_the_product_is_that_of_mkl() -> None:
    torch.manual_seed(1)
    a, b = torch.randn(300, 70), torch.randn(70, 90)
    plain = a @ b
    with wide_products(CPU):
        torch.testing.assert_close(a @ b, plain, rtol=1e-4, atol=1e-4)
