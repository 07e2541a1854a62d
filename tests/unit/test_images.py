"""The images of deploy/, as far as they can be checked without building one."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.settings import load
from tests.e2e.environment import PROJECT, closure

DEPLOY = PROJECT / "deploy"
TARGETS = ("serve-cpu", "serve-gpu", "train")
LOCKS = {"serve": ("serve", "trace", "redis"), "gpu": ("gpu",), "train": ("train",)}
PINNED = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", re.M)
VERSION = re.compile(r"\d+\.\d+")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, the first being its base."""
    found: dict[str, list[str]] = {}
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    for line in lines:
        if line.startswith("FROM "):
            _, base, _, name = line.split()
            found[name] = [base]
        elif found and line and not line.startswith("#"):
            found[name].append(" ".join(line.split()))
    return found


def whole(target: str) -> list[str]:
    """A stage's instructions and those of the stages it stands on."""
    base, *instructions = stages()[target]
    return [*(whole(base) if base in stages() else [base]), *instructions]


@cache
def locked(name: str) -> dict[str, str]:
    text = (DEPLOY / "locks" / f"{name}.lock").read_text()
    found = {canonical(one): version for one, version, _ in PINNED.findall(text)}
    assert len(found) == text.count("==")  # nothing is there without a hash
    return found


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(program), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_small_pinned_and_nobodys_root(target: str) -> None:
    base, *instructions = whole(target)
    assert base == "${PYTHON}"
    users = [line.split()[1] for line in instructions if line.startswith("USER ")]
    assert users == ["10001:10001"]
    copied = [line for line in stages()[target] if line.startswith("COPY ")]
    assert copied == [f"COPY --from={target}-installed /opt/venv /opt/venv"]  # no compiler, no pip
    assert 'ENTRYPOINT ["seq2serve"]' in instructions
    installs = [line for line in whole(f"{target}-installed") if "pip install" in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_the_base_has_an_exact_tag_and_room_for_a_digest() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG PYTHON=python:(\S+)$", text, re.M)
    assert re.fullmatch(r"3\.11\.\d+-slim-\w+", base)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_the_tested_versions(lock: str) -> None:
    text = (PROJECT / "constraints.txt").read_text()
    tested = {
        canonical(one): version for one, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)
    }
    for name, version in locked(lock).items():
        assert version == tested.get(name, version), f"{name}: run deploy/locks/compile.sh"


def test_the_locks_hold_all_that_is_needed() -> None:
    there = set(locked("serve"))
    needed = closure("seq2serve", frozenset(LOCKS["serve"])).keys() - {"seq2serve"}
    assert {canonical(name) for name in needed} <= there, "run deploy/locks/compile.sh"
    there |= locked("train").keys()
    needed = closure("seq2serve", frozenset({"train", "ray"})).keys() - {"seq2serve"}
    assert {canonical(name) for name in needed} <= there, "run deploy/locks/compile.sh"
    assert {"nvidia-cudnn-cu13", "nvidia-cublas"} <= locked("gpu").keys()


def test_what_the_build_copies_is_let_in() -> None:
    allowed = (PROJECT / ".dockerignore").read_text().split()
    for line in stages()["wheel"] + stages()["serve-libraries"]:
        if line.startswith("COPY "):
            *sources, _ = line.split()[1:]
            for source in sources:
                assert (PROJECT / source).exists()
                assert any(source.startswith(one[1:]) for one in allowed if one.startswith("!"))


@cache
def compose() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return values


def test_compose_is_hardened_and_open_to_this_machine_only() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        _, _, tag = service["image"].rpartition(":")
        assert VERSION.search(tag) or service["build"]["target"] == tag


def test_compose_mounts_what_is_there() -> None:
    for service in compose()["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists()
            elif not source.startswith("${"):
                assert source in compose()["volumes"]


def test_the_settings_of_compose_fit_its_volumes() -> None:
    settings = load(DEPLOY / "compose-settings.yaml")
    server = compose()["services"]["seq2serve"]
    places = [
        volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in server["volumes"]
    ]
    assert settings.data_dir in places
    assert all(str(Path(one.path).parent) in places for one in settings.bundles)
    assert float(server["stop_grace_period"].removesuffix("s")) > settings.drain_timeout_s


def test_the_script_of_the_locks_is_sound() -> None:
    shell = shutil.which("sh")
    assert shell is not None
    script = DEPLOY / "locks" / "compile.sh"
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
