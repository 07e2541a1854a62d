"""The embedded server: one process, uvicorn, loopback unless told otherwise."""

import socket
import time
from types import FrameType

import click
import uvicorn

from mt import log
from mt.errors import ConfigError
from serving.announcement import address, announcement
from serving.app import create_app
from serving.http_protocol import patience
from serving.models import Models
from serving.running.garbage import spare_what_lasts
from serving.service import Service
from serving.settings import ServeSettings

CLOSING_S = 1  # for uvicorn to send last answers and close connections


class DrainingServer(uvicorn.Server):
    """uvicorn that, told to stop, finishes what it is answering and meanwhile refuses new work.

    The socket stays open until then, so that new requests read 503 with Retry-After rather than a
    refused connection. What is not finished in time, or at a second signal, reads 503 too.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.cut_off = False
        self._service = service
        self._patience_ends = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; lose patience at the second."""
        patience_s = 0.0 if self._service.draining else self._service.settings.drain_timeout_s
        self._patience_ends = time.monotonic() + patience_s
        self._service.drain()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: stop once nothing is being answered."""
        if self._service.draining and self._service.in_flight == 0:
            self.should_exit = True
        elif time.monotonic() > self._patience_ends:
            self.should_exit = self.cut_off = True
            log.event("cut_off", requests=self._service.in_flight)
            await self._service.abandon()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the models, begin to answer, and say so."""
        await super().startup(sockets)
        spare_what_lasts()
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        click.echo(announcement(self._service.models.manifests, address(host, port)))


def run(settings: ServeSettings) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code, 1 where work was cut off.

    Raises:
        ConfigError: the address is taken or not ours.
        BundleError: a bundle cannot be opened.
    """
    with bind(settings.host, settings.port) as listening:
        models = Models.open(settings)
        app = create_app(lambda: models, settings)
        config = uvicorn.Config(
            app,
            http=patience(settings.limits.head_timeout_s),
            log_level="critical",  # what goes wrong is in our own log, without the text
            access_log=False,  # ours is one JSON line per request
            server_header=False,
            timeout_graceful_shutdown=CLOSING_S,
        )
        server = DrainingServer(config, app.state.service)
        server.run([listening])
    return int(server.cut_off)


def bind(host: str, port: int) -> socket.socket:
    """Reserve an address before anything slow happens.

    Raises:
        ConfigError: it is taken, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port"
        ) from None
    return listening
