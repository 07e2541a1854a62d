"""Opening what is scored: what a run cannot be asked for is refused."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from mt.config import validate
from mt.errors import ConfigError, CorpusError
from tests.tiny_run import recipe_values, tiny_recipe, write_corpus
from training.cli import evaluate
from training.cli import train as train_verb
from training.compare.gate import Gate, promote
from training.flags import check_writable
from training.recipe import Recipe, to_yaml
from training.scoring import score_system
from training.system import open_system
from training.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("system")
    write_corpus(folder)
    recipe = tiny_recipe(folder, **{"training.max_updates": 1})
    (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    train(recipe, folder / "run")
    return folder


def test_a_run_has_no_graphs_to_choose_from(folder: Path) -> None:
    assert open_system(folder / "run", threads=1).precision == "torch-fp32"
    arguments = [str(folder / "run"), "--precision", "int8"]
    with pytest.raises(ConfigError, match="run is no bundle: --precision int8 chooses among"):
        CliRunner().invoke(evaluate, arguments, catch_exceptions=False)


def test_what_a_gpu_has_trained_is_scored_on_a_cpu(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    state = tmp_path / "run/final/state.json"
    facts = json.loads(state.read_text(encoding="utf-8"))
    facts["origin"]["recipe"]["training"]["device"] = "cuda"
    state.write_text(json.dumps(facts), encoding="utf-8")
    opened = open_system(tmp_path / "run", threads=1)
    assert opened.sha256 == open_system(folder / "run", threads=1).sha256


def test_a_file_that_is_cut_otherwise_now_is_no_test(tmp_path: Path) -> None:
    """Its training pairs would be among those that are tested."""
    write_corpus(tmp_path)
    values = recipe_values(tmp_path)
    del values["corpus"]["files"]["validation"]
    values["corpus"]["split"] = {"validation": 20, "test": 20}
    values["training"]["max_updates"] = 1
    train(validate(values, Recipe, "test"), tmp_path / "run")
    system, file = open_system(tmp_path / "run", threads=1), tmp_path / "train.en"
    system.open_corpus()
    before = file.read_bytes()
    for side in ("en", "de"):
        with (tmp_path / f"train.{side}").open("a", encoding="utf-8") as more:
            more.write("a new line\n")
    with pytest.raises(CorpusError, match=r"train\.en, .*train\.de is not what the model was"):
        score_system(system, "test")
    file.write_bytes(before)
    with pytest.raises(CorpusError, match=r"own: [^,]*train\.de is not what the model was"):
        promote(tmp_path / "run", tmp_path / "run", Gate(0.5))


def test_what_cannot_be_written_is_said_before_anything_is_translated(folder: Path) -> None:
    for flag in ("--hypotheses", "--json"):
        arguments = [str(folder / "run"), "--split", "validation", flag, str(folder)]
        with pytest.raises(ConfigError, match=r"cannot be written \(Is a directory\)$"):
            CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    other = folder / "other.txt"
    arguments += ["--hypotheses", str(other)]
    with pytest.raises(ConfigError, match=r"cannot be written \(Is a directory\)$"):
        CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert not other.exists()


def test_looking_whether_a_file_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    link, kept = tmp_path / "link", tmp_path / "kept"
    link.symlink_to(tmp_path / "nothing yet")
    kept.write_text("of before", encoding="utf-8")
    for path in (link, kept, tmp_path / "new"):
        check_writable(path)
    assert {path.name for path in tmp_path.iterdir()} == {"link", "kept"}
    assert link.is_symlink()
    assert kept.read_text(encoding="utf-8") == "of before"


def test_a_cluster_without_workers_is_refused(folder: Path) -> None:
    arguments = [str(folder / "recipe.yaml"), "--out", str(folder / "other"), "--ray", "auto"]
    with pytest.raises(ConfigError, match="--ray needs --workers"):
        CliRunner().invoke(train_verb, arguments, catch_exceptions=False)
    assert not (folder / "other").exists()
