"""`seq2serve keys`: make, list, show, rotate and revoke API keys, beside a server that runs."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from mt.errors import ConfigError
from serving.settings import Allowance, load
from serving.stores.api_keys import DEFAULT_SCOPES, SCOPES, ApiKey, ApiKeys, Scope
from serving.stores.counters import open_counters
from serving.stores.meter import Meter

PATH = click.Path(path_type=Path)
HOUR_S = 3600
NO_LIMIT = "-"


@click.group(no_args_is_help=True)
@click.option("--data-dir", type=PATH, help="the server's folder")
@click.option("--settings", "file", type=PATH, help="the server's YAML file, which names it")
@click.pass_context
def keys(ctx: click.Context, data_dir: Path | None, file: Path | None) -> None:
    """API keys of a server; changes hold at once, also where it is running."""
    counters = None
    if file is not None:
        settings = load(file)
        counters = settings.keys.counters
        data_dir = data_dir or (Path(settings.data_dir) if settings.data_dir else None)
    if data_dir is None:
        raise ConfigError("name the server's folder with --data-dir, or its file with --settings")
    opened = ApiKeys(data_dir)
    ctx.call_on_close(opened.close)
    ctx.obj = opened, data_dir, counters


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES))
@click.option("--requests-per-minute", type=click.IntRange(1))
@click.option("--characters-per-minute", type=click.IntRange(1))
@click.option("--characters-per-month", type=click.IntRange(1), help="a quota, in UTC months")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="until it expires  [never]")
@click.pass_context
def create(
    ctx: click.Context,
    /,
    name: str,
    scopes: Sequence[Scope],
    days: float | None,
    **limits: int | None,
) -> None:
    """Make a key called NAME and write it to standard output, the only time it is seen.

    Without --scope it is for everything but administration. From the first key on a server whose
    keys.mode is auto serves nobody without one.
    """
    if not name.strip() or not name.isprintable():
        raise ConfigError("a name has letters, and no control characters")
    opened, *_ = ctx.obj
    expires = None if days is None else time.time() + 24 * HOUR_S * days
    _show_once(opened.create(name, scopes or DEFAULT_SCOPES, Allowance(**limits), expires))


@keys.command("list")
@click.pass_context
def list_keys(ctx: click.Context) -> None:
    """One line a key, with tabs: name, id, state, scopes, the day it was made."""
    opened, *_ = ctx.obj
    now, found = time.time(), opened.all()
    if not found:
        click.echo("no keys yet; make the first one: seq2serve keys create NAME", err=True)
    for key in found:
        day = f"{datetime.fromtimestamp(key.created, UTC):%Y-%m-%d}"
        click.echo("\t".join([key.name, key.key_id, key.state(now), _scopes(key), day]))


@keys.command()
@click.argument("name")
@click.pass_context
def show(ctx: click.Context, name: str) -> None:
    """What the key NAME, or of this id, may do, and what it has used this month."""
    opened, data_dir, address = ctx.obj
    key = opened.find(name)
    meter = Meter(open_counters(data_dir, address))
    used = meter.used(key.key_id, key.allowance).characters
    meter.close()
    for label, value in {**_facts(key), "characters this month": used}.items():
        click.echo(f"{label}: {value}")


@keys.command()
@click.argument("name")
@click.option(
    "--grace-hours",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    help="how long the former key is accepted too; 0 where it has leaked",
)
@click.pass_context
def rotate(ctx: click.Context, name: str, grace_hours: float) -> None:
    """Replace the key NAME by a new one with the same rights, and write that one."""
    opened, *_ = ctx.obj
    _show_once(opened.rotate(name, grace_hours * HOUR_S))


@keys.command()
@click.argument("name")
@click.pass_context
def revoke(ctx: click.Context, name: str) -> None:
    """Refuse the key NAME from now on, for ever."""
    opened, *_ = ctx.obj
    click.echo(f"{opened.revoke(name).name} is revoked")


def _show_once(key: str) -> None:
    click.echo(key)
    click.echo("Keep it now: it cannot be shown again.", err=True)


def _facts(key: ApiKey) -> dict[str, object]:
    limits = key.allowance.model_dump().items()
    return {
        "name": key.name,
        "id": key.key_id,
        "state": key.state(time.time()),
        "scopes": _scopes(key),
        "created": _moment(key.created),
        "expires": _moment(key.expires),
        "revoked": _moment(key.revoked),
        "former key accepted until": _moment(key.former_until),
        **{name.replace("_", " "): limit or NO_LIMIT for name, limit in limits},
    }


def _scopes(key: ApiKey) -> str:
    return ",".join(scope for scope in SCOPES if scope in key.scopes)


def _moment(seconds: float | None) -> str:
    moment = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return NO_LIMIT if moment is None else moment.isoformat(timespec="seconds")
