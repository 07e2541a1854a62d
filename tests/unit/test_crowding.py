"""A run whose cores others want says that fewer threads are faster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from training.crowding import Crowding

SECOND, CPU = 10**9, torch.device("cpu")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the kernel tells of a thread; torch has two."""
    file, threads = tmp_path / "schedstat", torch.get_num_threads()
    monkeypatch.setattr("training.crowding._SCHEDSTAT", file)
    tell(file, 100, 100)
    torch.set_num_threads(2)
    yield file
    torch.set_num_threads(threads)


def tell(file: Path, on_core_s: float, waiting_s: float) -> None:
    file.write_text(f"{int(on_core_s * SECOND)} {int(waiting_s * SECOND)} 7\n", encoding="ascii")


def test_the_time_since_it_was_asked_last_counts(
    kernel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crowding = Crowding(CPU)
    tell(kernel, 104, 100)  # too little to tell
    crowding.check()
    tell(kernel, 109, 101)  # a tenth
    crowding.check()
    assert not capsys.readouterr().err
    tell(kernel, 115, 105)  # 40 % of ten seconds
    crowding.check()
    told = capsys.readouterr().err
    assert "2 threads wait for each other at every step (40% of the time)" in told
    assert told.endswith("go on with --set training.threads=1\n")
    tell(kernel, 125, 115)
    crowding.check()
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("threads", "device"), [(1, "cpu"), (2, "cuda")])
def test_one_thread_waits_for_no_other_nor_does_a_gpu(
    kernel: Path, capsys: pytest.CaptureFixture[str], threads: int, device: str
) -> None:
    torch.set_num_threads(threads)
    crowding = Crowding(torch.device(device))
    tell(kernel, 110, 120)
    crowding.check()
    assert not capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "", "none of yours"])
def test_a_kernel_that_does_not_tell_is_none_to_warn_by(
    kernel: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    kernel.unlink()
    if text is not None:
        kernel.write_text(text, encoding="ascii")
    Crowding(CPU).check()
    assert not capsys.readouterr().err
