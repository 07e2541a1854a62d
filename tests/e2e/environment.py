"""An environment with exactly what one extra of this project declares, made of symbolic links.

Fast and offline: it proves both that nothing undeclared is imported and that the other half's
libraries are not needed.
"""

import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2]


def closure(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """Every distribution that `name[extras]` needs, by normalised name, itself included."""
    found: dict[str, Distribution] = {}
    _collect(name, extras, found, set())
    return found


def _collect(
    name: str,
    extras: frozenset[str],
    found: dict[str, Distribution],
    seen: set[tuple[str, frozenset[str]]],
) -> None:
    key = name.lower().replace("_", "-")
    if (key, extras) in seen:
        return
    seen.add((key, extras))
    try:
        found[key] = distribution(name)
    except PackageNotFoundError:
        return  # an optional part that pip did not install either
    for line in found[key].requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            _collect(requirement.name, frozenset(requirement.extras), found, seen)


def make_environment(folder: Path, extra: str) -> Path:
    """Link the files of `seq2serve[extra]` into `folder` and return it."""
    folder.mkdir(parents=True)
    for dist in closure("seq2serve", frozenset({extra})).values():
        for top in {file.parts[0] for file in dist.files or [] if file.parts[0] != ".."}:
            link = folder / top
            if not link.exists() and top.endswith((".pth", "__pycache__")) is False:
                link.symlink_to(Path(str(dist.locate_file(top))))
    return folder


def run_in(environment: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code that sees only `environment`, the standard library and this project."""
    prelude = f"import sys; sys.path[:0] = [{str(PROJECT)!r}, {str(environment)!r}]\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
