"""Pictures: what is drawn, and what cannot be."""

import json
from pathlib import Path

import pytest

from mt.errors import ConfigError
from training.pictures import minutes_to_bleu


def write_results(folder: Path, curves: list[list[float]]) -> Path:
    folder.mkdir()
    results = {
        "recipe": f"recipe-{folder.name}",
        "split": "test2016",
        "settings": {"training": {"keep_at_minutes": [5, 10, 20]}},
        "seeds": [
            {"search": {"beam_size": 5}, "curve": [{"BLEU": value} for value in curve]}
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
    for words in ("recipe-one, 1 seed", "recipe-two, 2 seeds", "minutes of one core", "test2016"):
        assert words in text
    first = picture.read_bytes()
    minutes_to_bleu([one, two], picture)
    assert picture.read_bytes() == first


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seq2serve publish"):
        minutes_to_bleu([tmp_path / "nothing"], tmp_path / "a.svg")
    with pytest.raises(ConfigError, match="keep_at_minutes"):
        minutes_to_bleu([write_results(tmp_path / "short", [[]])], tmp_path / "a.svg")
