"""Training keeps its promises where it is killed and where the disk refuses: the short forms.

Checkpoints that are damaged: tests/unit/test_train.py.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.faults.training_kills import training_kills

OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")


def test_killed_at_random_moments_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    found = training_kills(tmp_path, kills=3)
    assert found.killed == 3
    assert found.damaged == []
    assert found.ended
    assert all(weights == found.undisturbed for weights in found.ended)


def _may_mount() -> bool:
    try:
        done = subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="this machine lets nobody mount a disk of their own")
def test_a_full_or_read_only_disk_is_told_and_mended(tmp_path: Path) -> None:
    command = [*OWN_MOUNTS, sys.executable, "-m", "tests.e2e.faults.refusing_disk", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 4
    for disk in found:
        assert disk["kind"] == "CheckpointError"
        assert "\n" not in disk["error"]
        reason = "Read-only file system" if disk["disk"] == "read-only" else "No space left"
        assert reason in disk["error"]
        assert disk["bit_equal"]
    assert "Traceback" not in done.stderr
