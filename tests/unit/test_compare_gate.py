"""The gate: a model is promoted only where it is surely not worse by the margin."""

from pathlib import Path

import pytest

from mt.errors import CheckpointError, ConfigError
from mt.search_options import SearchOptions
from tests.tiny_run import random_pairs, tiny_recipe, write_corpus
from training.compare.gate import Gate, Promotion, decide, promote
from training.train import train

REFERENCES = [pair.tgt for pair in random_pairs(60, seed=5)]
GREEDY = SearchOptions(beam_size=1)


def worse(share: int) -> list[str]:
    """The references, every so many of them spoilt."""
    return [f"falsch {text}" if i % share == 0 else text for i, text in enumerate(REFERENCES)]


@pytest.mark.parametrize(
    ("first", "second", "margin", "promoted"),
    [
        (worse(4), REFERENCES, 0.5, True),  # better
        (REFERENCES, REFERENCES, 0.01, True),  # the same, so never worse
        (REFERENCES, worse(4), 0.5, False),  # worse
        (REFERENCES, worse(4), 50, True),  # worse, but not by so much
        (worse(12), worse(11), 0.5, False),  # not shown to be worse, nor not to be
    ],
)
def test_non_inferiority(
    first: list[str], second: list[str], margin: float, promoted: bool
) -> None:
    difference, bound = decide(first, second, REFERENCES, samples=300)
    assert (bound > -margin) == promoted
    assert bound <= difference


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, the same weights again, and one that saw a tenth of the training."""
    folder = tmp_path_factory.mktemp("gate")
    write_corpus(folder)
    found = {}
    for name, updates in (("long", 60), ("short", 4)):
        found[name] = folder / name
        recipe = tiny_recipe(folder, **{"training.max_updates": updates})
        train(recipe, found[name])
    return found


def test_the_same_weights_are_promoted(runs: dict[str, Path]) -> None:
    gate = Gate(margin=0.1, split="validation", options=GREEDY, samples=100)
    found = promote(runs["long"], runs["long"], gate)
    assert found.promoted
    assert (found.difference, found.lower_bound, found.sentences) == (0, 0, 12)
    assert found.line().startswith(f"promote {runs['long']}: it is not worse by 0.1 BLEU: ")
    assert found.test_set == "own:en-de:validation"
    assert Promotion.model_validate_json(found.model_dump_json()) == found


def test_worse_weights_are_not(runs: dict[str, Path]) -> None:
    gate = Gate(margin=0.5, split="validation", options=GREEDY, samples=100)
    found = promote(runs["long"], runs["short"], gate)
    assert not found.promoted
    assert found.difference == pytest.approx(found.second.bleu - found.first.bleu)
    assert found.line().startswith(f"do not promote {runs['short']}: it may be worse than")
    fewer = promote(runs["long"], runs["short"], Gate(0.5, "validation", GREEDY, 100, sentences=5))
    assert fewer.sentences == 5


def test_what_cannot_be_compared_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no trained model"):
        promote(runs["long"], tmp_path, Gate(0.5))
    with pytest.raises(ConfigError, match="has no test set"):
        promote(runs["long"], runs["short"], Gate(0.5))
    write_corpus(tmp_path)
    turned = tiny_recipe(tmp_path, **{"corpus.source": "fr", "training.max_updates": 1})
    train(turned, tmp_path / "turned")
    with pytest.raises(ConfigError, match="first translates en-de, the second fr-de"):
        promote(runs["long"], tmp_path / "turned", Gate(0.5, "validation"))
