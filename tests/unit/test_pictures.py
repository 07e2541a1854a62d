"""Pictures: what is drawn, and what cannot be."""

import json
from pathlib import Path

import pytest

from mt.errors import ConfigError
from training.pictures import _points, minutes_to_bleu


def points(values: list[float]) -> list[dict[str, float]]:
    """A little after each of the milestones 5, 10 and 20."""
    minutes = (5.003, 10.001, 20.002)
    return [point(at, value) for at, value in zip(minutes, values, strict=False)]


def point(minutes: float, bleu: float) -> dict[str, float]:
    """After updates of 0.6 seconds each."""
    return {"processor_minutes": minutes, "update": round(100 * minutes), "BLEU": bleu}


def write_results(folder: Path, curves: list[list[float]]) -> Path:
    folder.mkdir()
    results = {
        "recipe": f"recipe-{folder.name}",
        "split": "test2016",
        "settings": {"training": {"keep_at_minutes": [5, 10, 20]}},
        "seeds": [
            {"search": {"beam_size": 5}, "updates": 1000 * len(curve), "curve": points(curve)}
            for curve in curves
        ],
    }
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return folder


def test_each_folder_is_a_line(tmp_path: Path) -> None:
    one = write_results(tmp_path / "one", [[10, 20, 30]])
    two = write_results(tmp_path / "two", [[10, 20, 31], [12, 21]])
    picture = tmp_path / "pictures" / "curves.svg"
    minutes_to_bleu([one, two], picture)
    text = picture.read_text(encoding="utf-8")
    labels = ("recipe-one, 1 seed, 3,000 updates", "recipe-two, 2 seeds, 2,000 to 3,000 updates")
    for words in (*labels, "minutes of one core", "test2016"):
        assert words in text
    first = picture.read_bytes()
    minutes_to_bleu([one, two], picture)
    assert picture.read_bytes() == first


def test_a_milestone_passed_twice_counts_once() -> None:
    curve = [*points([10, 20]), point(10.004, 21.0)]
    results = {
        "settings": {"training": {"keep_at_minutes": [5, 10, 20]}},
        "seeds": [{"curve": curve}],
    }
    assert _points(results) == {5: [10], 10: [21.0]}


def test_a_milestone_by_tokens_stands_for_no_minutes() -> None:
    curve = [point(1.0, 5.0), *points([10, 20]), point(9.2, 15.0)]
    results = {
        "settings": {"training": {"keep_at_minutes": [5, 10, 20]}},
        "seeds": [{"curve": curve}],
    }
    assert _points(results) == {5: [10], 10: [20]}


def replace_in_results(folder: Path, old: str, new: str) -> None:
    path = folder / "results.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "tests"),
    [
        ("test2016", "test2017", "test2016, beam 5; test2017, beam 5"),
        ('"beam_size": 5', '"beam_size": 1', "test2016, beam 1; test2016, beam 5"),
    ],
)
def test_one_picture_shows_one_test(tmp_path: Path, old: str, new: str, tests: str) -> None:
    one, two = (write_results(tmp_path / name, [[10, 20, 30]]) for name in ("one", "two"))
    replace_in_results(two, old, new)
    with pytest.raises(ConfigError, match=f"one test set and beam, not {tests}"):
        minutes_to_bleu([one, two], tmp_path / "a.svg")


@pytest.mark.parametrize("key", ["recipe", "split", "seeds", "beam_size", "updates", "curve"])
def test_results_without_a_key_are_refused(tmp_path: Path, key: str) -> None:
    one = write_results(tmp_path / "one", [[10, 20, 30]])
    replace_in_results(one, f'"{key}"', '"else"')
    with pytest.raises(ConfigError, match="not the results of seq2serve publish"):
        minutes_to_bleu([one], tmp_path / "a.svg")


def test_what_cannot_be_drawn_or_written_is_one_clear_line(tmp_path: Path) -> None:
    one = write_results(tmp_path / "one", [[10, 20, 30]])
    with pytest.raises(ConfigError, match=r"a\.xyz: unknown kind of picture; one of .*\.svg"):
        minutes_to_bleu([one], tmp_path / "a.xyz")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        minutes_to_bleu([one], tmp_path / "file" / "a.svg")
    (one / "results.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read; make it with: seq2serve publish"):
        minutes_to_bleu([one], tmp_path / "a.svg")
    (one / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="not the results of seq2serve publish"):
        minutes_to_bleu([one], tmp_path / "a.svg")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seq2serve publish"):
        minutes_to_bleu([tmp_path / "nothing"], tmp_path / "a.svg")
    with pytest.raises(ConfigError, match="keep_at_minutes"):
        minutes_to_bleu([write_results(tmp_path / "short", [[]])], tmp_path / "a.svg")
