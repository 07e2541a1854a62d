"""What the manifests hand to Ray Serve, really started: HAProxy, autoscaling and all."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.app_client import REQUEST, SENTENCE
from tests.e2e.test_ray_serve import folder_for_sockets, free_port
from tests.echo_bundle import write_echo_bundle
from tests.server_process import PATIENCE_S

pytestmark = pytest.mark.ray
ATTEMPTS = 3
END_S = 30.0
MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "base" / "rayservice.yaml"


def test_the_serve_configuration_of_the_manifest_starts_and_serves() -> None:
    folder = folder_for_sockets()
    port = free_port()
    config = configuration(folder, port)
    with (
        running(config, folder, f"http://127.0.0.1:{port}/readyz"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answer = client.post("/v1/translate", json=REQUEST, timeout=PATIENCE_S)
        assert answer.json()["translations"] == [{"text": SENTENCE}]
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert "," not in answer.headers["x-request-id"]
        metrics = client.get("/metrics", timeout=PATIENCE_S).text
        assert 'mt_ready{replica="' in metrics
    shutil.rmtree(folder)


def manifest() -> tuple[dict[str, Any], dict[str, str]]:
    """The Serve configuration, and what its pods have in their environment for Ray."""
    spec = yaml.safe_load(MANIFEST.read_text())["spec"]
    (worker,) = spec["rayClusterConfig"]["workerGroupSpecs"]
    (container,) = worker["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    ray = {name: value for name, value in given.items() if name.startswith("RAY_")}
    assert ray["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    return yaml.safe_load(spec["serveConfigV2"]), ray


def configuration(folder: Path, port: int) -> Path:
    """The manifest's, for one small machine: its files, its port, one replica to begin with."""
    write_echo_bundle(folder / "echo")
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"bundles": [{"path": str(folder / "echo")}]}))
    values, _ = manifest()
    values["http_options"] |= {"host": "127.0.0.1", "port": port}
    (application,) = values["applications"]
    application["args"]["settings"] = str(settings)
    application["deployments"][0]["autoscaling_config"] |= {"min_replicas": 1, "max_replicas": 2}
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


@contextmanager
def running(config: Path, folder: Path, probe: str) -> Iterator[None]:
    """`serve run`, on a Ray of its own and with ports of its own, from when it is ready."""
    _, ray = manifest()
    own = {
        "RAY_ADDRESS": "local",
        "RAY_TMPDIR": str(folder),
        "RAY_AUTH_TOKEN": "a" * 64,
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "HOME": str(folder),
    }
    program = shutil.which("serve", path=str(Path(sys.executable).parent))
    assert program is not None
    with (folder / "log").open("w") as log:
        for _ in range(ATTEMPTS):
            process = subprocess.Popen(
                [program, "run", str(config)],
                env=os.environ | ray | own,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                if not is_ready(probe, process):
                    continue
                yield
                return
            finally:
                end(process)
    raise AssertionError((folder / "log").read_text())


def end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; and what of its process group should still be there.

    Where this test itself runs with SIGINT ignored, as a job in the background, so does the server.
    """
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait(PATIENCE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def is_ready(probe: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; false where the process ended: on a busy machine Ray gives up (ray#65983)."""
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None:
        assert time.monotonic() < deadline, "it never became ready"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(probe, timeout=5).status_code == 200:
                return True
        time.sleep(0.5)
    return False
