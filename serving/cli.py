"""The verbs that use bundles: `serve` answers over HTTP, `translate` reads lines and files."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from mt.config import validate
from mt.errors import ConfigError
from mt.search_options import SearchOptions
from serving.settings import EngineSettings, ServeSettings, load

if TYPE_CHECKING:
    from serving.commands.file_jobs import FileJob

RAY_LOG_LINES = {"RAY_DEDUP_LOGS": "0", "RAY_DISABLE_WORKER_LOG_PREFIX": "1"}
"""So that the replicas' log is here as they wrote it. Ray reads this when it is imported."""
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
        os.environ.update(RAY_LOG_LINES)
        from serving import replica  # Ray takes a second to import

        return replica.run(settings)
    if settings.replicas > 1:
        raise ConfigError("several replicas need --ray; the embedded server is one process")
    from serving import embedded

    return embedded.run(settings)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[BUNDLE] [FILES]...")
@click.option("--server", help="address of a server that translates, in place of a BUNDLE")
@click.option("--source", default="auto", show_default=True, help="language, of a server only")
@click.option("--target", help="language wanted, of a server only")
@click.option("--model", help="of a server only  [the first of the pair]")
@click.option("--glossary", help="of a server only: the id of one whose terms hold")
@click.option("--out", type=PATH, help="write whole FILES there: a file, or a folder of them")
@click.option(
    "--format", "kind", help="`lines`, or what all FILES are, as srt  [with --out: by their names]"
)
@click.option("--beam-size", type=int, help="1 is greedy  [5]")
@click.option("--n-best", type=int, help="lines out for a line in  [1]")
@click.option("--length-penalty", type=float, help="of longer translations  [1.0]")
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
    inputs: Sequence[str],
    server: str | None,
    source: str,
    target: str | None,
    model: str | None,
    glossary: str | None,
    out: Path | None,
    kind: str | None,
    scores: bool,
    batch: int,
    precision: str | None,
    threads: int,
    **search: int | float | None,
) -> None:
    """Translate lines or files, by a BUNDLE or by a server.

    Without --out one of FILES, or standard input, is read line by line, and every line becomes one
    on standard output (with --n-best N or --samples N, N lines). With --out whole FILES of any kind
    that a server takes (patterns and folders too) are translated; those that are there already are
    left alone, so that an interrupted run goes on where it stopped.

    An API key for a server is read from SEQ2SERVE_API_KEY.
    """
    given = {name: value for name, value in search.items() if value is not None}
    work = Work(out, kind, scores, batch)
    if server is not None:
        _by_server(server, source, target, (model, glossary), inputs, work, given)
        return
    if not inputs:
        raise click.UsageError("Missing argument 'BUNDLE', or name a server by --server.")
    options = validate(given, SearchOptions, where="translate")
    engine = validate({"precision": precision, "threads": threads}, EngineSettings, "translate")
    bundle, files = Path(inputs[0]), inputs[1:]
    if work.ending is not None:
        from serving.commands import local_files  # with ONNX Runtime

        local_files.translate(bundle, engine, options, work.jobs(files), work.ending or None)
        return
    from serving.commands import lines

    with _reading(files) as source_lines:
        lines.translate(bundle, engine, options, source_lines, batch, scores)


@dataclass(frozen=True)
class Work:
    """What `translate` reads and writes."""

    out: Path | None
    kind: str | None
    scores: bool
    batch: int

    @property
    def ending(self) -> str | None:
        """Of whole files: what they are, empty: by their names. None: lines are translated."""
        if self.out is None:
            if self.kind not in (None, "lines"):
                raise ConfigError(f"--format {self.kind} is for whole files; name --out too")
            return None
        if self.kind == "lines":
            raise ConfigError("lines go to standard output; leave --out or --format lines out")
        return f".{self.kind.removeprefix('.')}" if self.kind else ""

    def jobs(self, files: Sequence[str]) -> "list[FileJob]":
        """The files. Raises ConfigError: there are none, or they do not go together."""
        from serving.commands import file_jobs

        if not files or self.out is None:
            raise ConfigError("name the files to translate")
        return file_jobs.plan(files, self.out)


def _by_server(
    server: str,
    source: str,
    target: str | None,
    chosen: tuple[str | None, str | None],
    files: Sequence[str],
    work: Work,
    search: dict[str, Any],
) -> None:
    try:
        from serving.client import Client
        from serving.client.calls import Options
        from serving.commands import remote
    except ModuleNotFoundError as error:
        raise ConfigError(f"--server needs {error.name}: pip install 'seq2serve[client]'") from None
    if target is None:
        raise ConfigError("name the language wanted by --target")
    wanted = remote.Wanted(source, target, *chosen)
    with Client(server, retries=remote.PATIENCE) as client:
        if work.ending is not None:
            if search:
                raise ConfigError("search options are for lines; leave them out with --out")
            remote.translate_files(client, wanted, work.jobs(files), work.ending or None)
            return
        with _reading(files) as source_lines:
            remote.translate_lines(client, wanted, cast(Options, search), source_lines, work.scores)


@contextmanager
def _reading(files: Sequence[str]) -> Iterator[BinaryIO]:
    """The lines of one file, or of standard input."""
    if len(files) > 1:
        raise ConfigError("several files need --out; lines are read of one")
    if not files or files[0] == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(files[0]).open("rb") as opened:
            yield opened
    except OSError as error:
        raise click.BadParameter(f"'{files[0]}': {error.strerror}") from None


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
