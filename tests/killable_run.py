"""A training run in a process of its own, to be killed, and the weights it leaves."""

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.tiny_run import tiny_recipe
from training.checkpoint import checkpoint_folders, read_checkpoint
from training.train import train

CHANGES = {"batching.accumulate": 2, "training.max_updates": 30, "evaluation.every_updates": 7}
SERVER = multiprocessing.get_context("forkserver")  # each child is a fresh process, forked clean
SERVER.set_forkserver_preload(["training.train", "torch._dynamo"])  # what takes long to import


def import_everything() -> None:
    """Let the first process, too, begin to train at once."""
    process = SERVER.Process(target=int)
    process.start()
    process.join()


def start(corpus: Path, run: Path) -> BaseProcess:
    """Begin to train, or go on."""
    process = SERVER.Process(target=_train_quietly, args=(corpus, run))
    process.start()
    return process


def _train_quietly(corpus: Path, run: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    train(tiny_recipe(corpus, **CHANGES), run)


def weights(run: Path) -> dict[str, str]:
    """Checksums of the weights, by checkpoint."""
    folders = [*checkpoint_folders(run / "checkpoints"), run / "final"]
    return {folder.name: read_checkpoint(folder).sha256 for folder in folders}
