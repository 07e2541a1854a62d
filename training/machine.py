"""What a figure was measured on."""

import os
import platform
import subprocess
from pathlib import Path

import torch


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """Processor, cores that this process may use, PyTorch's version, and the GPU if it is used."""
    facts: dict[str, str | int] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "device": str(device),
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def source_revision() -> str | None:
    """The commit of this program's source, where it is a checkout.

    None where it is installed, though it be into a folder of somebody else's checkout.
    """
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD", "--show-prefix"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    commit, folder, *_ = told.split("\n")
    return commit if folder == f"{here.name}/" else None


def _processor() -> str:
    """The processor's name and its vector instructions, as Linux and PyTorch know them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
