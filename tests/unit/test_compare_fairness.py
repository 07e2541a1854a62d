"""What makes a comparison unfair is found before anything is trained, all of it at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from mt.errors import ConfigError
from tests.tiny_comparison import tiny_plan, write_recipes
from training.compare.fairness import Fair, check_fairness


def checked(folder: Path, **changes: Any) -> Fair:
    return check_fairness(*tiny_plan(folder, **changes))


def systems(folder: Path, **second: Any) -> list[dict[str, Any]]:
    """Both systems, with what is said of the second."""
    return [
        {"name": "a", "recipe": str(folder / "a.yaml")},
        {"name": "b", "recipe": str(folder / "b.yaml"), "unmatched": "tiny", **second},
    ]


def write_tuning(path: Path, **trials: int) -> Path:
    studies: dict[str, Any] = {
        name: {"trials": [{}] * count, "best": {"BLEU": 12.5} if count else None}
        for name, count in trials.items()
    }
    path.write_text(json.dumps({"recipes": studies}), encoding="utf-8")
    return path


def test_two_recipes_that_differ_in_model_are_compared_fairly(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    fair = checked(tmp_path)
    assert fair.tests == ("test",)
    assert fair.tuning == {}
    assert "seeds: 1, 2" in fair.checks
    assert "b: size not matched: both are tiny" in fair.notes
    assert any("no search for settings" in note for note in fair.notes)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    write_recipes(
        tmp_path,
        b={
            "loss": {"label_smoothing": 0.3},
            "batching": {"max_tokens": 100},
            "optimizer": {"learning_rate": 0.5, "ema_decay": 0.9},
            "evaluation": {"split": "test", "every_updates": 7},
        },
    )
    with pytest.raises(ConfigError) as caught:
        checked(tmp_path, tests=["test", "test-long"], tuned=tmp_path / "no.json")
    message = str(caught.value)
    for expected in (
        "tiny is no fair comparison",
        "b validates on test; a test set must not choose weights",
        "own has no split test-long, only",
        "a and b differ in batching.max_tokens, evaluation.every_updates",
        "loss.label_smoothing",
        "optimizer.ema_decay",
        "no.json cannot be read",
    ):
        assert expected in message
    assert "learning_rate" not in message  # which tuning may choose


def test_a_difference_with_a_reason_is_a_note(tmp_path: Path) -> None:
    write_recipes(tmp_path, b={"loss": {"label_smoothing": 0.3}})
    with pytest.raises(ConfigError, match=r"differ in loss\.label_smoothing"):
        checked(tmp_path, systems=systems(tmp_path))
    why = {"loss.label_smoothing": "it is what we look at"}
    fair = checked(tmp_path, systems=systems(tmp_path, differs=why))
    assert "b: loss.label_smoothing: it is what we look at" in fair.notes
    assert checked(tmp_path, systems=systems(tmp_path, differs={"loss": "all of it"})).notes


def test_sizes_must_match_within_one_per_cent(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    with pytest.raises(ConfigError, match=r"parameters are \d+\.\d% apart \(a [\d,]+, b [\d,]+\)"):
        checked(tmp_path, systems=systems(tmp_path, unmatched=None))


def test_settings_of_the_plan_reach_every_system(tmp_path: Path) -> None:
    write_recipes(tmp_path, b={"batching": {"max_tokens": 100}})
    assert checked(tmp_path, settings=["batching.max_tokens=150"])


def test_equal_trials_are_evidence(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    fair = checked(tmp_path, tuned=write_tuning(tmp_path / "tune.json", a=6, b=6))
    assert fair.tuning["a"].trials == fair.tuning["b"].trials == 6
    assert fair.tuning["a"].best_bleu == 12.5
    assert fair.tuning["a"].file == "tune.json"
    assert "number of tuning trials" in fair.checks


def test_unequal_absent_or_damaged_trials_are_refused(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    path = tmp_path / "tune.json"
    with pytest.raises(ConfigError, match=r"unequal numbers of trials \(a 6, b 5\)"):
        checked(tmp_path, tuned=write_tuning(path, a=6, b=5))
    with pytest.raises(ConfigError, match="holds no trials of b"):
        checked(tmp_path, tuned=write_tuning(path, a=6))
    for damaged in ("[]", "{", '{"recipes": {"a": 1}}'):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"is no tune\.json"):
            checked(tmp_path, tuned=path)


def test_a_rate_that_ends_with_the_budget_is_told(tmp_path: Path) -> None:
    write_recipes(tmp_path, a={"schedule": {"curve": "linear"}})
    assert any(
        note.startswith("a: the learning rate comes to rest") for note in checked(tmp_path).notes
    )


def test_too_few_samples_for_so_many_tests_are_refused(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    changes = {"budgets": {"tokens": 9, "minutes": 9, "flops": 9}, "joined": {"longest": 4}}
    with pytest.raises(ConfigError, match="samples: 400 cannot tell 24 differences apart; set 960"):
        checked(tmp_path, **changes)
    assert checked(tmp_path, **changes, samples=960).tests


def test_training_text_is_no_test_set(tmp_path: Path) -> None:
    write_recipes(tmp_path)
    with pytest.raises(ConfigError, match="systems are trained on train"):
        checked(tmp_path, tests=["train"])
