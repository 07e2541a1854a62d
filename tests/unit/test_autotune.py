"""Autotune: what is tried, what wins, what is written, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from mt.errors import ConfigError, InputError
from serving.commands import autotune as tuning
from serving.commands.autotune import Trial, autotune, choices
from serving.commands.autotune_cli import autotune as command
from serving.engine import Engine
from serving.settings import load
from tests.tiny_bundle import VOCAB_SIZE, write_tiny_bundle
from tests.tiny_models import tiny_transformer


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("autotune") / "bundle"
    return write_tiny_bundle(folder, tiny_transformer(vocab_size=VOCAB_SIZE)).folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    monkeypatch.setattr(tuning, "SENTENCES", 3)


def test_every_way_to_use_all_cores_is_tried_beside_one_core() -> None:
    assert choices(1) == [(1, 1)]
    assert choices(2) == [(1, 1), (2, 1), (1, 2)]
    assert choices(6) == [(1, 1), (6, 1), (3, 2), (2, 3), (1, 6)]


def test_the_fastest_comes_first(bundle: Path) -> None:
    trials = autotune(bundle, beam_size=2, cores=2)
    assert {(one.workers, one.threads) for one in trials} == {(1, 1), (2, 1), (1, 2)}
    rates = [one.tokens_per_s for one in trials]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) > 0
    assert all(one.alone_s > 0 for one in trials)


def test_one_choice_at_a_time_takes_memory(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Engine] = []

    def open_next(*given: Any) -> Engine:
        assert not any(engine.healthy() for engine in opened)
        opened.append(open_engine(*given))
        return opened[-1]

    open_engine = tuning._engine
    monkeypatch.setattr(tuning, "_engine", open_next)
    monkeypatch.setattr(tuning, "ROUNDS", 2)
    autotune(bundle, beam_size=2, cores=2)
    assert len(opened) == 2 * 3


def test_a_settings_file_that_serve_reads(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "serve.yaml"
    arguments = [str(bundle), "--out", str(out), "--cores", "1", "--precision", "fp32"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert f"next: seq2serve serve --settings {out}" in done.output
    [one] = load(out).bundles
    assert (one.path, one.engine.workers, one.engine.precision) == (str(bundle), 1, "fp32")


def test_only_what_was_measured_is_written() -> None:
    written = tuning.settings_of(Path("b"), Trial(3, 2, 1.0, 1.0), None)
    assert yaml.safe_load(written) == {
        "bundles": [{"path": "b", "engine": {"workers": 3, "threads": 2}}]
    }


def test_a_file_is_never_overwritten(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "serve.yaml"
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is there already; name another --out"):
        CliRunner().invoke(command, [str(bundle), "--out", str(out)], catch_exceptions=False)
    assert out.read_text() == "mine"
    with pytest.raises(ConfigError, match="cannot be written"):
        tuning.reserve(tmp_path / "nowhere" / "serve.yaml")


def test_nothing_is_left_of_a_run_that_failed(bundle: Path, tmp_path: Path) -> None:
    out, text = tmp_path / "serve.yaml", tmp_path / "text"
    text.write_text("\n \n")
    arguments = [str(bundle), "--out", str(out), "--text", str(text)]
    with pytest.raises(InputError, match="--text has no line to translate"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert not out.exists()
