"""Train several recipes at once, one process and one CPU thread each, behind a single bar.

Models as small as the demo's gain little from a second thread; a second process gains a whole core.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from mt.errors import CheckpointError
from training.budget import share_spent
from training.console import Progress, say
from training.durable_files import write_file
from training.interrupts import StopRequest
from training.recipe import Recipe, to_yaml

LOOK_EVERY_S = 0.5
LOG = "train.log"


def train_side_by_side(recipes: Mapping[Path, Recipe], at_once: int | None = None) -> None:
    """Train each recipe into its run folder, so many at a time; None: as there are cores.

    What a process says goes to RUN/train.log. If this is interrupted, so are they, and each saves
    its run first.

    Raises:
        CheckpointError: a process failed; names its log and repeats its last line.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after all runs are saved.
    """
    waiting, running = dict(recipes), dict[Path, subprocess.Popen[bytes]]()
    cores = at_once or os.cpu_count() or 1
    title = f"training {len(recipes)} models on {cores} core{'s' if cores > 1 else ''}"
    with Progress(title, share_of_runs(recipes)) as bar, StopRequest() as stop:
        try:
            while waiting or running:
                if stop:
                    raise KeyboardInterrupt
                while waiting and len(running) < cores:
                    run = next(iter(waiting))
                    running[run] = _start(run, waiting.pop(run))
                time.sleep(LOOK_EVERY_S)
                for run in [run for run, process in running.items() if process.poll() is not None]:
                    _check(run, running.pop(run))
                bar.update(share_of_runs(recipes))
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait()


def _start(run: Path, recipe: Recipe) -> subprocess.Popen[bytes]:
    path = run / "recipe.yaml"
    write_file(path, to_yaml(recipe).encode())
    command = [sys.executable, "-m", "mt", "train", str(path), "--out", str(run)]
    with (run / LOG).open("ab") as log:
        return subprocess.Popen(
            [*command, "--set", "training.threads=1"],
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches it once, through us: twice would not save
        )


def _environment() -> dict[str, str]:
    """This process's, with one thread also for libraries that ask the environment."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _check(run: Path, process: subprocess.Popen[bytes]) -> None:
    lines = (run / LOG).read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    if process.returncode != 0:
        raise CheckpointError(f"training into {run} failed, see {run / LOG}: {lines[-1]}")
    say(lines[-1])


def share_of_runs(recipes: Mapping[Path, Recipe]) -> float:
    """How much of all training is done, 0-1, by the metrics the runs have written."""
    return sum(share_of_run(run, recipe) for run, recipe in recipes.items()) / len(recipes)


def share_of_run(run: Path, recipe: Recipe) -> float:
    """How much of one training is done, 0-1."""
    if (run / "final").is_dir():
        return 1.0
    try:
        latest = json.loads((run / "metrics.jsonl").read_bytes().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return 0.0  # not begun, or a line is half written
    return share_spent(latest, recipe.training)
