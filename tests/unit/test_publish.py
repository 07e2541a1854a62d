"""Evidence of finished runs: what is written, and what is not of one recipe."""

import json
from pathlib import Path
from typing import Any

import pytest

from mt.errors import ConfigError
from tests.tiny_run import random_pairs, tiny_recipe, write_corpus
from training.budget import RunState
from training.evaluate import bleu
from training.publish import publish
from training.train import train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def runs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        always = {"training.keep_at_minutes": [1e-6], "training.max_updates": 12}
        train(tiny_recipe(corpus, seed=seed, **always), folder / str(seed))
    return [folder / "1", folder / "2"]


def publish_(runs: list[Path], folder: Path) -> dict[str, Any]:
    return publish(runs, folder, split="validation", threads=1)


def test_everything_is_there_and_scores_again(runs: list[Path], tmp_path: Path) -> None:
    results = publish_(runs, tmp_path / "results")
    saved = json.loads((tmp_path / "results/results.json").read_text(encoding="utf-8"))
    assert saved == results
    references = [pair.tgt for pair in random_pairs(12, seed=1)]
    values = []
    for number, facts in zip((1, 2), saved["seeds"], strict=True):
        text = (tmp_path / f"results/seed{number}.validation.txt").read_text(encoding="utf-8")
        values.append(bleu(text.split("\n")[:-1], references).value)
        assert facts["scores"][0]["value"] == values[-1]
        assert facts["seed"] == number
        assert facts["updates"] == 12
        assert facts["target_tokens"] > 12 * 100
        assert [point["update"] for point in facts["validation"]] == [10, 12]
        assert [point["update"] for point in facts["curve"]] == [1]
        assert facts["processor_minutes"] > 0
        (sitting,) = facts["trained"]
        assert sitting["from_update"] == 0
        assert sitting["machine"] == facts["machine"]
    mean = saved["mean"]["BLEU"]
    assert mean["mean"] == pytest.approx(sum(values) / 2)
    assert mean["sd"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert {"chrF2", "BLEU-lc-tok", "greedy BLEU"} < saved["mean"].keys()
    assert saved["settings"]["model"]["d_model"] == 16
    assert "seed" not in saved["settings"]
    assert saved["machine"]["device"] == "cpu"


def test_one_seed_has_no_deviation(runs: list[Path], tmp_path: Path) -> None:
    assert publish_(runs[:1], tmp_path)["mean"]["BLEU"]["sd"] is None


def test_the_same_seed_twice_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"same seed: 1, 1"):
        publish_([runs[0], runs[0]], tmp_path)


def test_other_recipes_are_refused(runs: list[Path], corpus: Path, tmp_path: Path) -> None:
    other = tiny_recipe(corpus, seed=3, **{"model.d_ff": 8, "training.max_updates": 1})
    train(other, tmp_path / "other")
    with pytest.raises(ConfigError, match=r"differ in model\.d_ff"):
        publish_([runs[0], tmp_path / "other"], tmp_path / "results")


def test_seeds_of_another_day_join_those_that_are_there(runs: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "results"
    second = publish(runs[1:], folder, split="validation", threads=1, add=True)
    both = publish(runs[:1], folder, split="validation", threads=1, add=True)
    assert [facts["seed"] for facts in both["seeds"]] == [1, 2]
    assert both["seeds"][1] == second["seeds"][0]
    assert both == publish_(runs, tmp_path / "at once")
    assert {path.name for path in folder.iterdir()} == {
        "results.json",
        "seed1.validation.txt",
        "seed2.validation.txt",
    }


def test_seeds_that_do_not_fit_those_that_are_there_are_refused(
    runs: list[Path], corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    publish_(runs[:1], folder)
    before = (folder / "results.json").read_bytes()
    other = {"model.d_ff": 8, "training.max_updates": 1, "training.precision": "bf16"}
    train(tiny_recipe(corpus, seed=3, **other), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"differ in model\.d_ff, training\.precision$"):
        publish([tmp_path / "other"], folder, "validation", threads=1, add=True)
    with pytest.raises(ConfigError, match=r"results\.json has seed 1 already"):
        publish(runs, folder, "validation", threads=1, add=True)
    with pytest.raises(ConfigError, match=r"has scores of validation, not of train"):
        publish(runs[1:], folder, "train", threads=1, add=True)
    assert (folder / "results.json").read_bytes() == before
    for damaged in ("[]", "{", '{"seeds": [], "settings": {}}'):
        (folder / "results.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(ConfigError, match="not what `publish` writes"):
            publish(runs[1:], folder, "validation", threads=1, add=True)


def test_the_same_pieces_may_be_of_another_run(
    runs: list[Path], corpus: Path, tmp_path: Path
) -> None:
    given = {"subwords.model": str(runs[0]), "training.max_updates": 1}
    train(tiny_recipe(corpus, seed=3, **given), tmp_path / "same")
    assert publish_([runs[0], tmp_path / "same"], tmp_path / "results")["seeds"][1]["seed"] == 3
    fewer = {"subwords.vocab_size": 70, "training.max_updates": 1}
    train(tiny_recipe(corpus, seed=4, **fewer), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"differ in subwords$"):
        publish_([runs[0], tmp_path / "other"], tmp_path / "results")


def test_an_unfinished_run_is_refused(corpus: Path, tmp_path: Path) -> None:
    def stop(state: RunState) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        train(tiny_recipe(corpus), tmp_path / "run", stop)
    with pytest.raises(ConfigError, match="not finished; train it to its end"):
        publish_([tmp_path / "run"], tmp_path / "results")
