"""`seq2serve translate` with files and with a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mt.errors import ConfigError, MTError
from serving.client import (
    Client,
    Dictionary,
    NotFoundError,
    RefusedError,
    Retries,
    UnreachableError,
)
from serving.commands import file_jobs, remote, translate_cli
from tests.app_client import echo
from tests.echo_bundle import write_echo_bundle
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback

SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nHello world.\n\n"
TO_ENGLISH = ("--source", "fr", "--target", "en")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo").folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with on_loopback(echo(fake_bundle())) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Jane.\n\nHello.\n")
    (tmp_path / "in" / "b.srt").write_text(SUBTITLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def translate(*arguments: object, stdin: bytes | str = "") -> Result:
    return CliRunner().invoke(translate_cli.translate, [str(one) for one in arguments], input=stdin)


def error_of(result: Result) -> str:
    assert isinstance(result.exception, MTError), result.output
    return str(result.exception)


def test_lines_by_a_server(server: str) -> None:
    lines = "".join(f"Hello {i}.\n" for i in range(150)) + "\nJane.\n"
    result = translate("--server", server, *TO_ENGLISH, stdin=lines)
    assert result.stdout == lines


def test_scores_and_n_best_by_a_server(server: str, folder: Path) -> None:
    flags = ("--scores", "--n-best", 2, "--beam-size", 2, "--model", "fake")
    result = translate("--server", server, *TO_ENGLISH, *flags, "in/a.txt")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [rows[0][1], rows[-2][1]] == ["Jane.", "Hello."]
    assert float(rows[1][0]) < float(rows[0][0]) < 0


def test_terms_of_a_server(server: str, folder: Path) -> None:
    with Client(server) as client:
        kept = client.create_glossary("g", [Dictionary("fr", "en", {"Jane": "Hund"})])
    how = ("--server", server, *TO_ENGLISH, "--glossary", kept.id)
    assert "Hund" in translate(*how, stdin="Jane.\n").stdout
    assert translate(*how, "in", "--out", "out").exit_code == 0
    assert "Hund" in (folder / "out" / "a.txt").read_text()


def test_lines_before_a_bad_one_are_written(server: str) -> None:
    lines = "Hello.\n" * 64 + "Jane.\nbad\0line\n"
    result = translate("--server", server, *TO_ENGLISH, stdin=lines)
    assert result.stdout == "Hello.\n" * 64
    assert isinstance(result.exception, RefusedError)
    assert error_of(result).startswith("line 66: control character U+0000")


@pytest.mark.parametrize("by_server", [True, False])
def test_a_folder_of_files(by_server: bool, server: str, bundle: Path, folder: Path) -> None:
    how = ("--server", server, *TO_ENGLISH) if by_server else (bundle,)
    result = translate(*how, "in", "--out", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert (folder / "out" / "a.txt").read_text() == "Jane.\n\nHello.\n"
    assert (folder / "out" / "b.srt").read_text() == SUBTITLES
    assert sorted(one.name for one in (folder / "out").iterdir()) == ["a.txt", "b.srt"]


@pytest.mark.parametrize("by_server", [True, False])
def test_the_kind_may_be_told(by_server: bool, server: str, bundle: Path, folder: Path) -> None:
    (folder / "titles").write_text(SUBTITLES)
    how = ("--server", server, *TO_ENGLISH) if by_server else (bundle,)
    result = translate(*how, "titles", "--out", "out.srt", "--format", "srt")
    assert result.exit_code == 0, result.output
    assert (folder / "out.srt").read_text() == SUBTITLES


def test_a_file_that_fails_is_named(server: str, folder: Path) -> None:
    (folder / "in" / "c.txt").write_bytes(b"caf\xc3")
    result = translate("--server", server, *TO_ENGLISH, "in", "--out", "out")
    assert error_of(result) == "1 of 3 files failed; the others are written"
    assert "in/c.txt: file: byte 4 is not UTF-8" in result.stderr


def test_what_a_server_works_on_is_asked_for_again(server: str, folder: Path) -> None:
    """The run is interrupted when the file has been sent; the next one sends nothing."""
    wanted = remote.Wanted("fr", "en")
    (job,) = file_jobs.plan(["in/a.txt"], folder / "out.txt")
    with Interrupted(server) as client, pytest.raises(KeyboardInterrupt):
        remote.translate_files(client, wanted, [job], None)
    assert job.note.exists()
    with Unwilling(server) as client:
        remote.translate_files(client, wanted, [job], None)
    assert job.target.read_text() == "Jane.\n\nHello.\n"
    assert not job.note.exists()


def test_what_has_changed_or_is_forgotten_is_sent_anew(server: str, folder: Path) -> None:
    wanted = remote.Wanted("fr", "en")
    (job,) = file_jobs.plan(["in/a.txt"], folder / "out.txt")
    for change in (lambda: job.source.write_text("Jane."), lambda: _forget(server, job.note)):
        job.target.unlink(missing_ok=True)
        with Interrupted(server) as client, pytest.raises(KeyboardInterrupt):
            remote.translate_files(client, wanted, [job], None)
        change()
        with Client(server) as client:
            remote.translate_files(client, wanted, [job], None)
        assert job.target.read_text() == job.source.read_text()


class Interrupted(Client):
    def finish_document(self, *_: object) -> bytes:
        raise KeyboardInterrupt


class Unwilling(Client):
    def send_document(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise AssertionError("it was sent already")


def _forget(server: str, note: Path) -> None:
    with Client(server) as client:
        document = client.document(json.loads(note.read_text())["id"])
        client.finish_document(document)
        client.delete_document(document.id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--server", "URL"], "--target"),
        (["--server", "here", "--target", "en"], "name a server, as http://"),
        (["--server", "URL", "--target", "en", "--out", "out"], "name the files"),
        (["--server", "URL", "--target", "en", "a", "b"], "several files need --out"),
        (["--server", "URL", "--target", "en", "--format", "srt", "a"], "name --out too"),
        (["--server", "URL", "--target", "en", "--format", "lines", "--out", "o", "a"], "leave"),
        (["--server", "URL", "--target", "en", "--n-best", "2", "--out", "o", "in"], "for lines"),
        (["--server", "URL", "--target", "en", "--scores", "--out", "o", "in"], "for lines"),
        (["--server", "URL", "--target", "en", "--threads", "4", "in"], "goes without --threads"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_flags(server: str, arguments: list[str], message: str) -> None:
    result = translate(*[server if one == "URL" else one for one in arguments])
    assert isinstance(result.exception, ConfigError)
    assert message in error_of(result)


def test_without_bundle_or_server() -> None:
    result = translate()
    assert result.exit_code == 2
    assert "BUNDLE" in result.stderr


def test_an_unknown_pair_and_no_server_at_all(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = translate("--server", server, "--source", "fr", "--target", "de", stdin="Jane.\n")
    assert isinstance(result.exception, NotFoundError)
    monkeypatch.setattr(remote, "PATIENCE", Retries(attempts=1))
    result = translate("--server", "http://127.0.0.1:9", "--target", "de", stdin="Jane.\n")
    assert isinstance(result.exception, UnreachableError)
