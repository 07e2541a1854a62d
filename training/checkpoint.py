"""Checkpoints that survive a kill: written aside, synced, renamed, verified when read.

`RUN/checkpoints/update-0000100/` holds `model.safetensors`, `optimizer.safetensors` and
`state.json`: tensors are safetensors, everything else is JSON. Where a moving average is kept, it
is the model, and the weights in training stand in `training.safetensors`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mt.errors import CheckpointError
from training.budget import Evaluation, RunState, Sitting
from training.console import say
from training.durable_files import remove_folder, write_folder
from training.schedule import PlateauState
from training.tensors import (
    Tensors,
    from_bytes,
    load_model_tensors,
    load_optimizer_tensors,
    model_tensors,
    optimizer_tensors,
    random_states,
    restore_random_states,
    to_bytes,
)

MODEL = "model.safetensors"
IN_TRAINING = "training.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
CHECKPOINTS = "checkpoints"
MILESTONES = "milestones"
FINAL = "final"


@dataclass(frozen=True)
class Origin:
    """What a checkpoint was trained with; a run continues only with the same."""

    recipe: dict[str, Any]
    corpus_sha256: Any
    tokenizer_sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint on disk; `facts` is its whole state.json."""

    folder: Path
    state: RunState
    origin: Origin
    sha256: str
    facts: dict[str, Any]

    def model_tensors(self) -> Tensors:
        """The weights by name, on the CPU."""
        return read_tensors(self.folder / MODEL)

    def restore(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: nn.Module | None = None,
    ) -> None:
        """Put weights, their moving average, the optimizer's memory and random states back."""
        weights = self.model_tensors()
        if average is not None:
            load_model_tensors(average, weights, str(self.folder))
            weights = read_tensors(self.folder / IN_TRAINING)
        load_model_tensors(model, weights, str(self.folder))
        load_optimizer_tensors(model, optimizer, read_tensors(self.folder / OPTIMIZER))
        restore_random_states(self.facts["random"])


def save_checkpoint(
    checkpoints: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: RunState,
    origin: Origin,
    average: nn.Module | None = None,
) -> Path:
    """Write `update-NNNNNNN` whole or not at all; return its folder.

    average: the model that holds the moving average of the weights, where there is one.

    Raises:
        CheckpointError: the disk refuses.
    """
    files = {
        MODEL: to_bytes(model_tensors(average or model)),
        OPTIMIZER: to_bytes(optimizer_tensors(model, optimizer)),
    }
    if average is not None:
        files[IN_TRAINING] = to_bytes(model_tensors(model))
    facts = {
        "state": asdict(state),
        "origin": asdict(origin),
        "random": random_states(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    folder = checkpoint_folder(checkpoints, state.update)
    write_folder(folder, {**files, STATE: json.dumps(facts).encode()})
    return folder


def checkpoint_folder(checkpoints: Path, update: int) -> Path:
    """Where the checkpoint of an update lives."""
    return checkpoints / f"update-{update:07d}"


def read_checkpoint(folder: Path) -> Checkpoint:
    """Open a checkpoint and verify every file.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        facts = json.loads((folder / STATE).read_text(encoding="utf-8"))
        for name, expected in dict(facts["sha256"]).items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise CheckpointError(f"{folder}: {name} was changed (sha256 differs)")
        return Checkpoint(
            folder,
            _read_state(facts["state"]),
            Origin(**facts["origin"]),
            facts["sha256"][MODEL],
            facts,
        )
    except OSError as error:
        raise CheckpointError(f"{folder} is no checkpoint ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{folder}: {STATE} is damaged") from None


def newest_checkpoint(checkpoints: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and what is wrong with newer ones."""
    problems: list[str] = []
    for folder in reversed(checkpoint_folders(checkpoints)):
        try:
            return read_checkpoint(folder), problems
        except CheckpointError as error:
            problems.append(str(error))
    return None, problems


def find_checkpoint(path: Path) -> Checkpoint:
    """What stands for a run (its `final`, or else its best checkpoint), or the folder itself.

    Raises:
        CheckpointError: there is no trained model, or it is damaged.
    """
    if (path / STATE).is_file():
        return read_checkpoint(path)
    if (path / FINAL / STATE).is_file():
        final = read_checkpoint(path / FINAL)
        if beyond := update_beyond(path, final):
            say(
                f"warning: {path / FINAL} is of update {final.state.update:,}, but training has "
                f"gone on to {beyond:,}; train it to its end, or name a checkpoint"
            )
        return final
    newest, problems = newest_checkpoint(path / CHECKPOINTS)
    if newest is None:
        why = "; ".join(problems) or "it is no run, or has not reached its first evaluation"
        raise CheckpointError(f"{path} holds no trained model: {why}")
    for evaluation in newest.state.best(1):
        return read_checkpoint(checkpoint_folder(path / CHECKPOINTS, evaluation.update))
    return newest


def update_beyond(run: Path, final: Checkpoint) -> int | None:
    """The newest checkpoint's update where a run has gone on since it ended; else None."""
    folders = checkpoint_folders(run / CHECKPOINTS)
    names = (folder.name.removeprefix("update-") for folder in folders)
    latest = max((int(name) for name in names if name.isdigit()), default=0)
    return latest if latest > final.state.update else None


def sha256_of_model(path: Path) -> str:
    """Checksum of the weights that `find_checkpoint` finds.

    Raises:
        CheckpointError: there are none, or they are damaged.
    """
    return find_checkpoint(path).sha256


def checkpoint_folders(checkpoints: Path) -> list[Path]:
    """All checkpoints of a run, oldest first."""
    return sorted(checkpoints.glob("update-*"))


def prune(checkpoints: Path, keep: Iterable[int]) -> None:
    """Delete all checkpoints but those of these updates and the two newest."""
    folders = checkpoint_folders(checkpoints)
    kept = {checkpoint_folder(checkpoints, update) for update in keep} | set(folders[-2:])
    for folder in folders:
        if folder not in kept:
            remove_folder(folder)


def forget_after(checkpoints: Path, update: int) -> None:
    """Delete the checkpoints of later updates, which a run that goes on from here makes again."""
    for folder in checkpoint_folders(checkpoints):
        if folder > checkpoint_folder(checkpoints, update):
            remove_folder(folder)


def average(checkpoints: list[Checkpoint]) -> Tensors:
    """Mean of the weights of several checkpoints (Vaswani et al. 2017, section 6.1)."""
    total: Tensors = {}
    for checkpoint in checkpoints:
        for name, tensor in checkpoint.model_tensors().items():
            wide = tensor.double() / len(checkpoints)
            total[name] = total[name] + wide if name in total else wide
    kinds = checkpoints[0].model_tensors()
    return {name: tensor.to(kinds[name].dtype) for name, tensor in total.items()}


def read_tensors(path: Path) -> Tensors:
    """Tensors of one safetensors file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return from_bytes(path.read_bytes(), str(path))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from None


def _read_state(values: dict[str, Any]) -> RunState:
    history = [Evaluation(**entry) for entry in values["history"]]
    plateau = PlateauState(**values["plateau"])
    sittings = [Sitting(**entry) for entry in values.get("sittings", [])]  # runs of old have none
    return RunState(**{**values, "history": history, "plateau": plateau, "sittings": sittings})
