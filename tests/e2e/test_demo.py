"""`seq2serve demo`, with a tenth of its training: the whole path, Ray Serve included."""

import json
from pathlib import Path

import pytest

from tests.server_process import seq2serve

QUICK = (
    "corpus.train_pairs=4000",
    "batching.max_tokens=400",
    "training.max_epochs=null",
    "training.max_updates=200",
    "training.threads=1",
    "evaluation.sentences=10",
    "evaluation.every_updates=200",
)


@pytest.mark.ray
@pytest.mark.slow
def test_the_demo_leaves_report_and_bundles_and_reuses_them(tmp_path: Path) -> None:
    flags = [part for setting in QUICK for part in ("--set", setting)]
    command = ("demo", "--out", str(tmp_path), "--sentences", "24", *flags)
    first = seq2serve(*command)
    assert first.returncode == 0, first.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert set(report["systems"]) == {"gru", "gru-no-attention", "transformer"}
    for system in report["systems"].values():
        assert system["signature"].startswith("nrefs:1|case:mixed")
        assert 0 <= system["bleu"] <= 100
        assert len(system["by_length"]) == 6
    assert {answer["model"] for answer in report["rest"]} == {"gru", "transformer"}
    assert report["rest"][0]["source"] == "Jane visite l'Afrique en septembre."
    assert report["rest"][0]["reference"] == "Jane visits Africa in September."
    assert report["seconds"] > 0
    bundles = sorted(path.name for path in (tmp_path / "bundles").iterdir())
    assert bundles == ["gru", "transformer"]
    assert "What to type next" in first.stdout

    weights = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = seq2serve(*command)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == weights
