"""What a long form measured, as JSON, beside the command and the machine that made it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.report import machine

FOLDER = Path("build/faults")
PACKAGES = ("fastapi", "onnxruntime-gpu", "ray", "torch", "uvicorn")


def write(
    module: str, found: Mapping[str, object], path: Path | None = None, name: str = ""
) -> Path:
    """Write what `python -m tests.e2e.faults.MODULE` found, to build/faults/NAME.json by default.

    `name` is of one of several faults; then the command is the one for this fault alone.
    """
    path = path or FOLDER / f"{name or module}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments = [name] if name else sys.argv[1:]
    whole = {
        "command": " ".join(["python -m", f"tests.e2e.faults.{module}", *arguments]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "revision": _revision(),
        "machine": _machine(),
        "versions": machine(PACKAGES)["versions"],
    }
    path.write_text(json.dumps({**whole, **found}, indent=2) + "\n", encoding="utf-8")
    return path


def _revision() -> str:
    """Of the code that ran, where that is a repository."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _machine() -> str:
    """In words."""
    return f"{os.cpu_count()} cores, {machine(())['processor']}, no GPU used"
