"""`seq2serve translate` and the flags of `seq2serve serve`, without a server."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mt.errors import BundleError, ConfigError, InputError, MTError
from mt.search_options import SearchOptions
from serving import cli, embedded
from serving.commands import lines, translate_cli
from serving.settings import EngineSettings, ServeSettings
from tests.echo_bundle import write_echo_bundle

LINES = "Jane visite Africa.\n\nHello. Hello world.\n   \n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo").folder


def translate(*arguments: object, stdin: bytes | str = "") -> Result:
    return CliRunner().invoke(translate_cli.translate, [str(one) for one in arguments], input=stdin)


def error_of(result: Result) -> str:
    assert isinstance(result.exception, MTError), result.output
    return str(result.exception)


def test_one_line_in_one_line_out(bundle: Path) -> None:
    result = translate(bundle, stdin=LINES)
    assert result.exit_code == 0
    assert result.stdout == LINES
    assert result.stderr == ""


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_order_is_kept_over_batches(bundle: Path, tmp_path: Path, batch: int) -> None:
    lines = "".join(f"Hello {i}.\n" for i in range(7))
    (tmp_path / "in.txt").write_text(lines)
    assert translate(bundle, tmp_path / "in.txt", "--batch", batch).stdout == lines


def test_windows_lines_a_mark_and_a_missing_last_newline(bundle: Path) -> None:
    assert translate(bundle, stdin=b"\xef\xbb\xbfHello.\r\nJane.").stdout == "Hello.\nJane.\n"


def test_nothing_in_nothing_out(bundle: Path) -> None:
    assert translate(bundle).stdout == ""


def test_scores_and_n_best(bundle: Path) -> None:
    result = translate(bundle, "--scores", "--n-best", "2", "--beam-size", "2", stdin="Hello.\n\n")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [text for _, text in rows][::3] == ["Hello.", ""]
    assert len(rows) == 4
    assert float(rows[1][0]) < float(rows[0][0]) < 0
    assert rows[2:] == [["0.0000", ""], ["0.0000", ""]]


def test_samples_are_repeated_by_their_seed(bundle: Path) -> None:
    def sampled(*flags: object) -> list[str]:
        result = translate(bundle, "--samples", 3, *flags, stdin="Hello.\nJane.\n")
        assert result.exit_code == 0, result.output
        return result.stdout.removesuffix("\n").split("\n")

    hot = sampled("--temperature", 5, "--seed", 4)
    assert len(hot) == 6
    assert sampled("--temperature", 5, "--seed", 4) == hot
    assert sampled("--temperature", 5, "--seed", 5) != hot
    assert sampled("--top-k", 1) == sampled("--top-p", 0.1) == ["Hello."] * 3 + ["Jane."] * 3


def test_a_line_break_that_is_drawn_breaks_no_line(bundle: Path) -> None:
    """One of some 300 pieces is the byte of a line feed: 64 hot samples are sure to hold it."""
    result = translate(bundle, "--samples", 64, "--temperature", 10, stdin="Hello.\nJane.\n")
    assert result.stdout.count("\n") == 128


def test_lines_before_a_bad_one_are_written(bundle: Path) -> None:
    result = translate(bundle, "--batch", "2", stdin="Hello.\nJane.\nHello.\nbad\0line\n")
    assert result.stdout == "Hello.\nJane.\n"
    assert error_of(result) == "line 4: control character U+0000 at position 3; remove it"


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"Hello.\n\xff\n", "line 2: byte 1 is not UTF-8"),
        (b"caf\xc3\n", "line 1: byte 4 is not UTF-8"),
        ("漢字\n".encode(), "line 1: "),
    ],
)
def test_bad_lines(bundle: Path, stdin: bytes, message: str) -> None:
    result = translate(bundle, stdin=stdin)
    assert isinstance(result.exception, InputError)
    assert error_of(result).startswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beam-size", "0"], "translate: beam_size: "),
        (["--beam-size", "10000"], "translate: beam_size: "),
        (["--n-best", "3", "--beam-size", "2"], "n_best is 3, more than beam_size, 2"),
        (["--length-penalty", "-1"], "translate: length_penalty: "),
        (["--samples", "2", "--beam-size", "5"], "leave beam_size out"),
        (["--top-k", "5"], "translate: the whole: only samples have a top_k"),
        (["--samples", "1", "--temperature", "0"], "translate: temperature: "),
        (["--threads", "0"], "translate: threads: "),
        (["--source", "zh", "--model", "x"], "a BUNDLE goes without --source, --model"),
        (["--actors", "3"], "a BUNDLE goes without --actors"),
        (["--scores", "--out", "o"], "--scores is for lines"),
        (["--n-best", "2", "--out", "o"], "a file has one translation; leave --n-best"),
    ],
)
def test_bad_flags(bundle: Path, flags: list[str], message: str) -> None:
    result = translate(bundle, *flags, stdin="Hello.\n")
    assert isinstance(result.exception, ConfigError)
    assert message in error_of(result)


def test_bad_bundles(bundle: Path, tmp_path: Path) -> None:
    assert "no such bundle folder" in error_of(translate(tmp_path / "none"))
    result = translate(bundle, "--precision", "int4", stdin="Hello.\n")
    assert isinstance(result.exception, BundleError)
    assert "has no int4 graphs, only fp32" in error_of(result)


def test_a_missing_file_is_refused_by_name(bundle: Path, tmp_path: Path) -> None:
    result = translate(bundle, tmp_path / "none.txt")
    assert result.exit_code == 2
    assert "none.txt" in result.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_people_only(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    options = SearchOptions(beam_size=1)
    lines.translate(bundle, EngineSettings(), options, [b"Jane.\n"] * 3, batch=2, scores=False)
    assert re.fullmatch(r"\r2 lines, [\d.]+/s \r3 lines, [\d.]+/s \n", terminal.getvalue())


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServeSettings]:
    """What `serve` would have served."""
    seen: list[ServeSettings] = []
    monkeypatch.setattr(embedded, "run", seen.append)
    return seen


def serve(*arguments: str) -> Any:
    return cli.serve.main(list(arguments), standalone_mode=False)


def test_flags_become_settings(served: list[ServeSettings]) -> None:
    serve("a", "b", "--port", "0", "--threads", "3", "--precision", "int8", "--beam-size", "2")
    (settings,) = served
    assert [bundle.path for bundle in settings.bundles] == ["a", "b"]
    assert (settings.host, settings.port) == ("127.0.0.1", 0)
    assert (settings.engine.threads, settings.engine.precision) == (3, "int8")
    assert settings.search.beam_size == 2


def test_flags_win_over_the_file(served: list[ServeSettings], tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("bundles: [{path: a}]\nport: 1\nengine: {threads: 2, max_rows: 9}\n")
    serve("--settings", str(file), "--threads", "4")
    serve("--settings", str(file), "other", "--host", "::1")
    first, second = served
    assert (first.bundles[0].path, first.port) == ("a", 1)
    assert (first.engine.threads, first.engine.max_rows) == (4, 9)
    assert (second.bundles[0].path, second.host) == ("other", "::1")


def test_a_shortlist_is_asked_for_by_flag_or_file(
    served: list[ServeSettings], tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("bundles: [{path: a}]\nengine: {shortlist: true}\n")
    for arguments in (["a"], ["a", "--shortlist"], ["--settings", str(file)]):
        serve(*arguments)
    assert [settings.engine.shortlist for settings in served] == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name at least one BUNDLE"),
        (["a", "--port", "70000"], "serve: port: "),
        (["a", "--threads", "0"], "serve: engine.threads: "),
        (["a", "--replicas", "2"], "several replicas need --ray"),
        (["--settings", "none.yaml"], "none.yaml: no such file"),
    ],
)
def test_bad_serve_flags(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        serve(*arguments)


def test_an_unknown_flag_is_a_usage_error() -> None:
    with pytest.raises(click.UsageError):
        serve("a", "--colour", "red")
