"""Serving settings in which a promoted bundle stands where the former one stood.

Nothing of `serving` is asked: of the file only the paths of its bundles are read. It is changed as
text, so that its comments and its order stay.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mt.bundle import MANIFEST
from mt.errors import ConfigError
from training.durable_files import write_file


def check_succession(settings: Path, former: Path, bundle: Path) -> None:
    """Whether `replace_bundle` would work, before anything slow happens.

    Raises:
        ConfigError: the file is no settings file that names the former one, or the other is none.
    """
    if not (bundle / MANIFEST).is_file():
        raise ConfigError(f"{bundle} is no bundle; only an exported one can be served")
    _replaced(settings, former, bundle)


def replace_bundle(settings: Path, former: Path, bundle: Path) -> None:
    """Write the settings with the path of `bundle` instead of that of `former`.

    Raises:
        ConfigError: as `check_succession`.
        CheckpointError: the disk refuses.
    """
    write_file(settings, _replaced(settings, former, bundle).encode())


def _replaced(settings: Path, former: Path, bundle: Path) -> str:
    text = _text(settings)
    paths = _bundle_paths(text, settings)
    written = _path_of(former, paths)
    if written is None:
        named = ", ".join(paths) or "no bundle"
        raise ConfigError(f"{settings} does not name {former} once, but {named}")
    new = str(bundle if Path(written) == former else Path(written).with_name(bundle.name))
    place = re.compile(rf"(path:\s*)(['\"]?){re.escape(written)}\2(?=[\s,}}]|$)", re.MULTILINE)
    changed = place.sub(lambda found: f"{found[1]}{found[2]}{new}{found[2]}", text)
    expected = [new if path == written else path for path in paths]
    if _bundle_paths(changed, settings) != expected:
        raise ConfigError(f"{settings} cannot be changed by itself; put {new} in by hand")
    return changed


def _path_of(bundle: Path, paths: Sequence[str]) -> str | None:
    """How the settings call it: a container may see the same folder below another one."""
    same = [path for path in paths if Path(path) == bundle]
    found = same or [path for path in paths if Path(path).name == bundle.name]
    return found[0] if len(found) == 1 else None


def _text(settings: Path) -> str:
    try:
        return settings.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{settings} cannot be read ({type(error).__name__})") from None


def _bundle_paths(text: str, settings: Path) -> list[str]:
    try:
        values: Any = yaml.safe_load(text)
        return [str(one["path"]) for one in values["bundles"]]
    except (yaml.YAMLError, KeyError, TypeError):
        raise ConfigError(f"{settings} is no settings file of a server: no bundles in it") from None
