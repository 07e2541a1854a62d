"""A system to be scored: trained weights run by torch, several of them together, or a bundle run as
it is served.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import torch

from mt import bundle as bundles
from mt.config import validate
from mt.errors import ConfigError
from mt.stepper import Stepper, runtime
from mt.tokenizer import Tokenizer
from training.corpora.corpus import Corpus, open_corpus
from training.cpu_memory import keep_freed_memory
from training.ensemble import EnsembleStepper
from training.precision import choose_device_to_read_on, rows_at_once
from training.recipe import Recipe
from training.stepper import TorchStepper
from training.trained import load_trained


@dataclass(frozen=True)
class System:
    """A model behind the Stepper protocol, and what it was made from.

    sha256 is that of its weights; precision says which graphs or weights answer; members are the
    checksums of the models of an ensemble, whose sha256 is that of these; max_rows live hypotheses
    suit its device; corpus_sha256: of the files it was trained on, by name.
    """

    name: str
    stepper: Stepper
    tokenizer: Tokenizer
    recipe: Recipe
    sha256: str
    precision: str
    members: tuple[str, ...] = ()
    max_rows: int = 256
    corpus_sha256: Mapping[str, str] = field(default_factory=dict)

    def open_corpus(self) -> Corpus:
        """The corpus it was trained on, to be tested on.

        Raises:
            CorpusError: it cannot be had, or its cut files have changed since.
        """
        corpus = open_corpus(self.recipe.corpus)
        corpus.check_cut(self.corpus_sha256)
        return corpus


def open_systems(paths: Sequence[Path], precision: str | None = None, threads: int = 2) -> System:
    """Open one model, or several as one ensemble.

    Raises:
        ConfigError: see `ensemble_of` and `open_system`.
        BundleError, CheckpointError: see `open_system`.
    """
    systems = [open_system(path, precision, threads) for path in paths]
    return systems[0] if len(systems) == 1 else ensemble_of(systems)


def ensemble_of(systems: Sequence[System]) -> System:
    """Systems that answer together; recipe and test sets are those of the first.

    Raises:
        ConfigError: they have different vocabularies or languages, or one is a bundle.
    """
    first = systems[0]
    for other in systems:
        if not isinstance(other.stepper, TorchStepper):
            raise ConfigError(
                f"{other.name} is a bundle; an ensemble is made of runs and checkpoints"
            )
        if _languages(other) != _languages(first):
            raise ConfigError(
                f"{other.name} translates {_languages(other)}, {first.name} {_languages(first)}; "
                "the models of an ensemble translate the same"
            )
        if other.tokenizer.model != first.tokenizer.model:
            raise ConfigError(
                f"{other.name} has another vocabulary than {first.name}; the models of an ensemble "
                "share one: train the next with subwords.model set to the run of the first"
            )
    members = tuple(system.sha256 for system in systems)
    return replace(
        first,
        name=" + ".join(system.name for system in systems),
        stepper=EnsembleStepper([cast(TorchStepper, system.stepper) for system in systems]),
        sha256=hashlib.sha256("".join(members).encode()).hexdigest(),
        members=members,
    )


def _languages(system: System) -> str:
    return f"{system.recipe.corpus.source}-{system.recipe.corpus.target}"


def open_system(path: Path, precision: str | None = None, threads: int = 2) -> System:
    """Open a run, a checkpoint or a bundle; `precision` chooses among a bundle's graphs.

    Raises:
        BundleError: a bundle that is damaged, or lacks the precision.
        CheckpointError: no trained model there, or a damaged one.
        ConfigError: a precision is asked of a run.
    """
    if (path / bundles.MANIFEST).is_file():
        return _from_bundle(bundles.open(path), precision, threads)
    if precision is not None:
        raise ConfigError(
            f"{path} is no bundle: --precision {precision} chooses among a bundle's graphs; "
            "leave it out, or export the run first"
        )
    trained = load_trained(path)
    keep_freed_memory()  # a step frees its caches and asks for longer ones
    torch.set_num_threads(threads)
    device = choose_device_to_read_on(trained.recipe.training.device)
    model = trained.model.to(device)
    stepper = TorchStepper(model, trained.tokenizer.never_emitted())
    return System(
        trained.recipe.name,
        stepper,
        trained.tokenizer,
        trained.recipe,
        trained.sha256,
        "torch-fp32",
        max_rows=rows_at_once(device),
        corpus_sha256=trained.origin.corpus_sha256,
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
        corpus_sha256=manifest.data.sha256,
    )
