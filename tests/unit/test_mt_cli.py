import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import click
import pytest

from mt.cli import main
from mt.errors import ConfigError


@click.command()
@click.option("--times", type=int, default=1)
def greet(times: int) -> None:
    """Say hello."""
    click.echo("hello " * times)


class Verb(EntryPoint):
    """An installed verb that loads what it is told to, or lacks a library."""

    found: Any

    def load(self) -> Any:
        if isinstance(self.found, str):
            raise ModuleNotFoundError(name=self.found)
        return self.found


def verb(name: str, found: Any, module: str = "serving.cli") -> Verb:
    entry = Verb(name, f"{module}:{name}", "seq2serve.verbs")
    vars(entry)["found"] = found  # entry points are immutable
    return entry


def raising(error: BaseException) -> click.Command:
    def run() -> None:
        raise error

    return click.Command("fail", callback=run)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run with some verbs installed; exit code, standard output, standard error."""

    def call(arguments: list[str], *verbs: Verb) -> tuple[int, str, str]:
        entries = EntryPoints(verbs or [verb("greet", greet)])
        monkeypatch.setattr("mt.cli.entry_points", lambda **wanted: entries.select(**wanted))
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, captured.out, captured.err

    return call


Run = Callable[..., tuple[int, str, str]]


def test_a_verb_runs(run: Run) -> None:
    assert run(["greet", "--times", "2"]) == (0, "hello hello \n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_verb_with_what_it_does(run: Run, arguments: list[str]) -> None:
    code, out, err = run(arguments)
    assert (code, err) == (0, "")
    assert "greet  Say hello." in out


def test_help_lists_a_verb_whose_library_is_missing(run: Run) -> None:
    verbs = (verb("greet", greet), verb("train", "torch", "training.cli"))
    code, out, _ = run(["--help"], *verbs)
    assert code == 0
    assert "greet  Say hello." in out
    assert "train  needs torch" in out


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [("training.cli", "torch", "train"), ("serving.cli", "fastapi", "serve")],
)
@pytest.mark.parametrize("arguments", [[], ["recipe.yaml", "--set", "a=b"], ["--help"]])
def test_a_missing_library_becomes_advice(
    run: Run, arguments: list[str], module: str, library: str, extra: str
) -> None:
    code, _, err = run(["go", *arguments], verb("go", library, module))
    assert code == 2
    assert err == f"seq2serve: error: go needs {library}: pip install 'seq2serve[{extra}]'\n"


def test_a_broken_installation_is_not_taken_for_a_missing_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = EntryPoints([verb("go", "training.gone", "training.cli")])
    monkeypatch.setattr("mt.cli.entry_points", lambda **wanted: entries.select(**wanted))
    with pytest.raises(ModuleNotFoundError):
        main(["go"])


def test_an_entry_point_that_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = EntryPoints([verb("go", len)])
    monkeypatch.setattr("mt.cli.entry_points", lambda **wanted: entries.select(**wanted))
    with pytest.raises(TypeError, match=r"serving\.cli:go is not a command"):
        main(["go"])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["shout"], "No such command 'shout'"),
        (["greet", "--loud"], "No such option"),
        (["greet", "--times", "many"], "'many' is not a valid integer"),
        (["greet", "extra"], "Got unexpected extra argument (extra)"),
    ],
)
def test_a_wrong_call_is_one_line_and_code_2(run: Run, arguments: list[str], problem: str) -> None:
    code, out, err = run(arguments)
    assert (code, out) == (2, "")
    assert err.startswith("seq2serve: error: ")
    assert problem in err
    assert err.count("\n") == 1


def test_our_errors_are_one_line_and_code_2(run: Run) -> None:
    error = ConfigError("recipe.yaml: name:\n  Field required")
    code, out, err = run(["fail"], verb("fail", raising(error)))
    assert (code, out) == (2, "")
    assert err == "seq2serve: error: recipe.yaml: name: Field required\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupted_verb_exits_with_130(run: Run, error: BaseException) -> None:
    assert run(["fail"], verb("fail", raising(error)))[0] == 130


def test_a_verb_chooses_its_exit_code(run: Run) -> None:
    assert run(["fail"], verb("fail", raising(click.exceptions.Exit(3))))[0] == 3


def test_a_reader_that_went_away_is_not_worth_a_word() -> None:
    program = (
        "import click, mt.cli\n"
        "@mt.cli.cli.command('talk')\n"
        "def talk():\n"
        "    for _ in range(100_000): click.echo('hello')\n"
        "mt.cli._verbs = dict\n"
        "mt.cli.Verbs.get_command = lambda self, ctx, name: talk\n"
        "mt.cli.main(['talk'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1  # as click has it


def test_python_m_mt_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mt", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("seq2serve, version ")
