"""`seq2serve top`: a running server in the terminal."""

import sys
import time

import click
import httpx
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from mt.errors import ConfigError, MTError, UnavailableError
from serving.commands.dashboard import view
from serving.commands.snapshot import Snapshot, Window

TIMEOUT_S = 10.0
WIDE = 160  # columns, where the output goes to no terminal


@click.command()
@click.argument("server", default="http://127.0.0.1:8000")
@click.option("--once", is_flag=True, help="print the figures since the start, and end")
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    help="seconds between two looks",
)
def top(server: str, once: bool, interval: float) -> None:
    """Show what SERVER does: requests, latency, queues, models, replicas. Ctrl-C ends it.

    One address is enough: whichever replica answers there knows the figures of all.
    """
    if not server.startswith(("http://", "https://")):
        raise ConfigError("SERVER is an address as http://127.0.0.1:8000")
    width = None if sys.stdout.isatty() else WIDE
    console = Console(width=width, markup=False, emoji=False, highlight=False)  # names as they are
    if once or not console.is_terminal:
        console.print(view(Window(look(server)), server))
        return
    watch(console, server, interval)


def watch(console: Console, server: str, interval: float) -> None:
    """Draw anew after each interval until Ctrl-C; the first screen tells what was before."""
    first = look(server)
    before: Snapshot | None = first
    with Live(_screen(first, None, server), console=console, screen=True) as live:
        try:
            while True:
                time.sleep(interval)
                try:
                    now = look(server)
                except MTError as error:  # it may come back
                    live.update(Text(f"{server}: {error}", "red"), refresh=True)
                    before = None
                else:
                    live.update(_screen(now, before, server), refresh=True)
                    before = now
        except KeyboardInterrupt:
            return


def _screen(now: Snapshot, before: Snapshot | None, server: str) -> RenderableType:
    return view(Window(now, before), server)


def look(server: str) -> Snapshot:
    """The metrics as they are.

    Raises:
        UnavailableError: nobody answers there, or somebody else.
    """
    address = server.removesuffix("/metrics").rstrip("/") + "/metrics"
    try:
        answer = httpx.get(address, timeout=TIMEOUT_S, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError(f"no answer from the server ({type(error).__name__})") from None
    if not answer.is_success:
        raise UnavailableError(f"the server has no metrics for us: HTTP {answer.status_code}")
    return Snapshot.parse(answer.text, time.time())
