"""Training killed at random moments: it goes on from the newest whole checkpoint, bit for bit."""

import os
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.killable_run import import_everything, start, weights
from tests.tiny_run import write_corpus
from training.checkpoint import newest_checkpoint


@dataclass(frozen=True)
class Kills:
    """What was seen. Weights are checksums, by checkpoint."""

    killed: int
    damaged: list[str]
    """Checkpoints that were there under their names and not whole."""
    undisturbed: dict[str, str]
    """Weights of a run that was left alone."""
    ended: list[dict[str, str]]
    """Weights of the runs that came to their end between kills."""

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "killed": self.killed,
            "damaged_checkpoints": self.damaged,
            "runs_ended": len(self.ended),
            "bit_equal": sum(weights == self.undisturbed for weights in self.ended),
        }


def training_kills(folder: Path, kills: int, seed: int = 0) -> Kills:
    """Train once undisturbed; then kill so often, at any moment, runs that go on each time."""
    write_corpus(folder)
    import_everything()
    began = time.perf_counter()
    start(folder, folder / "undisturbed").join()
    life_s = time.perf_counter() - began
    draw, run = random.Random(seed), folder / "killed"
    killed, damaged, ended = 0, [], []
    while killed < kills:
        process = start(folder, run)
        process.join(draw.uniform(0.0, life_s))
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
        else:
            ended.append(weights(run))
            shutil.rmtree(run)
        damaged += newest_checkpoint(run / "checkpoints")[1]
    start(folder, run).join()
    ended.append(weights(run))
    return Kills(killed, damaged, weights(folder / "undisturbed"), ended)
