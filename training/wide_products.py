"""Multiply float32 matrices by oneDNN where it uses wider vectors than MKL does.

PyTorch leaves float32 products to MKL, which takes its AVX2 path on processors that are not
Intel's: 89 GFLOP/s on a core of an AMD EPYC with AVX-512, where oneDNN makes 102. The switch that
sends them to oneDNN *permits* bfloat16 inside a product; only AMX makes use of that. Elsewhere sums
and factors stay float32, which `are_precise` looks at before the switch is trusted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

_switch: Any = getattr(torch.backends.mkldnn, "matmul", None)  # PyTorch before 2.9 has none
_ON = "bf16"
_ERROR = 1e-3  # of products of 256 pairs of numbers around 1: float32 1e-4, bfloat16 0.2


class _State:
    """Beside the switch: torch.compile may not read that one."""

    is_on = False


def wide_products_are_on() -> bool:
    """Whether products of float32 matrices go to oneDNN at this moment."""
    return _State.is_on


@contextmanager
def wide_products(device: torch.device) -> Iterator[None]:
    """Within, float32 products on a CPU go to oneDNN where that pays."""
    if device.type == "cpu" and wide_products_pay():
        with _switched_on():
            yield
    else:
        yield


@cache
def wide_products_pay() -> bool:
    """AVX-512 without AMX, on a processor where MKL holds back, and no precision is lost."""
    is_wide = _switch is not None and torch.backends.cpu.get_cpu_capability() == "AVX512"
    return is_wide and not torch.cpu._is_amx_tile_supported() and _is_amd() and are_precise()


def are_precise() -> bool:
    """Whether the switch leaves a product as precise as float32 is."""
    a, b = torch.randn(2, 256, 256, generator=torch.Generator().manual_seed(1))
    with _switched_on():
        error = (a @ b - a.double() @ b.double()).abs().max()
    return bool(error < _ERROR)


@contextmanager
def _switched_on() -> Iterator[None]:
    before, _switch.fp32_precision = _switch.fp32_precision, _ON
    _State.is_on = True
    try:
        yield
    finally:
        _switch.fp32_precision, _State.is_on = before, False


def _is_amd() -> bool:
    facts = Path("/proc/cpuinfo")
    return facts.is_file() and "AuthenticAMD" in facts.read_text(errors="replace")
