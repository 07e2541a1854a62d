"""Where the arithmetic runs and how precise it is."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from mt.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]


def choose_device(device: Device) -> torch.device:
    """The device to train on; `auto` is the GPU where there is one.

    Raises:
        ConfigError: cuda is asked for and there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device: cuda is not available here; use cpu or auto")
    return torch.device(device)


def choose_device_to_read_on(device: Device) -> torch.device:
    """The device that runs what was trained on another: a CPU where the GPU it names is not."""
    return choose_device("auto" if device == "cuda" else device)


def use_threads(threads: int | None) -> int:
    """Give torch this many CPU threads (None: every core this process may use)."""
    chosen = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(chosen)
    return chosen


def rows_at_once(device: torch.device) -> int:
    """Live hypotheses that a search keeps running: a GPU has room for all of a test set's."""
    return 256 if device.type == "cpu" else 2048


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which matrix products run in bfloat16, or nothing at all for fp32."""
    if precision == "bf16" or (precision == "auto" and has_fast_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
