"""The verbs that use bundles: `serve` answers over HTTP, `translate` reads lines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from mt.config import validate
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from serving.settings import EngineSettings, ServeSettings, load

PATH = click.Path(path_type=Path)
KEYS = {
    "host": "host",
    "port": "port",
    "replicas": "replicas",
    "threads": "engine.threads",
    "precision": "engine.precision",
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
@click.option("--beam-size", type=int, help="where a request names none  [5]")
@click.option("--data-dir", help="folder for keys, usage and memory  [none of them]")
@click.option("--replicas", type=int, help="processes, with --ray  [1]")
@click.option("--ray", is_flag=True, help="run on a local Ray Serve of its own")
def serve(bundles: Sequence[Path], file: Path | None, ray: bool, **flags: str | int | None) -> int:
    """Answer over HTTP with one BUNDLE or several, until SIGTERM or Ctrl-C."""
    settings = _serve_settings(bundles, file, flags)
    if ray:
        from serving import replica  # Ray takes a second to import

        return replica.run(settings)
    if settings.replicas > 1:
        raise ConfigError("several replicas need --ray; the embedded server is one process")
    from serving import embedded

    return embedded.run(settings)


@click.command()
@click.argument("bundle", type=PATH)
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--beam-size", type=int, help="1 is greedy  [5]")
@click.option("--n-best", type=int, help="lines out for a line in  [1]")
@click.option("--length-penalty", type=float, default=1.0, show_default=True)
@click.option("--samples", type=int, help="draw so many lines out for a line in; no beam search")
@click.option("--temperature", type=float, help="of samples: below 1 safer, above more varied  [1]")
@click.option("--top-k", type=int, help="of samples: draw among so many best pieces  [all]")
@click.option("--top-p", type=float, help="of samples: among those of this probability  [1]")
@click.option("--seed", type=int, help="of samples: another one draws anew  [0]")
@click.option("--scores", is_flag=True, help="write the score and a tab before each translation")
@click.option("--precision", help="graphs to run  [the bundle's default]")
@click.option("--threads", type=int, default=1, show_default=True, help="of one model step")
@click.option(
    "--batch", type=click.IntRange(1), default=256, show_default=True, help="lines read at once"
)
def translate(
    bundle: Path,
    file: BinaryIO,
    scores: bool,
    batch: int,
    precision: str | None,
    threads: int,
    **search: int | float | None,
) -> None:
    """Translate FILE, or standard input, line by line to standard output.

    Blank lines stay and the order stays. With --n-best N or --samples N every line gives N lines.
    """
    from serving import lines  # with ONNX Runtime

    given = {name: value for name, value in search.items() if value is not None}
    options = validate(given, SearchOptions, where="translate")
    engine = validate({"precision": precision, "threads": threads}, EngineSettings, "translate")
    lines.translate(bundle, engine, options, file, batch, scores)


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
