"""What is said of the program and the machine behind a figure."""

import subprocess
from pathlib import Path

import pytest

from training import machine


def commit(folder: Path) -> str:
    """Make a checkout of one commit, and return that."""

    def git(*words: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
        command = ["git", "-C", str(folder), *names, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    return git("rev-parse", "HEAD")


@pytest.mark.parametrize("inside", ["", ".venv/lib/site-packages/"])
def test_only_our_own_checkout_has_our_revision(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / inside / "training"
    source.mkdir(parents=True)
    monkeypatch.setattr(machine, "__file__", str(source / "machine.py"))
    assert machine.source_revision() is None
    revision = commit(tmp_path)
    assert machine.source_revision() == (None if inside else revision)
