"""From plain text to a start for translation: the recipe it makes, the run, what follows it."""

from pathlib import Path

import pytest
import torch

from mt.config import load_yaml, validate
from mt.errors import CheckpointError, ConfigError, CorpusError
from tests.tiny_run import recipe_values, tiny_recipe, tiny_tokenizer, write_corpus
from training.checkpoint import read_checkpoint
from training.pretrain import VECTORS, pretrain, pretraining_recipe
from training.recipe import Recipe
from training.train import train


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_corpus(tmp_path)
    return tmp_path


def texts(folder: Path) -> list[Path]:
    return [folder / "train.en", folder / "train.de"]


def test_the_recipe_reads_plain_text_and_nothing_else_changes(folder: Path) -> None:
    recipe = tiny_recipe(folder, **{"corpus.cleaning.source_script": "Latin"})
    derived = pretraining_recipe(recipe, texts(folder), "ours", "masked")
    assert derived.name == "tiny-masked"
    assert derived.loss.pretraining is not None
    assert derived.loss.pretraining.share == 0.15
    assert not derived.corpus.cleaning.drop_copies
    assert derived.corpus.cleaning.source_script is None
    for section in ("model", "optimizer", "schedule", "batching", "training", "subwords"):
        assert getattr(derived, section) == getattr(recipe, section)


@pytest.mark.parametrize("objective", ["denoising", "masked", "causal"])
def test_a_run_starts_where_pretraining_ended(folder: Path, objective: str) -> None:
    recipe, run = tiny_recipe(folder), folder / "pre"
    lines = pretrain(recipe, texts(folder), "ours", objective, run)  # type: ignore[arg-type]
    assert lines is not None
    assert "token-accuracy" in lines[0]
    assert f"--set initialise_from={run} --set subwords.model={run}" in lines[1]
    start = {"initialise_from": str(run), "subwords.model": str(run), "training.max_updates": 1}
    result = train(tiny_recipe(folder, **start, **{"optimizer.learning_rate": 1e-12}), folder / "a")
    assert result.final is not None
    before, after = read_checkpoint(run / "final"), read_checkpoint(result.final)
    for name, tensor in after.model_tensors().items():
        torch.testing.assert_close(tensor, before.model_tensors()[name])


def test_word_vectors_start_a_run_and_may_stay_as_they_are(folder: Path) -> None:
    pytest.importorskip("gensim", reason="pip install 'seq2serve[embeddings]'")
    recipe, run = tiny_recipe(folder), folder / "vectors"
    lines = pretrain(recipe, texts(folder), "ours", "skip-gram", run)
    assert lines is not None
    assert load_yaml(run / "recipe.yaml", Recipe).name == "tiny-skip-gram"
    again = (run / VECTORS).read_bytes()
    pretrain(recipe, texts(folder), "ours", "skip-gram", folder / "again")
    assert (folder / "again" / VECTORS).read_bytes() == again  # equal seeds, equal vectors
    assert pretrain(recipe, texts(folder), "ours", "skip-gram", run) == lines
    with pytest.raises(CheckpointError, match=r"vectors\.txt was learnt with another recipe"):
        pretrain(recipe, texts(folder)[:1], "ours", "skip-gram", run)
    start = {
        "initialise_embeddings": [str(run / VECTORS)],
        "subwords.model": str(run),
        "optimizer.frozen": ["src_embedding"],
    }
    one, more = (
        train(
            tiny_recipe(folder, **start, **{"training.max_updates": updates}),
            folder / str(updates),
        )
        for updates in (1, 9)
    )
    tensors = [
        read_checkpoint(result.final).model_tensors() for result in (one, more) if result.final
    ]
    first, last = tensors
    assert torch.equal(first["src_embedding.weight"], last["src_embedding.weight"])
    name = "encoder.layers.0.feed_forward.inner.weight"
    assert not torch.equal(first[name], last[name])


def test_word_vectors_leave_a_trained_run_alone(folder: Path) -> None:
    recipe, run = tiny_recipe(folder, **{"training.max_updates": 1}), folder / "run"
    train(recipe, run)
    before = (run / "tokenizer.model").read_bytes()
    with pytest.raises(CheckpointError, match=r"run was trained with another recipe"):
        pretrain(recipe, texts(folder)[:1], "ours", "skip-gram", run)
    assert (run / "tokenizer.model").read_bytes() == before


def test_given_pieces_are_told_by_their_own_number(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gensim", reason="pip install 'seq2serve[embeddings]'")
    (tmp_path / "pieces.model").write_bytes(tiny_tokenizer().model)
    values = recipe_values(folder) | {"subwords": {"model": str(tmp_path / "pieces.model")}}
    recipe = validate(values, Recipe, "test")
    lines = pretrain(recipe, texts(folder), "ours", "skip-gram", tmp_path / "run")
    assert lines is not None
    assert lines[-1].endswith("--set subwords.vocab_size=80")


def test_what_is_frozen_must_be_there_and_not_be_all(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"the model has no attic; its parts: src_embedding"):
        train(tiny_recipe(folder, **{"optimizer.frozen": ["attic"]}), folder / "a")
    everything = ["src_embedding", "encoder", "decoder"]
    with pytest.raises(ConfigError, match="nothing is left to train"):
        train(tiny_recipe(folder, **{"optimizer.frozen": everything}), folder / "b")


def test_text_that_is_not_there(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"nothing\.txt: no such file"):
        pretrain(tiny_recipe(folder), [folder / "nothing.txt"], "ours", "causal", folder / "pre")
