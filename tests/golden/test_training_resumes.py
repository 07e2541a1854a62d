"""A run that was killed and continued is the run that was not: the same weights, bit for bit."""

import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.killable_run import start, weights
from tests.tiny_run import write_corpus
from training.checkpoint import newest_checkpoint


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A corpus, and the weights of a run that nobody disturbed, by checkpoint."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    start(folder, folder / "run").join()
    return folder, weights(folder / "run")


def kill_when(process: BaseProcess, moment: Callable[[], bool]) -> bool:
    """Kill -9 as soon as `moment` comes; False where the process ended before."""
    while process.is_alive():
        if moment():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return process.exitcode == -signal.SIGKILL
        time.sleep(0.0005)
    return False


def updates_logged(run: Path) -> int:
    try:
        last = (run / "metrics.jsonl").read_text().splitlines()[-1]
        return int(json.loads(last)["update"])
    except (OSError, IndexError, ValueError):
        return 0


def writing_checkpoint(run: Path) -> bool:
    return any((run / "checkpoints").glob(".update-*.tmp/model.safetensors"))


def test_killed_at_many_moments_it_still_ends_with_the_same_weights(
    tmp_path: Path, uninterrupted: tuple[Path, dict[str, str]]
) -> None:
    corpus, expected = uninterrupted
    moments: list[Callable[[], bool]] = [
        lambda: (tmp_path / "tokenizer.model").exists(),  # while the pairs are encoded
        lambda: updates_logged(tmp_path) >= 3,  # before there is any checkpoint
        lambda: writing_checkpoint(tmp_path),  # in the middle of the first
        lambda: updates_logged(tmp_path) >= 9,  # during an update
        lambda: writing_checkpoint(tmp_path),
        lambda: updates_logged(tmp_path) >= 17,  # early in the second epoch
        lambda: writing_checkpoint(tmp_path),
        lambda: updates_logged(tmp_path) >= 29,
    ]
    killed = 0
    for moment in moments:
        killed += kill_when(start(corpus, tmp_path), moment)
        _, problems = newest_checkpoint(tmp_path / "checkpoints")
        assert not problems  # whatever is there under a checkpoint's name is whole
    last = start(corpus, tmp_path)
    last.join()
    assert last.exitcode == 0
    assert killed >= 6
    assert weights(tmp_path) == expected
    assert [e["update"] for e in _metrics(tmp_path, "training")] == list(range(1, 31))


def test_an_interrupted_run_is_saved_and_continues_to_the_same_weights(
    tmp_path: Path, uninterrupted: tuple[Path, dict[str, str]]
) -> None:
    corpus, expected = uninterrupted
    process = start(corpus, tmp_path)
    while updates_logged(tmp_path) < 4 and process.is_alive():
        time.sleep(0.0005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 0
    saved, _ = newest_checkpoint(tmp_path / "checkpoints")
    assert saved is not None
    assert saved.state.update >= 4
    assert not (tmp_path / "final").exists()
    start(corpus, tmp_path).join()
    ended = weights(tmp_path)
    assert {name: ended[name] for name in expected} == expected


def _metrics(run: Path, kind: str) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]
