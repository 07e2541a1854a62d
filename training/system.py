"""A system to be scored: trained weights run by torch, or a bundle run as it is served."""

from dataclasses import dataclass
from pathlib import Path

import torch

from mt import bundle as bundles
from mt.config import validate
from mt.stepper import Stepper, runtime
from mt.tokenizer import Tokenizer
from training.precision import choose_device
from training.recipe import Recipe
from training.stepper import TorchStepper
from training.trained import load_trained


@dataclass(frozen=True)
class System:
    """A model behind the Stepper protocol, and what it was made from.

    sha256 is that of its weights; precision says which graphs or weights answer.
    """

    name: str
    stepper: Stepper
    tokenizer: Tokenizer
    recipe: Recipe
    sha256: str
    precision: str


def open_system(path: Path, precision: str | None = None, threads: int = 2) -> System:
    """Open a run, a checkpoint or a bundle; `precision` chooses among a bundle's graphs.

    Raises:
        BundleError: a bundle that is damaged, or lacks the precision.
        CheckpointError: no trained model there, or a damaged one.
    """
    if (path / bundles.MANIFEST).is_file():
        return _from_bundle(bundles.open(path), precision, threads)
    trained = load_trained(path)
    torch.set_num_threads(threads)
    model = trained.model.to(choose_device(trained.recipe.training.device))
    stepper = TorchStepper(model, trained.tokenizer.never_emitted())
    return System(
        trained.recipe.name,
        stepper,
        trained.tokenizer,
        trained.recipe,
        trained.sha256,
        "torch-fp32",
    )


def _from_bundle(bundle: bundles.Bundle, precision: str | None, threads: int) -> System:
    manifest = bundle.manifest
    return System(
        manifest.name,
        runtime()(bundle, precision, threads),
        bundle.tokenizer,
        validate(manifest.recipe, Recipe, where=f"{bundle.folder}: recipe"),
        manifest.checkpoint_sha256,
        precision or manifest.default_precision,
    )
