"""`seq2serve serve`: bundles over HTTP."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mt.config import validate
from mt.errors import ConfigError
from serving.settings import ServeSettings, load

RAY_LOG_LINES = {"RAY_DEDUP_LOGS": "0", "RAY_DISABLE_WORKER_LOG_PREFIX": "1"}
"""So that the replicas' log is here as they wrote it. Ray reads this when it is imported."""
PATH = click.Path(path_type=Path)
KEYS = {
    "host": "host",
    "port": "port",
    "replicas": "replicas",
    "threads": "engine.threads",
    "precision": "engine.precision",
    "shortlist": "engine.shortlist",
    "beam_size": "search.beam_size",
    "data_dir": "data_dir",
}


@click.command()
@click.argument("bundles", nargs=-1, type=PATH)
@click.option("--settings", "file", type=PATH, help="YAML file; arguments and flags win over it")
@click.option("--host", help="address to listen on  [127.0.0.1]")
@click.option("--port", type=int, help="0: any free one, not with --ray  [8000]")
@click.option("--threads", type=int, help="threads inside one model step  [1]")
@click.option("--precision", help="graphs to run  [the bundle's default]")
@click.option(
    "--shortlist", is_flag=True, default=None, help="score what each sentence may need, not all"
)
@click.option("--beam-size", type=int, help="where a request names none  [5]")
@click.option("--data-dir", help="folder for keys, usage and memory  [none of them]")
@click.option("--replicas", type=int, help="processes, with --ray  [1]")
@click.option("--ray", is_flag=True, help="run on a local Ray Serve of its own")
def serve(bundles: Sequence[Path], file: Path | None, ray: bool, **flags: str | int | None) -> int:
    """Answer over HTTP with one BUNDLE or several, until SIGTERM or Ctrl-C."""
    settings = _serve_settings(bundles, file, flags)
    if ray:
        os.environ.update(RAY_LOG_LINES)
        from serving import replica  # Ray takes a second to import

        return replica.run(settings)
    if settings.replicas > 1:
        raise ConfigError("several replicas need --ray; the embedded server is one process")
    from serving import embedded

    return embedded.run(settings)


def _serve_settings(
    bundles: Sequence[Path], file: Path | None, flags: dict[str, str | int | None]
) -> ServeSettings:
    """The settings file, with bundles and flags laid over it."""
    given: dict[str, Any] = {
        KEYS[name]: value for name, value in flags.items() if value is not None
    }
    if bundles:
        given["bundles"] = [{"path": str(path)} for path in bundles]
    if file is not None:
        return load(file, [f"{key}={json.dumps(value)}" for key, value in given.items()])
    if not bundles:
        raise ConfigError("name at least one BUNDLE, or a file with --settings")
    return validate(_nested(given), ServeSettings, where="serve")


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as sections."""
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *section, last = key.split(".")
        place = values.setdefault(section[0], {}) if section else values
        place[last] = value
    return values
