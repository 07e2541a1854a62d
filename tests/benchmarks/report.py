"""Interleaved timing, medians, and one JSON file a benchmark with the machine that made it."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Contestants = Mapping[str, Callable[[], int]]
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_int8")  # speeds hang on them


def interleave(contestants: Contestants, rounds: int, threads: int = 1) -> dict[str, float]:
    """Median units per second of each contestant; all run once a round, in turn.

    A contestant does its work and returns how many units (tokens, sentences) that was. The first
    round warms up and is not counted. On one thread, seconds are those of the processor, so that
    what else runs on the machine takes none of them.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, work in contestants.items():
            start = clock()
            units = work()
            if turn:
                speeds[name].append(units / (clock() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def ratios(speeds: Mapping[str, float], peer: str) -> dict[str, float]:
    """Each speed over the peer's."""
    return {name: round(speed / speeds[peer], 3) for name, speed in speeds.items()}


def machine(packages: Iterable[str]) -> dict[str, object]:
    """What a reader needs to judge the figures: processor, cores, Python and library versions."""
    flags = _cpu_fact("flags").split()
    return {
        "processor": _processor(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := _version(name))},
    }


def write(
    name: str, report: Mapping[str, Any], path: Path | None = None, cell: Sequence[str] = ()
) -> Path:
    """Write a result, to build/bench/<name>.json where not told, with the command that made it.

    cell: what tells one row from another; where it is given, rows of other cells that stand in the
    file already stay there, so that a long benchmark can be run in parts.
    """
    path = path or Path("build/bench") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = f"python -m tests.benchmarks.{name} {' '.join(sys.argv[1:])}".strip()
    whole = {"command": command, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if cell and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        whole["command"] = f"{before['command']}; {command}"
        new = [[row[key] for key in cell] for row in report["rows"]]
        kept = [row for row in before["rows"] if [row[key] for key in cell] not in new]
        report = {**report, "rows": [*kept, *report["rows"]]}
    path.write_text(json.dumps({**whole, **report}, indent=2) + "\n", encoding="utf-8")
    return path


def table(title: str, speeds: Mapping[str, float], peer: str, unit: str) -> str:
    """A small text table: speed and ratio to the peer."""
    rows = [f"{title} ({unit}; ratio to {peer})"]
    compared = ratios(speeds, peer)
    rows += [f"  {name:34s} {speed:10.0f} {compared[name]:7.2f}x" for name, speed in speeds.items()]
    return "\n".join(rows)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def _cpu_fact(name: str) -> str:
    """What Linux says of the first core under this name; empty where it says nothing."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
