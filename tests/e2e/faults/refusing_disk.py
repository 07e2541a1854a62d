"""Training on a disk that is full or may only be read: it says so, and goes on when that is mended.

Runs by itself, in a mount namespace of its own: unshare --map-root-user --mount python -m
tests.e2e.faults.refusing_disk FOLDER
"""

import json
import subprocess
import sys
from pathlib import Path

from mt.errors import MTError
from tests.killable_run import CHANGES, weights
from tests.tiny_run import tiny_recipe, write_corpus
from training.train import train

SIZES_KIB = (64, 256, 512)  # too little for the tokenizer, the data, all checkpoints
ENOUGH_KIB = 65_536


def main() -> None:
    """Print what came of each disk as JSON."""
    folder = Path(sys.argv[1])
    write_corpus(folder)
    train(tiny_recipe(folder, **CHANGES), folder / "undisturbed")
    expected = weights(folder / "undisturbed")
    for size in SIZES_KIB:
        run = _mounted(folder / f"full-{size}", size)
        _report(f"{size} KiB", folder, run, f"size={ENOUGH_KIB}k", expected)
    run = _mounted(folder / "read-only", ENOUGH_KIB)
    _remount(run, "ro")
    _report("read-only", folder, run, "rw", expected)


def _report(disk: str, corpus: Path, run: Path, mending: str, expected: dict[str, str]) -> None:
    """Train on a disk that refuses, mend it by a mount option, and train again."""
    found: dict[str, object] = {"disk": disk, "error": None}
    try:
        train(tiny_recipe(corpus, **CHANGES), run)
    except MTError as error:
        found |= {"error": str(error), "kind": type(error).__name__}
    _remount(run, mending)
    train(tiny_recipe(corpus, **CHANGES), run)
    print(json.dumps(found | {"bit_equal": weights(run) == expected}), flush=True)


def _mounted(folder: Path, size_kib: int) -> Path:
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder))
    return folder


def _remount(folder: Path, option: str) -> None:
    _run("mount", "-o", f"remount,{option}", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
