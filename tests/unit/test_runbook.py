"""What the runbook says to type does what it says."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mt.cli import cli
from serving.stores.api_keys import ApiKeys
from tests.unit.test_images import DEPLOY

TEXT = (DEPLOY / "README.md").read_text()


def test_a_backup_of_a_running_server_can_be_restored(tmp_path: Path) -> None:
    script = DEPLOY / "backup.py"
    assert f"python3 deploy/{script.name} /var/lib/seq2serve" in TEXT
    data, backup = tmp_path / "data", tmp_path / "backups" / "today"
    keys = ApiKeys(data)
    key = keys.create("Mastodon")
    subprocess.run([sys.executable, str(script), str(data), str(backup)], check=True)
    keys.revoke("Mastodon")  # after the backup
    keys.close()
    assert backup.stat().st_mode & 0o077 == 0
    with sqlite3.connect(backup / "keys.sqlite") as file:
        assert key.encode() not in "\n".join(file.iterdump()).encode()
    restored = ApiKeys(backup)
    assert restored.authenticate(key).name == "Mastodon"
    restored.close()


def test_a_backup_of_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/keys.sqlite").write_text("no database at all")
    for words, says in (
        ([tmp_path], "usage: "),
        ([tmp_path, tmp_path / "backup"], "holds no databases; name the server's data_dir"),
        ([tmp_path / "data", tmp_path / "file"], "not everything was copied"),
        ([tmp_path / "data", tmp_path / "backup"], "not everything was copied"),
    ):
        command = [sys.executable, str(DEPLOY / "backup.py"), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert says in done.stderr
        assert "Traceback" not in done.stderr


def commands() -> list[list[str]]:
    """Every command of ours in the runbook, its words."""
    found = re.findall(r"(?:^|`|[ /])seq2serve (?=[a-z])([^`\n|]*)", TEXT, re.M)
    lines = [re.sub(r"\s+#.*|,.*|\s&&.*", "", line).split() for line in found]
    return [words for words in lines if words and words[0] in cli.list_commands(click.Context(cli))]


def test_there_are_commands_to_check() -> None:
    assert {words[0] for words in commands()} >= {"serve", "keys", "top", "autotune", "compare"}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_and_option_exists(words: list[str]) -> None:
    group: click.Command = cli
    options: set[str] = set()
    for word in words:
        if isinstance(group, click.Group) and not word.startswith("-"):
            found = group.get_command(click.Context(group), word)
            if found is not None:
                group = found
                continue
        if word.startswith("--"):
            options = {name for one in group.params for name in one.opts}
            assert word.partition("=")[0] in options, f"{word} is no option of {group.name}"


def test_every_link_and_file_of_the_runbook_is_there() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    for target in re.findall(r"\]\(#([\w-]+)\)", TEXT):
        assert target in anchors
    for path in re.findall(r"`deploy/([\w./-]+)`", TEXT):
        assert (DEPLOY / path).exists(), path
