"""Two small models, really trained and exported, shared by all end-to-end tests of a session."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from training.export import export
from training.recipe import read_recipe
from training.train import train

FAMILIES = ("gru", "transformer")
INT8_LOSS = 1.0  # BLEU; a model of a few hundred updates moves with every rounding
SMALL = (
    "corpus.train_pairs=8000",
    "batching.max_tokens=400",
    "training.max_epochs=null",
    "training.max_updates=600",
    "training.threads=1",
    "schedule.warmup_updates=100",
    "evaluation.sentences=40",
    "evaluation.every_updates=600",
)


@dataclass(frozen=True)
class Chain:
    """Where one family's run and bundle are."""

    run: Path
    bundle: Path


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chain]:
    folder = tmp_path_factory.mktemp("chains")
    made = {}
    for family in FAMILIES:
        chain = Chain(folder / "runs" / family, folder / "bundles" / family)
        train(read_recipe(f"demo-{family}", SMALL), chain.run)
        export(chain.run, chain.bundle, ("fp32", "int8"), largest_loss=INT8_LOSS)
        made[family] = chain
    return made


@pytest.fixture(params=FAMILIES)
def chain(request: pytest.FixtureRequest, chains: dict[str, Chain]) -> Chain:
    return chains[request.param]
