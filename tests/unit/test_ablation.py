"""Ablations: one thing changed at a time, each against the row it is about."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mt.errors import CheckpointError, ConfigError, CorpusError
from tests.tiny_run import recipe_values, write_corpus
from training import scoring
from training.ablation import ablate, read_plan, table
from training.checkpoint import newest_checkpoint
from training.cli import ablate as ablate_verb
from training.interrupts import StopRequest
from training.length_penalty import PENALTIES
from training.recipe import read_recipe


def write_plan(folder: Path, **values: object) -> Path:
    write_corpus(folder)
    recipe = folder / "tiny.yaml"
    settings = recipe_values(folder)
    files = settings["corpus"]["files"]
    files["test"] = files["validation"]
    recipe.write_text(yaml.safe_dump(settings), encoding="utf-8")
    plan = {"recipe": str(recipe), "settings": ["training.max_updates=6"], **values}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return path


ROWS = [
    {"name": "No smoothing!", "settings": ["loss.label_smoothing=0"]},
    {"name": "no dropout either", "settings": ["model.dropout=0"], "against": "No smoothing!"},
]


def test_rows_are_trained_scored_and_compared(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path, rows=ROWS))
    rows = ablate(plan, read_recipe, tmp_path / "out", split="validation")
    assert [row.name for row in rows] == ["base", "No smoothing!", "no dropout either"]
    assert [row.against for row in rows] == [None, "base", "No smoothing!"]
    assert rows[0].difference is None
    for row, other in ((rows[1], rows[0]), (rows[2], rows[1])):
        assert row.difference is not None
        assert row.difference.difference == pytest.approx(row.bleu.value - other.bleu.value)
    assert len({row.weights_sha256 for row in rows}) == 3
    saved = json.loads((tmp_path / "out/ablation.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in saved["rows"]] == [row.name for row in rows]
    assert saved["plan"]["rows"][0]["settings"] == ["loss.label_smoothing=0"]

    again = ablate(plan, read_recipe, tmp_path / "out", split="validation")
    assert again == rows
    edited = [*ROWS[:1], ROWS[1] | {"settings": ["model.dropout=0.3"]}]
    with pytest.raises(CheckpointError, match=r"no-dropout-either was trained with another recipe"):
        ablate(read_plan(write_plan(tmp_path, rows=edited)), read_recipe, tmp_path / "out")
    assert json.loads((tmp_path / "out/ablation.json").read_text(encoding="utf-8")) == saved
    lines = table(rows)
    assert len(lines) == 5
    assert lines[-1].startswith("| no dropout either |")
    assert "against No smoothing!" in lines[-1]


def test_a_stop_is_saved_and_reported_as_shells_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = write_plan(tmp_path, rows=ROWS), tmp_path / "out"
    monkeypatch.setattr(StopRequest, "__bool__", lambda stop: True)
    arguments = [str(plan), "--out", str(out), "--split", "validation"]
    stopped = CliRunner().invoke(ablate_verb, arguments)
    assert stopped.exit_code == 130
    assert stopped.stdout.endswith(
        f"stopped; what was done is saved in {out}; the same command continues\n"
    )
    assert newest_checkpoint(out / "runs" / "base" / "checkpoints")[0] is not None


DECODED = [
    {"name": "another seed", "settings": ["seed=2"]},
    {"name": "greedy", "search": {"beam_size": 1}},
    {"name": "tuned", "tune_length_penalty": True},
    {"name": "both", "together_with": ["another seed"], "against": "another seed"},
]


def test_rows_may_change_the_search_or_who_translates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(write_plan(tmp_path, rows=DECODED))
    found = ablate(plan, read_recipe, tmp_path / "out")
    assert sorted(run.name for run in (tmp_path / "out/runs").iterdir()) == ["another-seed", "base"]
    rows = {row.name: row for row in found}
    base, other = rows["base"].weights_sha256, rows["another seed"].weights_sha256
    assert rows["greedy"].weights_sha256 == rows["tuned"].weights_sha256 == base
    assert rows["both"].weights_sha256 == (*base, *other)
    assert rows["both"].trained == rows["base"].trained + rows["another seed"].trained
    assert [sitting.from_update for sitting in rows["both"].trained] == [0, 0]
    assert rows["greedy"].search.beam_size == 1
    assert rows["tuned"].search.length_penalty in PENALTIES
    assert rows["both"].training_minutes == pytest.approx(
        rows["base"].training_minutes + rows["another seed"].training_minutes
    )

    def translate_again(*_: object, **__: object) -> None:
        raise AssertionError("what is translated is kept")

    monkeypatch.setattr(scoring, "evaluate", translate_again)
    assert ablate(plan, read_recipe, tmp_path / "out") == found


def test_other_test_sentences_are_translated_anew(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path, rows=ROWS[:1]))
    before = ablate(plan, read_recipe, tmp_path / "out")
    for side in ("en", "de"):
        file = tmp_path / f"validation.{side}"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:5]), encoding="utf-8")
    after = ablate(plan, read_recipe, tmp_path / "out")
    assert [row.weights_sha256 for row in after] == [row.weights_sha256 for row in before]
    assert len(list((tmp_path / "out/translations").iterdir())) == 2 * len(before)


def test_a_row_with_another_test_set_is_refused_before_training(tmp_path: Path) -> None:
    other = f"corpus.files.test.source={tmp_path / 'train.en'}"
    rows = [{"name": "other", "settings": [other, other.replace("source=", "target=")]}]
    plan = read_plan(write_plan(tmp_path, rows=rows))
    with pytest.raises(ConfigError, match="other is tested on other sentences than base"):
        ablate(plan, read_recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_split_that_is_not_there_is_refused_before_training(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path, rows=ROWS))
    with pytest.raises(CorpusError, match="tst"):
        ablate(plan, read_recipe, tmp_path / "out", split="tst")
    assert not (tmp_path / "out").exists()


def test_a_penalty_is_not_tuned_on_what_is_scored(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path, rows=[{"name": "a", "tune_length_penalty": True}]))
    with pytest.raises(ConfigError, match="would flatter"):
        ablate(plan, read_recipe, tmp_path / "out", split="validation")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "base"}], "two rows are called base"),
        ([ROWS[0], ROWS[0]], "two rows are called No smoothing!"),
        (
            [{"name": "a", "against": "b"}, {"name": "b"}],
            "a: against: no row before it is called b",
        ),
        ([{"name": "a", "together_with": ["b"]}], "a: together_with: no row before it is called b"),
        ([{"name": "a"}], "a: nothing is changed"),
        ([ROWS[0], ROWS[0] | {"name": "no-smoothing?"}], "no-smoothing[?]: too like No smoothing!"),
        (
            [{"name": "a", "search": {"beam_size": 1}, "tune_length_penalty": True}],
            "a: a length penalty changes nothing in greedy search",
        ),
        ([], "at least 1 item"),
    ],
)
def test_wrong_plans_are_refused(tmp_path: Path, rows: list[object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_plan(write_plan(tmp_path, rows=rows))


def test_a_wrong_setting_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    rows = [{"name": "typo", "settings": ["loss.smothing=0"]}]
    plan = read_plan(write_plan(tmp_path, rows=rows))
    with pytest.raises(ConfigError, match=r"loss\.smothing"):
        ablate(plan, read_recipe, tmp_path / "out", split="validation")
    assert not (tmp_path / "out").exists()
