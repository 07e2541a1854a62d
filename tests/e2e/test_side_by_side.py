"""Several trainings at once: a stop request reaches each of them once, and each saves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny_run import tiny_recipe, write_corpus
from training.checkpoint import newest_checkpoint
from training.recipe import to_yaml
from training.side_by_side import LOG

PROGRAM = """
import sys
from pathlib import Path
from training.recipe import load_recipe
from training.side_by_side import train_side_by_side
recipe, *runs = map(Path, sys.argv[1:])
train_side_by_side({run: load_recipe(recipe) for run in runs})
"""
PATIENCE_S = 240


def has_updated(run: Path) -> bool:
    metrics = run / "metrics.jsonl"
    return metrics.is_file() and metrics.stat().st_size > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_saves_every_run_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    write_corpus(tmp_path)
    recipe = tmp_path / "endless.yaml"
    changes = {"training.max_updates": 1_000_000, "evaluation.every_updates": 1_000_000}
    recipe.write_text(to_yaml(tiny_recipe(tmp_path, **changes)), encoding="utf-8")
    runs = [tmp_path / "one", tmp_path / "two"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(recipe), *map(str, runs)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    begun = runs[: os.cpu_count()]  # the others wait for a core
    while not all(has_updated(run) for run in begun):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, number)  # as a terminal does
    assert process.wait(PATIENCE_S) != 0
    for run in begun:
        newest, problems = newest_checkpoint(run / "checkpoints")
        assert newest is not None, problems
        log = (run / LOG).read_text(encoding="utf-8")
        assert f"stopped after update {newest.state.update:,}" in log
