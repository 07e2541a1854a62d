"""Many files, one after another: which they are, where each goes, what is done already."""

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from tqdm import tqdm

from mt.errors import ConfigError, MTError

ENDINGS = (
    ".txt", ".html", ".htm", ".xhtml", ".md", ".srt", ".vtt", ".json", ".arb", ".po", ".pot",
    ".xlf", ".xliff", ".docx", ".odt", ".epub",
)  # fmt: skip
"""Of the files that are taken from a folder: those of `serving.file_formats`."""

Report = Callable[[float], None]
"""Is told how much of a file is done, 0 to 1."""


@dataclass(frozen=True)
class FileJob:
    """A file, and where its translation goes."""

    source: Path
    target: Path

    @property
    def note(self) -> Path:
        """Where a job may keep what it needs to go on after an interruption."""
        return self.target.with_name(f".{self.target.name}.job")


def plan(inputs: Sequence[str], out: Path, endings: Sequence[str] = ENDINGS) -> list[FileJob]:
    """Files, folders (with all that is in them) and patterns, as jobs.

    endings: of the files that are taken from a folder. Several go below `out`, laid out as they
    were; a single file goes to it, or into it where it is a folder.

    Raises:
        ConfigError: there is no such file; two would go to the same place, or one to its own.
    """
    found = [(one, root) for given in inputs for one, root in _files(given, endings)]
    alone = len(found) == 1 and Path(inputs[0]).is_file() and not out.is_dir()
    jobs = [FileJob(one, out if alone else out / one.relative_to(root)) for one, root in found]
    jobs = list(dict.fromkeys(jobs))
    targets = [job.target.resolve() for job in jobs]
    for job, target in zip(jobs, targets, strict=True):
        if targets.count(target) > 1:
            raise ConfigError(f"several files would be written to {job.target}; give other names")
        if target == job.source.resolve():
            raise ConfigError(f"{job.source} would be overwritten; choose another --out")
    return jobs


def run(jobs: Sequence[FileJob], translate: Callable[[FileJob, Report], bytes]) -> None:
    """Translate every file that has not been; one that fails does not stop the others.

    A translation is written whole or not at all, so that what is there is done.

    Raises:
        ConfigError: some could not be translated; each was named on standard error.
    """
    left = [job for job in jobs if not job.target.exists()]
    failed = 0
    with tqdm(total=len(jobs), initial=len(jobs) - len(left), unit="file", disable=None) as bar:
        for job in left:
            try:
                _write(job.target, translate(job, _reporter(bar)))
                job.note.unlink(missing_ok=True)
            except MTError as error:
                failed += 1
                bar.clear()
                click.echo(f"{job.source}: {error}", err=True)
            bar.n = len(jobs) - len(left) + left.index(job) + 1
            bar.refresh()
    if failed:
        raise ConfigError(f"{failed} of {len(jobs)} files failed; the others are written")


def read(path: Path) -> bytes:
    """A file's content.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _files(given: str, endings: Sequence[str]) -> Iterable[tuple[Path, Path]]:
    """Each file, and the folder that its place is told from."""
    path = Path(given)
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in endings)
        return [(one, path) for one in inside if one.is_file()]
    if path.is_file():
        return [(path, path.parent)]
    matched = sorted(Path(one) for one in glob.glob(given, recursive=True))  # noqa: PTH207 - absolute ones too
    files = [one for one in matched if one.is_file()]
    if not files:
        raise ConfigError(f"no file {given}")
    return [(one, _fixed_part(given)) for one in files]


def _fixed_part(pattern: str) -> Path:
    """The folder before a pattern's first special character."""
    parts = Path(pattern).parts
    special = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:special])


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(content)
        os.replace(part, target)  # noqa: PTH105 - the name says that it replaces
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from None


def _reporter(bar: "tqdm[object]") -> Report:
    before = bar.n

    def report(share: float) -> None:
        bar.n = before + min(share, 0.99)
        bar.refresh()

    return report
