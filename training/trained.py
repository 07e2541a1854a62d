"""A trained model on disk: what a run leaves in RUN/final, and how anything of a run is opened."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mt.bundle import Score
from mt.config import validate
from mt.errors import CheckpointError
from mt.tokenizer import Tokenizer
from training.budget import RunState
from training.checkpoint import (
    FINAL,
    MODEL,
    STATE,
    Checkpoint,
    Origin,
    find_checkpoint,
    read_checkpoint,
)
from training.durable_files import write_folder
from training.models import build_model
from training.models.seq2seq import Seq2Seq
from training.prepare import TOKENIZER, sha256_of
from training.recipe import Recipe, to_yaml
from training.tensors import Tensors, load_model_tensors, to_bytes


@dataclass(frozen=True)
class Trained:
    """A model ready to translate: weights in fp32 on the CPU, in evaluation mode.

    sha256 is that of its weights file; scores are those of training's end, if it has ended.
    """

    model: Seq2Seq
    tokenizer: Tokenizer
    recipe: Recipe
    sha256: str
    state: RunState
    origin: Origin
    scores: list[Score]


def load_trained(path: Path) -> Trained:
    """Open a run, its `final`, or one of its checkpoints.

    Of a run that is not finished, the checkpoint with the best validation score is taken.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    found = find_checkpoint(path)
    recipe = validate(found.origin.recipe, Recipe, where=str(found.folder / STATE))
    tokenizer = _tokenizer_of(found)
    model = build_model(recipe.model, tokenizer.vocab_size)
    load_model_tensors(model, found.model_tensors(), str(found.folder))
    model.eval()
    scores = [Score.model_validate(score) for score in found.facts.get("scores", [])]
    return Trained(model, tokenizer, recipe, found.sha256, found.state, found.origin, scores)


def write_final(
    run: Path,
    weights: Tensors,
    recipe: Recipe,
    tokenizer: Tokenizer,
    state: RunState,
    origin: Origin,
    reason: str,
    averaged: Sequence[int],
    scores: Sequence[Score],
) -> Checkpoint:
    """Write RUN/final whole or not at all; `averaged` are the updates whose weights were averaged.

    Raises:
        CheckpointError: the disk refuses.
    """
    files = {
        MODEL: to_bytes(weights),
        TOKENIZER: tokenizer.model,
        "recipe.yaml": to_yaml(recipe).encode(),
    }
    facts: dict[str, Any] = {
        "reason": reason,
        "averaged": list(averaged),
        "scores": [score.model_dump() for score in scores],
        "state": asdict(state),
        "origin": asdict(origin),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    write_folder(run / FINAL, {**files, STATE: text.encode()})
    return read_checkpoint(run / FINAL)


def read_final(run: Path) -> Checkpoint | None:
    """What a finished run left, or None where it is not finished or `final` is damaged."""
    try:
        return read_checkpoint(run / FINAL)
    except CheckpointError:
        return None


def _tokenizer_of(checkpoint: Checkpoint) -> Tokenizer:
    """The vocabulary beside the weights (final) or of the run (checkpoints)."""
    folder = checkpoint.folder
    path = next(
        (p for p in (folder / TOKENIZER, folder.parent.parent / TOKENIZER) if p.is_file()), None
    )
    if path is None:
        raise CheckpointError(f"{folder} lacks {TOKENIZER}; copy it from the run's folder")
    tokenizer = Tokenizer.load(path)
    if sha256_of(tokenizer) != checkpoint.origin.tokenizer_sha256:
        raise CheckpointError(f"{path} is not the vocabulary {folder} was trained with")
    return tokenizer
