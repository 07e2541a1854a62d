"""A run on disk becomes a bundle that serving opens, or nothing at all."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from mt import bundle as bundles
from mt.beam_search import SearchOptions, search
from mt.bundle import Score
from mt.errors import BundleError, CheckpointError, ConfigError, CorpusError
from mt.stepper import Stepper
from serving.onnx_stepper import open_stepper
from serving.precision import precision_for
from tests.tiny_models import GRU_SIZES, sharpened
from tests.tiny_run import random_pairs, tiny_recipe, tiny_tokenizer, write_corpus
from training.budget import RunState
from training.checkpoint import Origin
from training.cli import export as export_verb
from training.export import assemble, export
from training.export.shortlist import ShortlistPlan
from training.models import build_model
from training.recipe import to_values
from training.stepper import TorchStepper
from training.tensors import model_tensors
from training.trained import load_trained, write_final

SCORE = Score(metric="BLEU", value=12.5, signature="nrefs:1", test_set="validation")


def write_run(folder: Path, **changes: Any) -> Path:
    """A finished run of random weights, with a corpus to validate on."""
    write_corpus(folder)
    recipe, tokenizer = tiny_recipe(folder, **changes), tiny_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = sharpened(build_model(recipe.model, tokenizer.vocab_size))
    digest = hashlib.sha256(tokenizer.model).hexdigest()
    origin = Origin(to_values(recipe), {"train.en": "ab"}, digest)
    run = folder / "run"
    weights = model_tensors(model)
    write_final(run, weights, recipe, tokenizer, RunState(), origin, "done", [1], [SCORE])
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path)


def test_a_bundle_holds_what_the_run_knows(run: Path, tmp_path: Path) -> None:
    bundle = export(run, tmp_path / "bundle")
    manifest, trained = bundle.manifest, load_trained(run)
    assert manifest.name == "tiny"
    assert (manifest.source_language, manifest.target_language) == ("en", "de")
    assert manifest.checkpoint_sha256 == trained.sha256
    assert manifest.scores == [SCORE]
    assert manifest.recipe == to_values(trained.recipe)
    assert manifest.data.licence == "ours"
    assert manifest.data.train_pairs == 200
    assert manifest.max_source_tokens == trained.recipe.batching.max_length
    assert manifest.parameters == sum(p.numel() for p in trained.model.parameters())
    assert bundle.tokenizer.model == trained.tokenizer.model
    assert set(manifest.graphs) == {"fp32", "int8"}
    assert manifest.default_precision == "int8"
    layers = manifest.quantization["int8"]["layers"]
    assert "encoder.layers.0.self_attention.qkv" in layers
    assert "# tiny" in (bundle.folder / bundles.MODEL_CARD).read_text()


def test_parity_is_reported_for_every_precision_and_beam(run: Path, tmp_path: Path) -> None:
    parity = export(run, tmp_path / "bundle").manifest.parity
    checks = {(check["precision"], check["beam_size"]): check for check in parity["checks"]}
    assert checks.keys() == {(p, b) for p in ("fp32", "int8") for b in (1, 5)}
    assert all(check["sentences"] == 12 for check in checks.values())
    exact = [check for (precision, _), check in checks.items() if precision == "fp32"]
    assert all(check["identical"] + check["tied"] == 12 for check in exact)
    assert all(check["log_prob_difference"] < 1e-4 for check in exact)


@pytest.mark.parametrize("attention", ["bahdanau", "none"])
def test_a_gru_is_exported_and_translates(attention: str, tmp_path: Path) -> None:
    model = {"family": "gru", "attention": attention, **GRU_SIZES}
    run = write_run(tmp_path, model=model)
    bundle = export(run, tmp_path / "bundle", name="recurrent")
    assert (bundle.manifest.name, bundle.manifest.family) == ("recurrent", "gru")
    sources = [bundle.tokenizer.encode_source(pair.src) for pair in random_pairs(5, seed=8)]
    for precision in bundle.manifest.graphs:
        found = search(open_stepper(bundle, precision), sources, SearchOptions(max_length=9))
        assert all(hypotheses[0].ids for hypotheses in found)


def test_int8_translations_do_not_depend_on_the_batch(run: Path, tmp_path: Path) -> None:
    bundle = export(run, tmp_path / "bundle")
    sources = [bundle.tokenizer.encode_source(pair.src) for pair in random_pairs(20, seed=8)]
    options, stepper = SearchOptions(beam_size=4, max_length=12), open_stepper(bundle, "int8")
    together = search(stepper, sources, options)
    alone = [search(stepper, [source], options)[0] for source in sources]
    assert [h[0].ids for h in together] == [h[0].ids for h in alone]


def test_one_precision_alone(run: Path, tmp_path: Path) -> None:
    fp32 = export(run, tmp_path / "fp32", ["fp32"])
    assert set(fp32.manifest.graphs) == {"fp32"}
    assert fp32.manifest.quantization == {}
    int8 = export(run, tmp_path / "int8", ["int8"])
    assert set(int8.manifest.graphs) == {int8.manifest.default_precision} == {"int8"}


def test_sixteen_bits_for_a_gpu(run: Path, tmp_path: Path) -> None:
    """Written, compared and scored as int8 is; on a CPU they run as well, if slower."""
    plan = ShortlistPlan(best=2, frequent=3)
    bundle = export(run, tmp_path / "bundle", ["fp32", "fp16"], shortlist=plan)
    parity = bundle.manifest.parity
    assert [check["precision"] for check in parity["checks"]] == ["fp32", "fp32", "fp16", "fp16"]
    assert {cost["precision"] for cost in parity["shortlist"]} == {"fp32", "fp16"}
    assert precision_for(bundle.manifest, device="cuda") == "fp16"
    sources = [bundle.tokenizer.encode_source(pair.src) for pair in random_pairs(5, seed=8)]
    found = search(
        open_stepper(bundle, "fp16", shortlist=True), sources, SearchOptions(beam_size=2)
    )
    assert len(found) == 5


@pytest.mark.parametrize(
    ("precisions", "default", "says"),
    [
        (
            ["fp32", "int4"],
            None,
            r"precisions\.1: Input should be 'fp32', 'int8' or 'fp16'",
        ),
        ([], None, "export: precisions: .*at least 1 item"),
        (["fp32"], "int8", "default_precision int8 is not to be written"),
    ],
)
def test_precisions_that_cannot_be_had(
    precisions: list[str], default: str | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        export(tmp_path / "no-run", tmp_path / "bundle", precisions, default)


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no trained model"):
        export(tmp_path / "nothing", tmp_path / "bundle")


def test_a_name_that_no_client_could_ask_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="export: name: "):
        export(tmp_path / "no-run", tmp_path / "bundle", name="a b")


def test_a_folder_of_something_else_is_left_alone(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    out.mkdir()
    (out / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(BundleError, match="is not a bundle"):
        export(run, out)
    assert [path.name for path in out.iterdir()] == ["cat.jpg"]


def test_a_corpus_without_sentences_to_validate_on(run: Path, tmp_path: Path) -> None:
    for language in ("en", "de"):
        (tmp_path / f"validation.{language}").write_text("", encoding="utf-8")
    with pytest.raises(CorpusError):
        export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def wrong_runtime() -> Any:
    """A runtime that answers with another model's weights."""

    def open_other(bundle: bundles.Bundle, *_: object) -> Stepper:
        model = build_model(tiny_recipe(Path()).model, bundle.manifest.vocab_size)
        return TorchStepper(sharpened(model), bundle.tokenizer.never_emitted())

    return open_other


def test_graphs_that_differ_are_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemble, "runtime", wrong_runtime)
    with pytest.raises(
        BundleError, match=r"fp32, beam 1: \d+ of 12 translations are not PyTorch's"
    ):
        export(run, tmp_path / "bundle", ["fp32"])
    assert not (tmp_path / "bundle").exists()


def test_a_failed_export_leaves_the_older_bundle(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    before = export(run, out, ["fp32"]).manifest
    monkeypatch.setattr(assemble, "runtime", wrong_runtime)
    with pytest.raises(BundleError):
        export(run, out, ["fp32"])
    assert bundles.open(out).manifest == before


def test_exporting_again_replaces_the_bundle(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    export(run, out, ["fp32"], name="first")
    assert export(run, out, ["fp32"], name="second").manifest.name == "second"
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_a_shortlist_is_learnt_and_its_cost_is_told(run: Path, tmp_path: Path) -> None:
    plan = ShortlistPlan(best=6, frequent=9)
    bundle = export(run, tmp_path / "bundle", shortlist=plan)
    manifest, shortlist = bundle.manifest, bundle.shortlist()
    assert manifest.shortlist is not None
    assert manifest.shortlist.origin["pairs"] == 200
    costs = {(c["precision"], c["beam_size"]): c for c in manifest.parity["shortlist"]}
    assert costs.keys() == {(p, b) for p in ("fp32", "int8") for b in (1, 5)}
    for key, cost in costs.items():
        check = next(
            c for c in manifest.parity["checks"] if (c["precision"], c["beam_size"]) == key
        )
        assert cost["full_bleu"] == pytest.approx(check["bleu"])
        assert 0 <= cost["identical"] <= cost["sentences"] == 12
        assert 9 < cost["listed"] < manifest.vocab_size
        assert min(cost["step_ms"], cost["full_step_ms"]) > 0
    card = (bundle.folder / bundles.MODEL_CARD).read_text()
    assert "the 6 best of each source piece, and the 9 most frequent" in card
    source = bundle.tokenizer.encode_source("the cat sees a dog")
    stepper = open_stepper(bundle, shortlist=True)
    (best,) = search(stepper, [source], SearchOptions(max_length=9))[0]
    assert set(best.ids) <= set(shortlist.of(source).tolist())


def test_export_tells_the_cost_of_a_shortlist(run: Path, tmp_path: Path) -> None:
    flags = ["--shortlist", "--shortlist-best", "5", "--precision", "fp32"]
    told = CliRunner().invoke(export_verb, [str(run), "--out", str(tmp_path / "b"), *flags])
    assert told.exit_code == 0, told.output
    assert re.search(r"shortlist, fp32, beam 5: BLEU \d+\.\d\d, .* ids a sentence", told.output)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--shortlist-best", "5"], "--shortlist-best needs --shortlist"),
        (["--shortlist", "--shortlist-frequent", "0"], "shortlist flags: frequent: .*equal to 1"),
    ],
)
def test_shortlists_that_cannot_be_had(flags: list[str], says: str, tmp_path: Path) -> None:
    refused = CliRunner().invoke(export_verb, ["no-run", "--out", str(tmp_path / "b"), *flags])
    assert isinstance(refused.exception, ConfigError)
    assert re.search(says, str(refused.exception))
