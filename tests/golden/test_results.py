"""Committed figures are those of the committed translations: anyone can score them again."""

import json
import os
from pathlib import Path

import pytest

import training
from training.cli import read_recipe
from training.corpora.corpus import open_corpus
from training.evaluate import bleu, chrf

RESULTS = sorted(Path(training.__file__).parent.joinpath("results").glob("*/results.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
@pytest.mark.skipif("SEQ2SERVE_DATA" not in os.environ, reason="SEQ2SERVE_DATA is not set")
def test_hypotheses_score_as_published(path: Path) -> None:
    published = json.loads(path.read_text(encoding="utf-8"))
    corpus = open_corpus(read_recipe(Path(published["recipe"]).stem).corpus)
    references = [pair.tgt for pair in corpus.pairs("test2016")]
    text = (path.parent / "seed1.test2016.txt").read_text(encoding="utf-8")
    hypotheses = text.split("\n")[:-1]
    found = [bleu(hypotheses, references).value, chrf(hypotheses, references).value]
    scores = published["test2016"]["beam 5, PyTorch fp32"]
    assert found == [score["value"] for score in scores[:2]]
