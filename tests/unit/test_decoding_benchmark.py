"""The parts of the decoding benchmark, at toy size."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest
import torch

from mt.beam_search import SearchOptions, search
from mt.stepper import Stepper
from tests.benchmarks import contestants, ctranslate2_peer, decoding, real_model, report
from tests.benchmarks.onnx_peer import PlainExport
from tests.benchmarks.pytorch_peers import Uncached
from tests.tiny_bundle import VOCAB_SIZE, random_sources
from tests.tiny_models import tiny_gru, tiny_transformer
from training.models.seq2seq import Seq2Seq
from training.stepper import TorchStepper

SOURCES = random_sources(seed=2, count=5)


def assert_same_tokens(found: Stepper, model: Seq2Seq, beam_size: int) -> None:
    options = SearchOptions(beam_size=beam_size, max_length=9, min_length=9)  # all equally long
    with torch.inference_mode():
        ours, wanted = (search(s, SOURCES, options) for s in (found, TorchStepper(model)))
    assert [best.ids for best, *_ in ours] == [best.ids for best, *_ in wanted]


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("tiny", [tiny_transformer, tiny_gru])
def test_without_a_cache_the_tokens_are_the_same(tiny: type[Seq2Seq], beam_size: int) -> None:
    model = tiny(vocab_size=VOCAB_SIZE)
    assert_same_tokens(Uncached(model), model, beam_size)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_plain_export_has_the_same_tokens(beam_size: int, tmp_path: Path) -> None:
    model = tiny_transformer(vocab_size=VOCAB_SIZE)
    assert_same_tokens(PlainExport(model, tmp_path, beam_size + 1, threads=1), model, beam_size)


def test_the_result_has_a_row_for_each_cell_and_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_transformer(vocab_size=contestants.VOCAB_SIZE)
    monkeypatch.setattr(decoding, "random_model", lambda size: tiny)
    monkeypatch.setattr(ctranslate2_peer, "INSTALLED", False)
    path = tmp_path / "decoding.json"
    arguments = ["--models", "tiny", "--precisions", "int8", "--batches", "1", "2", "--beams", "2"]
    monkeypatch.setattr(sys, "argv", ["decoding", *arguments, "--rounds", "1", "--json", str(path)])
    decoding.main()
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["machine"]["cores"]
    peers = {(row["batch"], row["peer"]) for row in found["rows"]}
    names = ("PyTorch, cached", "PyTorch, no cache", "torch.onnx.export")
    assert peers == {(1, name) for name in names}
    for row in found["rows"]:
        assert (row["model"], row["precision"], row["beam"]) == ("tiny", "int8", 2)
        assert row["ratio"] == pytest.approx(row["ours_tok_s"] / row["peer_tok_s"], rel=0.01)
        assert row["p50_ms"] > 0


def test_quick_is_a_choice_of_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["decoding", "--quick"])
    found = decoding._arguments()
    assert (found.precisions, found.batches, found.rounds) == (["int8"], [1, 32], 3)
    assert list(found.models) == list(contestants.SIZES)


def test_a_long_benchmark_is_run_in_parts(tmp_path: Path) -> None:
    path, cell = tmp_path / "found.json", ("model", "peer")
    rows = [{"model": "tiny", "peer": "a", "ratio": 1}, {"model": "tiny", "peer": "b", "ratio": 2}]
    report.write("decoding", {"rows": rows}, path, cell)
    again = {"model": "tiny", "peer": "b", "ratio": 3}
    report.write("decoding", {"rows": [again]}, path, cell)
    assert json.loads(path.read_text(encoding="utf-8"))["rows"] == [rows[0], again]
    report.write("decoding", {"rows": [again]}, path)
    assert json.loads(path.read_text(encoding="utf-8"))["rows"] == [again]


def test_a_model_is_trained_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(real_model, "_seq2serve", lambda verb, *_: asked.append(verb))
    monkeypatch.setattr(real_model, "BUNDLE", Path("no such bundle"))
    parser = ArgumentParser()
    real_model.add_arguments(parser)
    arguments = parser.parse_args([])
    real_model.make_sure(arguments)
    assert (asked, arguments.run) == (["train", "export"], real_model.RUN)
    named = parser.parse_args(["my/run", "my/bundle"])
    real_model.make_sure(named)
    assert (len(asked), named.bundle) == (2, Path("my/bundle"))
    with pytest.raises(SystemExit, match="name the bundle"):
        real_model.make_sure(parser.parse_args(["my/run"]))
