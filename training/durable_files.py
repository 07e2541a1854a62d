"""Files and folders written whole or not at all: aside, synced, then renamed."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from mt.errors import CheckpointError


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with these files in place of what was there.

    Raises:
        CheckpointError: the disk refuses.
    """
    fresh = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, data in files.items():
            _write_synced(fresh / name, data)
        _sync_folder(fresh)
        remove_folder(folder)
        fresh.rename(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise _refused(folder, error) from None


def write_file(path: Path, data: bytes) -> None:
    """Write one file in place of what was there.

    Raises:
        CheckpointError: the disk refuses.
    """
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(fresh, data)
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from None


def remove_folder(folder: Path) -> None:
    """Delete a folder; a kill half-way leaves no half folder under its name."""
    if folder.exists():
        doomed = folder.with_name(f".{folder.name}.old.tmp")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed writer left behind in a folder."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be written ({error.strerror}); mend that and repeat the command to continue"
    )
