"""`seq2serve memory`: read and write the translation memory, beside a server that runs."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from mt.errors import ConfigError
from serving.settings import load
from serving.stores import tmx
from serving.stores.api_keys import ApiKeys
from serving.stores.memory_store import SHARED, Entry, MemoryStore, Pair, problem

PATH = click.Path(path_type=Path)
PAGE = 1_000
KEY = click.option("--key", "name", help="a key, by name or id  [everybody]")


@click.group(no_args_is_help=True)
@click.option("--data-dir", type=PATH, help="the server's folder")
@click.option("--settings", "file", type=PATH, help="the server's YAML file, which names it")
@click.pass_context
def memory(ctx: click.Context, data_dir: Path | None, file: Path | None) -> None:
    """Translations that people made; changes hold at once, also where a server is running."""
    if data_dir is None and file is not None:
        named = load(file).data_dir
        data_dir = Path(named) if named else None
    if data_dir is None:
        raise ConfigError("name the server's folder with --data-dir, or its file with --settings")
    store = MemoryStore(data_dir)
    ctx.call_on_close(store.close)
    ctx.obj = store, data_dir


@memory.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--source", help="language translated from  [as the file says]")
@click.option("--target", help="language translated into  [every other one]")
@KEY
@click.pass_context
def import_tmx(
    ctx: click.Context,
    /,
    file: BinaryIO,
    source: str | None,
    target: str | None,
    name: str | None,
) -> None:
    """Keep the translations of a TMX FILE, for a key or for everybody.

    What is empty or too long is left out and counted. A text that is kept already gets the new
    translation, so a file may be read twice.
    """
    store, data_dir = ctx.obj
    left_out = 0

    def fitting(pairs: Iterable[Pair]) -> Iterator[Pair]:
        nonlocal left_out
        for pair in pairs:
            if problem(pair) is None:
                yield pair
            else:
                left_out += 1

    added = store.add(_owner(data_dir, name), fitting(tmx.read(file, source, target)), "import")
    click.echo(f"{added} kept, {left_out} left out")


@memory.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=False), default="-")
@KEY
@click.pass_context
def export_tmx(ctx: click.Context, file: TextIO, name: str | None) -> None:
    """Write what a key sees, or what is shared, as TMX to FILE or standard output."""
    store, data_dir = ctx.obj
    owner = _owner(data_dir, name)
    written = tmx.write((entry.pair for entry in _entries(store, owner)), file)
    click.echo(f"{written} written", file=sys.stderr)


@memory.command()
@click.pass_context
def suggestions(ctx: click.Context) -> None:
    """One line for each suggestion of visitors, with tabs: id, languages, text, translation."""
    store, _ = ctx.obj
    for entry in _entries(store, SHARED):
        if entry.origin == "suggestion":
            pair = entry.pair
            shown = [" ".join(text.split()) for text in (pair.text, pair.translation)]
            click.echo("\t".join([str(entry.entry_id), f"{pair.source}-{pair.target}", *shown]))


@memory.command()
@click.argument("entry_ids", nargs=-1, required=True, type=int)
@click.pass_context
def accept(ctx: click.Context, entry_ids: tuple[int, ...]) -> None:
    """Let suggestions stand in for the model from now on."""
    store, _ = ctx.obj
    missing = [str(one) for one in entry_ids if not store.accept(one)]
    if missing:
        raise ConfigError(f"no suggestion has the id {', '.join(missing)}; the others are accepted")


@memory.command()
@click.argument("entry_ids", nargs=-1, required=True, type=int)
@KEY
@click.pass_context
def delete(ctx: click.Context, entry_ids: tuple[int, ...], name: str | None) -> None:
    """Forget entries, of a key or of everybody."""
    store, data_dir = ctx.obj
    owner = _owner(data_dir, name)
    missing = [str(one) for one in entry_ids if not store.delete(owner, one)]
    if missing:
        raise ConfigError(f"no entry has the id {', '.join(missing)}; the others are deleted")


def _entries(store: MemoryStore, owner: str) -> Iterator[Entry]:
    after = 0
    while page := store.entries(owner, after, PAGE):
        yield from page
        after = page[-1].entry_id


def _owner(data_dir: Path, name: str | None) -> str:
    if name is None:
        return SHARED
    keys = ApiKeys(data_dir)
    try:
        return keys.find(name).key_id
    finally:
        keys.close()
