"""Work on Ray: results in order, errors as they are, and a stop that lets tasks save."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mt.errors import ConfigError, CorpusError
from tests.tiny_run import tiny_recipe, write_corpus
from training.checkpoint import newest_checkpoint
from training.distributed import on_ray
from training.recipe import to_yaml

PATIENCE_S = 240
PROGRAM = """
import sys
from pathlib import Path
from training.compare.spread import Workers
from training.recipe import load_recipe
recipe, run = map(Path, sys.argv[1:])
Workers(ray="local").train({run: load_recipe(recipe)})
"""


def square(number: int) -> tuple[int, Path]:
    if number < 0:
        raise CorpusError(f"{number} is below zero")
    return number**2, Path.cwd()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own making
def test_results_come_in_the_order_of_jobs_and_errors_as_they_are(tmp_path: Path) -> None:
    seen: list[int] = []
    assert on_ray(square, [3, 1, 2], watch=seen.append) == [
        (number**2, Path.cwd()) for number in (3, 1, 2)
    ]
    assert seen[-1] == 3
    with pytest.raises(CorpusError, match="-1 is below zero"):
        on_ray(square, [2, -1])


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="--ray nonsense://x: the cluster cannot be used"):
        on_ray(square, [1], "nonsense://x")


def test_without_ray_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="--ray needs Ray: pip install"):
        on_ray(square, [1])


@pytest.mark.ray
@pytest.mark.slow
def test_a_stop_saves_what_is_trained_on_ray(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    recipe, run = tmp_path / "endless.yaml", tmp_path / "run"
    changes = {"training.max_updates": 1_000_000, "evaluation.every_updates": 1_000_000}
    recipe.write_text(to_yaml(tiny_recipe(tmp_path, **changes)), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(recipe), str(run)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_S
    metrics = run / "metrics.jsonl"
    while not (metrics.is_file() and metrics.stat().st_size):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) != 0
    newest, problems = newest_checkpoint(run / "checkpoints")
    assert newest is not None, problems
    assert newest.state.update > 0


def test_a_cluster_of_our_own_that_does_not_start_is_begun_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import ray

    begun: list[object] = []

    def fail(**settings: object) -> None:
        begun.append(settings["address"])
        raise RuntimeError("Timed out waiting for a file")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ConfigError, match="--ray local: the cluster cannot be used"):
        on_ray(square, [1])
    assert begun == [None] * 3
    assert capsys.readouterr().err.count("Ray did not start; trying again") == 2
    with pytest.raises(ConfigError, match=r"--ray 10\.0\.0\.1:6379: the cluster"):
        on_ray(square, [1], address="10.0.0.1:6379")
    assert begun[3:] == ["10.0.0.1:6379"]  # somebody else's: it is there or not
