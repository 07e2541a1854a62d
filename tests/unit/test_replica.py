"""What a replica does, and what is refused before Ray is started; without a Ray."""

import io
import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI

from mt.attempts import RAY_STARTS
from mt.errors import BundleError, ConfigError, EngineError
from serving.settings import ServeSettings
from tests.app_client import AppClient
from tests.echo_bundle import write_echo_bundle


@pytest.fixture
def settings(tmp_path: Path) -> ServeSettings:
    write_echo_bundle(tmp_path / "echo")
    values = {"bundles": [{"path": str(tmp_path / "echo")}], "engine": {"threads": 2}}
    return ServeSettings.model_validate(values)


def test_a_replica_serves_the_application_and_its_health(
    replica: ModuleType, settings: ServeSettings
) -> None:
    one = replica.Replica(settings.model_dump(mode="json"))
    app = one.__serve_build_asgi_app__()
    assert isinstance(app, FastAPI)
    with AppClient(app) as client:
        answer = client.translate()
        assert answer.status_code == 200
        assert "x-request-id" not in answer.headers  # Ray's proxy adds it
        one.check_health()
    with pytest.raises(EngineError, match="stuck or dead"):
        one.check_health()  # the application has closed its engines


def test_a_replica_drains_when_it_is_told_to(replica: ModuleType, settings: ServeSettings) -> None:
    one = replica.Replica(settings.model_dump(mode="json"))
    with AppClient(one.__serve_build_asgi_app__()) as client:
        client.runner.run(one.reconfigure({"draining": False}))
        assert client.translate().status_code == 200
        client.runner.run(one.reconfigure({"draining": True}))
        refused = client.translate()
        assert refused.status_code == 503
        assert refused.headers["retry-after"].isdecimal()
        assert client.get("/readyz").status_code == 503


def test_draining_replaces_no_replica(replica: ModuleType, settings: ServeSettings) -> None:
    serving, draining, other = (
        application._bound_deployment
        for application in (
            replica.application(settings),
            replica.application(settings, draining=True),
            replica.application(settings.model_copy(update={"cache_mib": 1})),
        )
    )
    assert serving.version == draining.version != other.version
    assert (serving.user_config, draining.user_config) == ({"draining": False}, {"draining": True})


def test_build_reads_the_named_settings(
    replica: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(replica.SETTINGS_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="name a settings file"):
        replica.build(replica.Arguments())
    file = tmp_path / "settings.yaml"
    file.write_text(
        "bundles: [{path: a}, {path: b, engine: {threads: 2, workers: 3}}]\nreplicas: 3\n"
    )
    monkeypatch.setenv(replica.SETTINGS_VARIABLE, str(file))
    (deployment,) = [replica.build(replica.Arguments())._bound_deployment]
    assert deployment.num_replicas == 3
    assert deployment.max_ongoing_requests > 256
    assert deployment.ray_actor_options == {"num_cpus": 6, "num_gpus": 0}
    file.write_text("bundles: [{path: a}, {path: b, engine: {device: cuda}}]\n")
    (deployment,) = [replica.build(replica.Arguments())._bound_deployment]
    assert deployment.ray_actor_options == {"num_cpus": 1, "num_gpus": 1}


def test_what_is_wrong_is_said_before_ray_starts(
    replica: ModuleType, settings: ServeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_start", lambda *_: pytest.fail("Ray was started"))
    with pytest.raises(ConfigError, match="port 0"):
        replica.run(settings.model_copy(update={"port": 0}))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot listen"):
            replica.run(settings.model_copy(update={"port": port}))
    missing = ServeSettings.model_validate({"bundles": [{"path": "none"}], "port": port})
    with pytest.raises(BundleError, match="no such bundle folder"):
        replica.run(missing)


def test_a_ray_that_does_not_start_is_one_line(
    replica: ModuleType,
    settings: ServeSettings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    attempts: list[object] = []

    def fail(**options: object) -> None:
        attempts.append(options["_temp_dir"])
        raise Exception("the current node timed out during startup")

    monkeypatch.setattr(replica.ray, "init", fail)
    monkeypatch.setattr(replica.tempfile, "mkdtemp", lambda prefix: str(tmp_path / prefix))
    monkeypatch.setattr(replica.signal, "signal", lambda *_: None)
    for name in ("RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED", *replica.PROXY_HEALTH):
        monkeypatch.setenv(name, "")  # so that what `run` sets is taken back
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(EngineError, match="did not start"):
        replica.run(settings.model_copy(update={"port": port}))
    assert len(attempts) == RAY_STARTS
    assert "timed out" not in capsys.readouterr().out


def test_a_serve_that_does_not_start_is_tried_again_on_another_ray(
    replica: ModuleType, settings: ServeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    failing = iter([RuntimeError("too late"), None])

    def run(application: object, name: str) -> None:
        done.append("run")
        if error := next(failing):
            raise error

    monkeypatch.setattr(replica.signal, "signal", lambda *_: None)
    monkeypatch.setattr(replica.ray, "init", lambda **_: done.append("init"))
    monkeypatch.setattr(replica.ray, "is_initialized", lambda: True)
    monkeypatch.setattr(replica.ray, "shutdown", lambda: done.append("shutdown"))
    monkeypatch.setattr(replica.serve, "start", lambda **_: None)
    monkeypatch.setattr(replica.serve, "shutdown", lambda: None)
    monkeypatch.setattr(replica.serve, "run", run)
    for name in ("RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED", *replica.PROXY_HEALTH):
        monkeypatch.setenv(name, "")  # so that what it sets is taken back
    replica._start(settings, "anywhere")
    assert done == ["init", "run", "shutdown", "init", "run"]


class Redirected:
    """What Serve puts into the place of sys.stderr."""

    def write(self, text: str) -> None:
        raise AssertionError("the log went to Serve, which drops it")


def test_the_log_is_written_where_serve_has_redirected_it(
    replica: ModuleType, settings: ServeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", Redirected())
    monkeypatch.setattr(sys, "__stderr__", written)
    one = replica.Replica(settings.model_dump(mode="json"))
    with AppClient(one.__serve_build_asgi_app__()) as client:
        client.translate()
    assert '"event": "request"' in written.getvalue()
