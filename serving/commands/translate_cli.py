"""`seq2serve translate`: lines and files, by a bundle or by a server.

With a server nothing is imported but what the client's extra brings.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click
from click.core import ParameterSource

from mt.config import validate
from mt.errors import ConfigError

if TYPE_CHECKING:
    from serving.commands.file_jobs import FileJob

PATH = click.Path(path_type=Path)
_SAY_NOTHING = {  # of each way to translate: the flags that belong to another
    "--ray": {"server", "source", "target", "model", "glossary", "kind", "scores", "batch"},
    "--server": {"precision", "threads", "actors", "field"},
    "a BUNDLE": {"source", "target", "model", "glossary", "actors", "field"},
}


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
@click.option("--ray", is_flag=True, help="large FILES, by Ray Data on RAY_ADDRESS or this machine")
@click.option("--actors", type=click.IntRange(1), help="of --ray  [as many as cores allow]")
@click.option("--field", default="text", show_default=True, help="of --ray: JSON lines, Parquet")
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
    ray: bool,
    actors: int | None,
    field: str,
    **search: int | float | None,
) -> None:
    """Translate lines or files, by a BUNDLE or by a server.

    Without --out one of FILES, or standard input, is read line by line, and every line becomes one
    on standard output (with --n-best N or --samples N, N lines). With --out whole FILES of any kind
    that a server takes (patterns and folders too) are translated; those that are there already are
    left alone, so that an interrupted run goes on where it stopped.

    With --ray large FILES (.jsonl and .parquet, which gain a field `translation`; others are lines)
    are cut into shards for many processes or machines, and a finished shard is never done again.

    An API key for a server is read from SEQ2SERVE_API_KEY.
    """
    given = {name: value for name, value in search.items() if value is not None}
    work = Work(out, kind, scores, batch)
    if ray:
        _refuse_others("--ray")
        _in_bulk(
            inputs,
            work,
            given,
            {"precision": precision, "threads": threads},
            (actors, field),
        )
        return
    if server is not None:
        _refuse_others("--server")
        _by_server(server, source, target, (model, glossary), inputs, work, given)
        return
    if not inputs:
        raise click.UsageError("Missing argument 'BUNDLE', or name a server by --server.")
    _refuse_others("a BUNDLE")
    _by_bundle(inputs[0], inputs[1:], work, given, {"precision": precision, "threads": threads})


def _refuse_others(way: str) -> None:
    """Flags that were given and would say nothing."""
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name in _SAY_NOTHING[way]
        and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise ConfigError(f"{way} goes without {', '.join(given)}")


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
        if self.scores:
            raise ConfigError("--scores is for lines; leave it out with --out")
        return f".{self.kind.removeprefix('.')}" if self.kind else ""

    def jobs(self, files: Sequence[str]) -> "list[FileJob]":
        """The files. Raises ConfigError: there are none, or they do not go together."""
        from serving.commands import file_jobs

        if not files or self.out is None:
            raise ConfigError("name the files to translate")
        return file_jobs.plan(files, self.out)


def _by_bundle(
    bundle: str,
    files: Sequence[str],
    work: Work,
    search: dict[str, Any],
    engine: dict[str, Any],
) -> None:
    from mt.search_options import SearchOptions  # with numpy, which no client needs
    from serving.settings import EngineSettings

    options = validate(search, SearchOptions, where="translate")
    chosen = validate(engine, EngineSettings, "translate")
    if work.ending is not None:
        if max(options.n_best, options.samples) > 1:
            raise ConfigError("a file has one translation; leave --n-best and --samples out")
        from serving.commands import local_files  # with ONNX Runtime

        jobs = work.jobs(files)
        local_files.translate(Path(bundle), chosen, options, jobs, work.ending or None)
        return
    from serving.commands import lines

    with _reading(files) as source:
        lines.translate(Path(bundle), chosen, options, source, work.batch, work.scores)


def _in_bulk(
    inputs: Sequence[str],
    work: Work,
    search: dict[str, Any],
    engine: dict[str, Any],
    chosen: tuple[int | None, str],
) -> None:
    from mt.search_options import SearchOptions
    from serving.bulk import bulk, tables
    from serving.bulk.shards import Order
    from serving.commands import file_jobs
    from serving.settings import EngineSettings

    if len(inputs) < 2 or work.out is None:
        raise ConfigError("--ray needs a BUNDLE, FILES and --out")
    options = validate(search, SearchOptions, where="translate")
    settings = validate(engine, EngineSettings, "translate")
    actors, field = chosen
    order = Order(Path(inputs[0]).resolve(), settings, options, field)
    jobs = file_jobs.plan(inputs[1:], work.out, tables.ENDINGS)
    bulk.run(jobs, order, bulk.workers(True, actors))


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
