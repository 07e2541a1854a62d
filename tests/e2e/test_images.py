"""An image, step by step in a clean folder: only what Docker would see, built and started."""

import fnmatch
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app_client import REQUEST, SENTENCE
from tests.e2e.environment import PROJECT, make_environment
from tests.echo_bundle import write_echo_bundle

START = """
import sys
sys.path.insert(0, sys.argv[1])
from mt.cli import main
main(sys.argv[2:])
"""


def seen_by_docker() -> Iterator[Path]:
    """The tracked files that .dockerignore lets into a build."""
    rules = [
        line for line in (PROJECT / ".dockerignore").read_text().split("\n") if line[:1] != "#"
    ]
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    for name in tracked.splitlines():
        seen = True
        for rule in filter(None, rules):
            pattern = rule.removeprefix("!")
            if fnmatch.fnmatch(name, pattern) or name.startswith(pattern + "/"):
                seen = rule.startswith("!")
        if seen:
            yield Path(name)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel and the libraries of the extra `serve`, and nothing else of ours."""
    context = tmp_path_factory.mktemp("context")
    for name in seen_by_docker():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, context / name)
    wheels = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(wheels), "."]
    done = subprocess.run(command, cwd=context, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = make_environment(tmp_path_factory.mktemp("venv") / "site", "serve")
    for link in environment.glob("*seq2serve*"):
        link.unlink()
    (wheel,) = wheels.glob("seq2serve-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(environment)
    return environment


def test_a_build_sees_only_what_it_needs() -> None:
    tops = {name.parts[0] for name in seen_by_docker()}
    assert tops == {"pyproject.toml", "README.md", "LICENSE", "mt", "serving", "training", "deploy"}
    assert not [name for name in seen_by_docker() if name.parts[:2] == ("training", "results")]


def test_what_the_image_installs_serves(installed: Path, tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    command = [sys.executable, "-I", "-S", "-c", START, str(installed), "serve"]
    with subprocess.Popen(
        [*command, str(tmp_path / "echo"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\w.:]+", process.stdout.readline())
            assert found is not None
            url = found.group()
            answer = httpx.post(f"{url}/v1/translate", json=REQUEST, timeout=60)
            assert answer.json()["translations"] == [{"text": SENTENCE}]
            page = httpx.get(f"{url}/", timeout=60)
            script = httpx.get(f"{url}/web/app.js", timeout=60)
        finally:
            process.terminate()
        assert process.wait(60) == 0
    assert "web/app.js" in page.text
    assert script.status_code == 200


def test_every_verb_is_in_the_wheel(installed: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", START, str(installed), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^ +top ", done.stdout, re.M)
    assert "pip install 'seq2serve[train]'" in done.stdout  # torch is not there
