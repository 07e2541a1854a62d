"""Evidence of finished runs: what is written, and what is not of one recipe."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mt.errors import ConfigError
from mt.search_options import SearchOptions
from tests.tiny_run import random_pairs, tiny_recipe, write_corpus
from training.budget import RunState
from training.checkpoint import find_checkpoint
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
    command = "seq2serve train RECIPE --set seed=N --set training.max_updates=12 --out RUN"
    assert saved["commands"][0] == command  # its own recipe does not ship


def test_half_a_line_of_metrics_is_no_hindrance(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "run")
    with (tmp_path / "run/metrics.jsonl").open("a", encoding="utf-8") as metrics:
        metrics.write('{"kind": "valid')
    (facts,) = publish_([tmp_path / "run"], tmp_path / "results")["seeds"]
    assert [point["update"] for point in facts["validation"]] == [10, 12]


def test_one_seed_has_no_deviation(runs: list[Path], tmp_path: Path) -> None:
    assert publish_(runs[:1], tmp_path)["mean"]["BLEU"]["sd"] is None


def test_the_same_seed_twice_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"same seed: 1, 1"):
        publish_([runs[0], runs[0]], tmp_path)


def test_other_recipes_are_refused(runs: list[Path], corpus: Path, tmp_path: Path) -> None:
    other = tiny_recipe(corpus, seed=3, **{"model.d_ff": 8, "training.max_updates": 12})
    train(other, tmp_path / "other")
    with pytest.raises(ConfigError, match=r"differ in model\.d_ff$"):
        publish_([runs[0], tmp_path / "other"], tmp_path / "results")


def test_seeds_of_one_mean_are_trained_and_chosen_alike(
    runs: list[Path], corpus: Path, tmp_path: Path
) -> None:
    less = {"training.max_updates": 4, "training.average": "best", "evaluation.every_updates": 2}
    train(tiny_recipe(corpus, seed=3, **less), tmp_path / "less")
    keys = r"evaluation\.every_updates, training\.average, training\.max_updates"
    with pytest.raises(ConfigError, match=rf"differ in {keys}$"):
        publish_([runs[0], tmp_path / "less"], tmp_path / "results")
    publish_(runs[:1], tmp_path / "results")
    with pytest.raises(ConfigError, match=rf"differ in {keys}$"):
        publish([tmp_path / "less"], tmp_path / "results", "validation", threads=1, add=True)


@pytest.mark.parametrize(
    ("options", "tuned", "keys"),
    [
        (SearchOptions(beam_size=1), False, "search.beam_size"),
        (SearchOptions(length_penalty=0.6), False, "search.length_penalty"),
        (SearchOptions(), True, "--tune-length-penalty"),
    ],
)
def test_seeds_of_one_mean_are_searched_alike(
    runs: list[Path], tmp_path: Path, options: SearchOptions, tuned: bool, keys: str
) -> None:
    command = publish_(runs[:1], tmp_path)["commands"][1]
    assert command.endswith("--split validation --beam-size 5 --length-penalty 1 --out FOLDER")
    with pytest.raises(ConfigError, match=rf"differ in {re.escape(keys)}$"):
        publish(runs[1:], tmp_path, "validation", options, tuned, threads=1, add=True)


def test_scores_by_another_sacrebleu_are_refused(runs: list[Path], tmp_path: Path) -> None:
    publish_(runs[:1], tmp_path)
    path = tmp_path / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace("|version:2.", "|version:1."), "utf-8")
    with pytest.raises(ConfigError, match=r"has BLEU by nrefs:1.*:1\..*publish all seeds anew"):
        publish(runs[1:], tmp_path, "validation", threads=1, add=True)


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
    other = {"model.d_ff": 8, "training.max_updates": 12, "training.precision": "bf16"}
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
    given = {"subwords.model": str(runs[0]), "training.max_updates": 12}
    train(tiny_recipe(corpus, seed=3, **given), tmp_path / "same")
    at_once = publish_([runs[0], tmp_path / "same"], tmp_path / "results")
    assert at_once["seeds"][1]["seed"] == 3
    publish_(runs[:1], tmp_path / "added")
    added = publish([tmp_path / "same"], tmp_path / "added", "validation", threads=1, add=True)
    assert added["seeds"] == at_once["seeds"]
    assert added["settings"] == at_once["settings"]
    fewer = {"subwords.vocab_size": 70, "training.max_updates": 12}
    train(tiny_recipe(corpus, seed=4, **fewer), tmp_path / "other")
    with pytest.raises(ConfigError, match=r"differ in subwords$"):
        publish_([runs[0], tmp_path / "other"], tmp_path / "results")
    with pytest.raises(ConfigError, match=r"differ in subwords\.vocab_size, subwords$"):
        publish([tmp_path / "other"], tmp_path / "added", "validation", threads=1, add=True)


def test_an_unfinished_run_is_refused(corpus: Path, tmp_path: Path) -> None:
    def stop(state: RunState) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        train(tiny_recipe(corpus), tmp_path / "run", stop)
    with pytest.raises(ConfigError, match="not finished; train it to its end"):
        publish_([tmp_path / "run"], tmp_path / "results")


def test_a_run_that_has_gone_on_since_is_unfinished(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(state: RunState) -> None:
        raise EOFError

    train(tiny_recipe(corpus, **{"training.max_updates": 5}), tmp_path / "run")
    assert find_checkpoint(tmp_path / "run").state.update == 5
    assert "warning" not in capsys.readouterr().err
    with pytest.raises(EOFError):
        train(tiny_recipe(corpus), tmp_path / "run", stop)
    with pytest.raises(ConfigError, match="not finished; train it to its end"):
        publish_([tmp_path / "run"], tmp_path / "results")
    assert find_checkpoint(tmp_path / "run").state.update == 5
    assert "final is of update 5, but training has gone on to 10; train" in capsys.readouterr().err
