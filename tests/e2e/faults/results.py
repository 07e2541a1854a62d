"""What a long form measured, as JSON, beside the machine that it was measured on."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.report import machine

PACKAGES = ("fastapi", "onnxruntime-gpu", "ray", "torch", "uvicorn")


def write(name: str, found: Mapping[str, object], path: Path | None = None) -> Path:
    """Write a result, to build/faults/<name>.json where not told."""
    path = path or Path("build/faults") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {
        "command": f"python -m tests.e2e.faults.{name} {' '.join(sys.argv[1:])}".strip(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(PACKAGES),
    }
    path.write_text(json.dumps({**whole, **found}, indent=2) + "\n", encoding="utf-8")
    return path
