"""Where and how precisely training computes, and the memory it keeps."""

import os
import subprocess
import sys

import pytest
import torch

from mt.errors import ConfigError
from training import precision
from training.cpu_memory import keep_freed_memory
from training.precision import (
    Device,
    autocast,
    choose_device,
    choose_device_to_read_on,
    has_fast_bf16,
    rows_at_once,
    use_threads,
)

CPU = torch.device("cpu")


def product(kind: precision.Precision) -> torch.dtype:
    with autocast(kind, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_precision_of_matrix_products(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product("fp32") == torch.float32
    assert product("bf16") == torch.bfloat16
    for has_it, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(precision, "has_fast_bf16", lambda device, has_it=has_it: has_it)
        assert product("auto") == expected


def test_a_cpu_multiplies_bf16_if_torch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for avx512, amx in ((True, False), (False, True), (False, False)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx512=avx512: avx512)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        assert has_fast_bf16(CPU) == (avx512 or amx)


def test_the_device_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"
    assert choose_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="device: cuda is not available"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (True, {"cuda": "cuda", "auto": "cuda", "cpu": "cpu"}),
        (False, {"cuda": "cpu", "auto": "cpu", "cpu": "cpu"}),
    ],
)
def test_what_a_gpu_has_trained_is_read_on_a_cpu_too(
    monkeypatch: pytest.MonkeyPatch, there: bool, expected: dict[Device, str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    for device, kind in expected.items():
        assert choose_device_to_read_on(device).type == kind


def test_a_gpu_searches_all_of_a_usual_test_set_at_once() -> None:
    assert rows_at_once(CPU) == 256
    assert rows_at_once(torch.device("cuda")) >= 1000


def test_threads_are_as_asked_or_all() -> None:
    before = torch.get_num_threads()
    try:
        assert use_threads(1) == torch.get_num_threads() == 1
        assert use_threads(None) == torch.get_num_threads() == len(os.sched_getaffinity(0))
    finally:
        torch.set_num_threads(before)


def test_freed_memory_is_kept() -> None:
    # in a process of its own: what a freed block leaves behind is the whole process's affair
    program = """
import ctypes, gc
from training.cpu_memory import keep_freed_memory
def resident() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * 4096
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
if not keep_freed_memory():
    print("other C library")
else:
    size = 200 << 20
    block = libc.malloc(ctypes.c_size_t(size))
    ctypes.memset(ctypes.c_void_p(block), 1, size)
    libc.free(block)
    print("kept" if resident() > size else "given back")
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() in {"kept", "other C library"}, answer.stderr


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False
