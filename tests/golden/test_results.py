"""Committed figures are those of the committed translations: anyone can score them again."""

import json
import os
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import training
from mt.config import validate
from training.corpora.corpus import open_corpus
from training.evaluate import bleu, chrf, lowercased_tokenised_bleu
from training.recipe import Recipe, load_recipe, to_values
from training.tune.ranges import flat

FOLDER = Path(training.__file__).parent / "results"
RESULTS = sorted(FOLDER.glob("*/results.json"))
SEARCHES = sorted(FOLDER.glob("*/tune.json"))


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
@pytest.mark.skipif("SEQ2SERVE_DATA" not in os.environ, reason="SEQ2SERVE_DATA is not set")
def test_hypotheses_score_as_published(path: Path) -> None:
    published = read(path)
    recipe = validate(published["settings"], Recipe, where=str(path))
    references = [pair.tgt for pair in open_corpus(recipe.corpus).pairs(published["split"])]
    found: dict[str, list[float]] = {"BLEU": [], "chrF2": [], "BLEU-lc-tok": []}
    for seed in published["seeds"]:
        name = f"seed{seed['seed']}.{published['split']}.txt"
        hypotheses = (path.parent / name).read_text(encoding="utf-8").split("\n")[:-1]
        scores = [
            bleu(hypotheses, references),
            chrf(hypotheses, references),
            lowercased_tokenised_bleu(hypotheses, references, recipe.corpus.target),
        ]
        assert [score.value for score in scores] == [s["value"] for s in seed["scores"]]
        for score in scores:
            found[score.metric].append(score.value)
    for metric, values in found.items():
        assert published["mean"][metric]["mean"] == pytest.approx(mean(values))
        assert published["mean"][metric]["seeds"] == len(values)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_the_folder_is_called_after_its_recipe(path: Path) -> None:
    assert path.parent.name.startswith(read(path)["recipe"])


@pytest.mark.parametrize("path", SEARCHES, ids=lambda path: path.parent.name)
def test_the_recipe_beside_a_search_has_its_best_settings(path: Path) -> None:
    for name, found in read(path)["recipes"].items():
        complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
        best = max(complete, key=lambda trial: trial["BLEU"])
        assert found["best"] == best
        recipe = flat(to_values(load_recipe(path.with_name(f"{name}.yaml"))))
        assert recipe | best["settings"] == recipe
