"""Pairs in, answers out: what was trained is what is scored, exported and served."""

import json
from pathlib import Path

import httpx
import pytest

from mt import bundle as bundles
from mt.errors import BundleError
from mt.search_options import SearchOptions
from tests.e2e.conftest import INT8_LOSS, Chain
from tests.server_process import Server, seq2serve
from training.corpora.corpus import open_corpus
from training.evaluate import bleu
from training.scoring import evenly, score_system
from training.system import open_system

SENTENCES = 100


def test_scores_of_torch_and_of_the_bundle_agree_to_the_second_decimal(chain: Chain) -> None:
    for beam_size in (1, 5):
        options = SearchOptions(beam_size=beam_size)
        torch_score, onnx_score = (
            score_system(open_system(path, threads=1), "test", options, SENTENCES).scores[0]
            for path in (chain.run, chain.bundle)
        )
        assert torch_score.value > 5  # it learned something, so that agreeing means something
        assert round(torch_score.value, 2) == round(onnx_score.value, 2)
        assert (torch_score.precision, onnx_score.precision) == ("torch-fp32", "fp32")


def test_eight_bits_cost_no_more_than_the_gate_allows(chain: Chain) -> None:
    fp32, int8 = (
        score_system(open_system(chain.bundle, precision, 1), "test", None, SENTENCES).scores[0]
        for precision in ("fp32", "int8")
    )
    assert fp32.value - int8.value <= INT8_LOSS


def test_the_manifest_states_facts(chain: Chain) -> None:
    manifest = bundles.open(chain.bundle).manifest
    assert manifest.data.licence.startswith("MIT")
    assert {score.metric for score in manifest.scores} >= {"BLEU", "chrF2"}
    assert all("version:" in score.signature for score in manifest.scores)
    assert {check["precision"] for check in manifest.parity["checks"]} == {"fp32", "int8"}
    card = (chain.bundle / bundles.MODEL_CARD).read_text(encoding="utf-8")
    assert manifest.name in card
    assert manifest.data.licence in card


def test_a_tampered_bundle_is_refused_by_name(chain: Chain, tmp_path: Path) -> None:
    for file in chain.bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "notes.txt").write_text("foreign")
    (tmp_path / bundles.TOKENIZER).unlink()
    with pytest.raises(BundleError, match=r"tokenizer.model is missing.*notes.txt does not belong"):
        bundles.open(tmp_path)


def test_evaluate_writes_what_anyone_can_score_again(chain: Chain, tmp_path: Path) -> None:
    report, hypotheses = tmp_path / "scores.json", tmp_path / "hypotheses.txt"
    done = seq2serve(
        *("evaluate", str(chain.bundle), "--sentences", "50", "--threads", "1", "--lowercase"),
        *("--json", str(report), "--hypotheses", str(hypotheses)),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert [score["metric"] for score in found["scores"]] == ["BLEU", "chrF2", "BLEU-lc-tok"]
    assert all(score["signature"] in done.stdout for score in found["scores"])
    system = open_system(chain.bundle)
    pairs = evenly(list(open_corpus(system.recipe.corpus).pairs("test")), 50)
    references = [pair.tgt for pair in pairs]
    lines = hypotheses.read_text(encoding="utf-8").splitlines()
    assert bleu(lines, references).value == found["scores"][0]["value"]


def test_the_served_answer_is_the_scored_one(chains: dict[str, Chain]) -> None:
    """Both families behind one address, told apart by `model`; beam 5 as in `evaluate`."""
    with Server(*(str(chain.bundle) for chain in chains.values())) as server:
        listed = server.get("/v1/models").json()["models"]
        assert [model["name"] for model in listed] == ["gru", "transformer"]
        for name, chain in chains.items():
            evaluated = score_system(open_system(chain.bundle), "test", None, 20).evaluated
            body = {"text": evaluated.sources, "source": "fr", "target": "en", "model": name}
            answer = httpx.post(f"{server.url}/v1/translate", json=body, timeout=60)
            assert answer.status_code == 200, answer.text
            served = [translation["text"] for translation in answer.json()["translations"]]
            assert served == evaluated.hypotheses


def test_training_again_says_that_it_is_finished(chain: Chain) -> None:
    before = (chain.run / "final" / "model.safetensors").stat().st_mtime_ns
    done = seq2serve("train", str(chain.run / "recipe.yaml"), "--out", str(chain.run))
    assert done.returncode == 0, done.stderr
    assert "already finished" in done.stderr
    assert (chain.run / "final" / "model.safetensors").stat().st_mtime_ns == before
