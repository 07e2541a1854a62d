"""Ray Serve: the same application in replicas. The only module that imports Ray but shared_board.

One deployment holds everything: HTTP, all bundles, an engine for each. A second deployment behind
the first would cost every request another hop (10 ms through Ray's default proxy, and 0.40 instead
of 0.55-0.69 of the embedded throughput through HAProxy), would need a retry loop of our own, and
another process for each model. So every replica offers every model, and `replicas` counts them all.
"""

import hashlib
import io
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import click
import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation
from ray.serve.schema import ApplicationStatus, LoggingConfig

from mt import log
from mt.attempts import RAY_STARTS, insist
from mt.config import Strict
from mt.errors import ConfigError, EngineError
from serving.announcement import address, announcement
from serving.app import create_app
from serving.embedded import bind
from serving.models import Models, check
from serving.running.garbage import spare_what_lasts
from serving.service import Service
from serving.settings import EngineSettings, ServeSettings, load
from serving.shared_board import SharedBoard
from serving.stores.access import Access
from serving.tracing import open_tracing

APP = "seq2serve"
SETTINGS_VARIABLE = "SEQ2SERVE_SETTINGS"
QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)  # we log each request ourselves
# Ray asks its proxy every ten seconds and replaces it after three failures. The new one can have
# the port only because Ray's sockets may share one (SO_REUSEPORT): else what is left of broken
# connections keeps it for a minute. That nobody else listens there is seen by `bind` before.
PROXY_HEALTH = {
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
}
RUNNING, UNHEALTHY = ApplicationStatus.RUNNING, ApplicationStatus.UNHEALTHY
OBJECT_STORE_BYTES = 100 * 1024 * 1024  # requests do not go through it


class Replica:
    """All models of the settings behind the HTTP routes, in one process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        _write_log_to_stderr()
        self._settings = ServeSettings.model_validate(settings)
        self._models = Models.open(self._settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = create_app(
            lambda: self._models,
            self._settings,
            echo_request_id=False,  # Ray does, with and without HAProxy
            poster=SharedBoard(),
        )
        self._service: Service = app.state.service
        spare_what_lasts()
        return app

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Ray hands `user_config` to every replica: `draining: true` refuses what is new with 503.

        Returns when what was accepted before is answered, or `drain_timeout_s` is over.
        """
        if user_config.get("draining"):
            self._service.drain()
            await self._service.wait_until_idle(self._settings.drain_timeout_s)

    def check_health(self) -> None:
        """Ask the engines' heartbeats; Ray replaces a replica that fails this.

        Raises:
            EngineError: an engine is stuck or dead.
        """
        if not self._models.healthy():
            raise EngineError("an engine is stuck or dead")


def _write_log_to_stderr() -> None:
    """Where Serve logs to files it makes sys.stderr one of them, at a level that QUIET drops."""
    if not isinstance(sys.stderr, io.TextIOBase) and sys.__stderr__ is not None:
        sys.stderr = sys.__stderr__


class Arguments(Strict):
    """`args` of an application in a Ray Serve configuration file."""

    settings: Path | None = None
    """Settings file; without it the one that SEQ2SERVE_SETTINGS names."""
    release: str = ""
    """Changes nothing but itself: Ray reloads an application only when its arguments change."""


def build(arguments: Arguments) -> serve.Application:
    """What `serve run deploy/serve.yaml` calls.

    Raises:
        ConfigError: no settings file is named, or it is wrong.
    """
    file = arguments.settings or os.environ.get(SETTINGS_VARIABLE)
    if not file:
        raise ConfigError(f"name a settings file in args.settings or in {SETTINGS_VARIABLE}")
    return application(load(Path(file)))


def application(settings: ServeSettings, draining: bool = False) -> serve.Application:
    """The one deployment of these settings; draining: as `Replica.reconfigure`, all at once.

    Its version comes of the settings, so that Ray tells running replicas to drain and keeps them.
    """
    values = settings.model_dump(mode="json")
    deployment = serve.deployment(
        name="Replica",
        num_replicas=settings.replicas,
        max_ongoing_requests=settings.max_ongoing_requests,  # Ray's default, 5, starves batching
        ray_actor_options={"num_cpus": _cpus(settings), "num_gpus": _gpus(settings)},
        health_check_period_s=5,
        health_check_timeout_s=10,
        graceful_shutdown_timeout_s=settings.drain_timeout_s,
        logging_config=QUIET,
        user_config={"draining": draining},
        rolling_update_percentage=1.0 if draining else 0.2,  # 0.2 is Ray's default
    )(serve.ingress()(Replica))
    version = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    return deployment.options(version=version, _internal=True).bind(values)


def run(settings: ServeSettings) -> int:
    """Start a Ray of our own, serve until SIGTERM or Ctrl-C, and stop exactly what was started.

    Raises:
        ConfigError: the address is taken or not ours.
        BundleError: a bundle cannot be opened.
        EngineError: Ray Serve does not start; names the folder with its logs.
    """
    if settings.port == 0:
        raise ConfigError("Ray Serve cannot choose a port; port 0 is for the embedded server only")
    bind(settings.host, settings.port).close()
    manifests = check(settings)
    open_tracing(settings.trace).close()
    Access(settings).close()  # what is wrong with its files is said here, not in a replica's log
    folder = tempfile.mkdtemp(prefix="seq2serve-ray-")
    _on_signals(_interrupt)
    try:
        _start(settings, folder)
        click.echo(announcement(manifests, address(settings.host, settings.port)))
        signal.pause()
    except KeyboardInterrupt:
        log.event("stopping")
    except Exception as error:  # Ray raises bare ones too
        raise EngineError(
            f"Ray Serve did not start ({type(error).__name__}); its logs are in {folder}"
        ) from error
    finally:
        _stop(settings)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _start(settings: ServeSettings, folder: str) -> None:
    """A Ray that shares nothing with others on this machine: folder, token, port, namespace."""
    os.environ.update(
        RAY_AUTH_TOKEN=secrets.token_hex(32),  # Ray would write one into the home folder
        RAY_USAGE_STATS_ENABLED="0",
        RAY_SERVE_LOG_TO_STDERR="0",  # Serve's own words go into files: standard error is JSON
    )
    for name, seconds in PROXY_HEALTH.items():
        os.environ.setdefault(name, seconds)
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    insist(lambda: _start_serve(settings, folder), RAY_STARTS, _not_started)


def _start_serve(settings: ServeSettings, folder: str) -> None:
    _start_ray(settings, folder)
    _on_signals(_interrupt)  # again: Ray has set its own
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host=settings.host, port=settings.port),
        logging_config=QUIET,
    )
    serve.run(application(settings), name=APP)


def _not_started(error: Exception) -> None:
    """On a busy machine parts of Ray (ray#65983: 15 seconds) or of Serve come too late."""
    log.event("ray_start_failed", error=type(error).__name__)
    if ray.is_initialized():
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()


def _start_ray(settings: ServeSettings, folder: str) -> None:
    ray.init(
        address="local",
        num_cpus=settings.replicas * _cpus(settings),
        num_gpus=settings.replicas * _gpus(settings),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        namespace=APP,
        logging_level=logging.ERROR,
        _temp_dir=folder,
    )


def _stop(settings: ServeSettings) -> None:
    """Let requests under way finish, then stop Serve and Ray. A second signal ends it at once.

    By themselves neither `serve.delete` nor `serve.shutdown` would do: while the one waits, Ray's
    proxy answers 404 as if there had never been a translator, and the other cuts requests off.
    """
    _on_signals(signal.SIG_DFL)
    if ray.is_initialized():
        try:
            running = serve.status().applications.get(APP)
            if running is not None and running.status in (RUNNING, UNHEALTHY):
                serve.run(application(settings, draining=True), name=APP)
        except Exception as error:
            log.event("drain_failed", error=type(error).__name__)
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _cpus(settings: ServeSettings) -> int:
    """Cores of one replica: its engines share those of the widest."""
    return max(one.workers * one.threads for one in _engines(settings))


def _gpus(settings: ServeSettings) -> int:
    """One for all engines that want one; Ray shows a process only what it asked for."""
    return int(any(one.device == "cuda" for one in _engines(settings)))


def _engines(settings: ServeSettings) -> list[EngineSettings]:
    return [settings.engine_for(bundle) for bundle in settings.bundles]
