"""Whether a run on disk may be continued, and from which checkpoint."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mt.errors import CheckpointError
from training.checkpoint import (
    CHECKPOINTS,
    MILESTONES,
    Checkpoint,
    forget_after,
    newest_checkpoint,
)
from training.console import say
from training.durable_files import remove_leftovers
from training.recipe import Recipe, differing_keys, to_values, with_defaults
from training.trained import read_final

_LOOK_EVERY_S = 0.2


@contextmanager
def locked(run: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Own a run's folder; the lock ends with the process, however that ends.

    wait_s: patience with a process that owns it.

    What the disk refuses meanwhile is an error of the run.

    Raises:
        CheckpointError: another process owns it, or it cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / ".lock").open("w")
    except OSError as error:
        raise CheckpointError(
            f"{run} cannot be used as a run's folder ({error.strerror})"
        ) from None
    with lock:
        deadline = time.monotonic() + wait_s
        while not _own(lock):
            if time.monotonic() >= deadline:
                raise CheckpointError(f"{run} is in use by another process")
            time.sleep(_LOOK_EVERY_S)
        try:
            yield
        except OSError as error:
            where = error.filename or run
            raise CheckpointError(
                f"{where}: {error.strerror or error}; mend that and repeat the command to continue"
            ) from None


def _own(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def checkpoint_to_continue(recipe: Recipe, run: Path) -> Checkpoint | None:
    """The newest whole checkpoint of a run, None where it has none yet; what a kill left half
    written, and milestones beyond the checkpoint, are deleted.

    Raises:
        CheckpointError: the run belongs to another recipe, or all its checkpoints are damaged.
    """
    for folder in (run, run / CHECKPOINTS, run / MILESTONES):
        remove_leftovers(folder)
    checkpoint, problems = newest_checkpoint(run / CHECKPOINTS)
    if problems and checkpoint is None:
        raise CheckpointError(
            f"{run} has no whole checkpoint ({'; '.join(problems)}); "
            f"delete {run / CHECKPOINTS} to start over"
        )
    for problem in problems:
        say(f"warning: {problem}; continuing from the one before")
    check_same_recipe(recipe, run, checkpoint)
    forget_after(run / MILESTONES, checkpoint.state.update if checkpoint else 0)
    return checkpoint


def check_same_recipe(recipe: Recipe, run: Path, checkpoint: Checkpoint | None) -> None:
    """Refuse a recipe that `run` was not trained with, up to its checkpoint or its end.

    Raises:
        CheckpointError: names the keys in which they differ.
    """
    for found in filter(None, (checkpoint, read_final(run))):
        if differing := differing_keys(with_defaults(found.origin.recipe), to_values(recipe)):
            raise CheckpointError(
                f"{run} was trained with another recipe, which differs in {', '.join(differing)}; "
                "change that back or train into another folder"
            )
