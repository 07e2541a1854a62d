"""What a person types wrong is one line on standard error and exit code 2, never a traceback."""

from pathlib import Path

import pytest

from tests.server_process import seq2serve

RECIPE = """\
name: own
corpus:
  name: own
  source: en
  target: de
  licence: ours
  files:
    train: {{format: moses, source: {folder}/train.en, target: {folder}/train.de}}
    validation: {{format: moses, source: {folder}/train.en, target: {folder}/train.de}}
subwords: {{vocab_size: 40}}
model: {{family: gru, embedding_size: 8, encoder_size: 8, decoder_size: 8, attention_size: 8}}
optimizer: {{learning_rate: 0.001}}
training: {{max_updates: 2, threads: 1}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "train.en").write_text("a dog\na cat\nthe dog sees a cat\n" * 4, encoding="utf-8")
    (tmp_path / "train.de").write_text("ein hund\neine katze\nder hund\n" * 4, encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(folder=tmp_path), encoding="utf-8")
    return path


def refused(*arguments: str) -> str:
    """The one line of a refusal."""
    done = seq2serve(*arguments)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines[-1].startswith("seq2serve: error: ")
    assert "Traceback" not in done.stderr
    return lines[-1]


def test_a_verb_that_does_not_exist() -> None:
    assert "tarnslate" in refused("tarnslate")


def test_a_recipe_that_does_not_exist_names_those_that_ship() -> None:
    assert "demo-transformer" in refused("train", "nonsense")


def test_an_unknown_recipe_key_is_named_with_its_file(recipe: Path, tmp_path: Path) -> None:
    line = refused("train", str(recipe), "--set", "model.dropuot=0.1", "--out", str(tmp_path / "r"))
    assert str(recipe) in line
    assert "model" in line
    assert "dropuot" in line


def test_a_vocabulary_larger_than_the_corpus_supports(recipe: Path, tmp_path: Path) -> None:
    line = refused(
        *("train", str(recipe), "--set", "subwords.vocab_size=9000", "--out", str(tmp_path / "r"))
    )
    assert "subwords.vocab_size" in line
    assert "largest that works" in line


@pytest.mark.parametrize("side", ["train.en", "train.de"])
def test_a_one_sided_corpus(recipe: Path, tmp_path: Path, side: str) -> None:
    (tmp_path / side).write_text("", encoding="utf-8")
    assert side in refused("train", str(recipe), "--out", str(tmp_path / "run"))


def test_an_empty_corpus(recipe: Path, tmp_path: Path) -> None:
    for side in ("train.en", "train.de"):
        (tmp_path / side).write_text("", encoding="utf-8")
    assert "train.en" in refused("train", str(recipe), "--out", str(tmp_path / "run"))


def test_a_run_of_another_recipe(recipe: Path, tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    assert seq2serve("train", str(recipe), "--out", run).returncode == 0
    line = refused("train", str(recipe), "--set", "seed=2", "--out", run)
    assert "seed" in line
    assert run in line


def test_no_run_there(tmp_path: Path) -> None:
    assert str(tmp_path) in refused("evaluate", str(tmp_path))
    assert str(tmp_path) in refused("export", str(tmp_path), "--out", str(tmp_path / "b"))


def test_a_beam_out_of_range(tmp_path: Path) -> None:
    for beam_size in ("0", "10000"):
        assert "beam_size" in refused("evaluate", str(tmp_path), "--beam-size", beam_size)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("no bundle")
    assert "manifest.json" in refused("serve", str(tmp_path))
    assert "manifest.json" in refused("translate", str(tmp_path))
