"""The card says what the manifest says, and nothing where it says nothing."""

from typing import Any

import pytest

from mt.bundle import Data, FileEntry, Graphs, Manifest, Score, SpecialIds
from training.model_card import model_card

CHECK = {
    "precision": "fp32",
    "beam_size": 5,
    "sentences": 200,
    "identical": 199,
    "tied": 1,
    "different": 0,
    "log_prob_difference": 1e-5,
    "bleu": 33.456,
    "torch_bleu": 33.46,
}
QUANTIZATION = {
    "int8": {
        "method": "static",
        "activations": "unsigned",
        "weights": "signed",
        "calibration_sentences": 256,
        "layers": {"a": {"saturated": 0.0001}, "b": {"saturated": 0.00031}},
    }
}


def manifest(**facts: Any) -> Manifest:
    values: dict[str, Any] = {
        "name": "multi30k-s",
        "family": "transformer",
        "source_language": "en",
        "target_language": "de",
        "vocab_size": 8000,
        "special_ids": SpecialIds(pad=0, unk=1, bos=2, eos=3),
        "max_source_tokens": 128,
        "max_target_tokens": 256,
        "parameters": 2349568,
        "opset": 20,
        "graphs": {"fp32": Graphs(encoder="e", step="s")},
        "default_precision": "fp32",
        "recipe": {"name": "multi30k-s", "model": {"d_model": 128}},
        "checkpoint_sha256": "ab" * 32,
        "data": Data(name="multi30k", licence="CC BY-NC", sha256={"a.gz": "cd"}, train_pairs=28995),
        "created_with": {"torch": "2.13.0"},
        "files": {"e": FileEntry(sha256="", size=0)},
    }
    return Manifest(**values | facts)


def test_the_facts_are_there() -> None:
    card = model_card(manifest())
    for fact in (
        "# multi30k-s",
        "| translates | en to de |",
        "| parameters | 2,349,568 |",
        "multi30k, 28,995 sentence pairs; CC BY-NC.",
        "| a.gz | `cd` |",
        "Sentences up to 128 subwords, translations up to 256",
        "d_model: 128",
        "ab" * 32,
        "torch 2.13.0",
        "seq2serve serve",
    ):
        assert fact in card


def test_a_score_stands_beside_its_signature() -> None:
    score = Score(metric="BLEU", value=34.567, signature="nrefs:1", test_set="test2016")
    card = model_card(manifest(scores=[score]))
    assert "| BLEU | 34.57 | test2016 | fp32 | `nrefs:1` |" in card


def test_parity_and_int8_are_reported() -> None:
    parity = {"sentences_of": "multi30k:validation", "checks": [CHECK]}
    card = model_card(manifest(parity=parity, quantization=QUANTIZATION))
    assert "| fp32 | 5 | 200 | 199 | 1 | 33.46 | 33.46 |" in card
    assert "2 linear layers, calibrated on 256 sentences" in card
    assert "at most 0.0310%" in card


@pytest.mark.parametrize("heading", ["## Parity", "## int8", "| metric |"])
def test_what_was_not_measured_is_not_claimed(heading: str) -> None:
    assert heading not in model_card(manifest())
