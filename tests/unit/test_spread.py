"""Work in several processes: results in order, and nobody left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

from training.compare.spread import Workers

PATIENCE_S = 120.0
PROGRAM = """
import sys
from pathlib import Path
from tests.unit.test_spread import sleep_for_ever
from training.compare.spread import Workers
Workers(at_once=2).score(sleep_for_ever, [Path(sys.argv[1]), Path(sys.argv[2])], "sleeping")
"""


def square(number: int) -> int:
    return number**2


def sleep_for_ever(mark: Path) -> None:
    mark.with_suffix(".new").write_text(str(os.getpid()))
    mark.with_suffix(".new").rename(mark)
    time.sleep(10 * PATIENCE_S)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has buried does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_results_are_in_the_order_of_jobs() -> None:
    assert Workers(at_once=2).score(square, [3, 1, 2], "squares") == [9, 1, 4]


def test_a_killed_program_leaves_no_process_behind(tmp_path: Path) -> None:
    marks = [tmp_path / "one", tmp_path / "two"]
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, marks)])
    until = time.monotonic() + PATIENCE_S
    while not all(mark.exists() for mark in marks):
        assert program.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    program.kill()
    program.wait()
    workers = [int(mark.read_text()) for mark in marks]
    while any(map(is_alive, workers)):
        assert time.monotonic() < until, "its processes wait for ever"
        time.sleep(0.05)
