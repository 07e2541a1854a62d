"""Metrics, traces and logs of real servers: one process, and two replicas on Ray Serve."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.app_client import REQUEST, SENTENCE
from tests.e2e.test_ray_serve import folder_for_sockets, free_port
from tests.echo_bundle import write_echo_bundle
from tests.server_process import PATIENCE_S, Server, seq2serve
from tests.trace_collector import TraceCollector

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PRIVATE = (SENTENCE, "Jane", "Bearer", "127.0.0.1")


def test_the_embedded_server_traces(tmp_path: Path) -> None:
    with TraceCollector() as collector:
        file = settings_file(tmp_path, trace={"endpoint": collector.endpoint})
        with Server("--settings", str(file)) as server:
            translate(server)
            is_traced(collector, server)


@pytest.mark.ray
def test_two_replicas_are_watched_and_limited_as_one(tmp_path: Path) -> None:
    private = folder_for_sockets()
    env = {"TMPDIR": str(private), "HOME": str(tmp_path)}
    with TraceCollector() as collector:
        data, trace = str(tmp_path / "data"), {"endpoint": collector.endpoint}
        keys = {"mode": "optional"}
        file = settings_file(tmp_path, trace=trace, replicas=2, data_dir=data, keys=keys)
        limited = key_for(data, characters=5 * len(SENTENCE))
        with Server("--settings", str(file), "--ray", port=free_port(), env=env) as server:
            sent = until_both_answered(server)
            is_counted_once(server, sent)
            answers = [translate(server, limited).status_code for _ in range(12)]
            assert answers.count(200) == 5
            is_traced(collector, server)
            assert limited not in server.log()
    shutil.rmtree(private)


def settings_file(folder: Path, **settings: object) -> Path:
    write_echo_bundle(folder / "echo")
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump({"bundles": [{"path": str(folder / "echo")}]} | settings))
    return file


def key_for(data_dir: str, characters: int) -> str:
    limit = ("--characters-per-month", str(characters))
    done = seq2serve("keys", "--data-dir", data_dir, "create", "Somebody", *limit)
    assert done.returncode == 0, done.stderr
    return next(word for word in done.stdout.split() if word.startswith("s2s"))


def translate(server: Server, key: str | None = None) -> httpx.Response:
    headers = {"traceparent": PARENT}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    url = f"{server.url}/v1/translate"
    return httpx.post(url, json=REQUEST, headers=headers, timeout=PATIENCE_S)


def by_replica(server: Server, name: str) -> dict[str, float]:
    """Values of one metric of translations, added up over all but the replicas."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels.get("route", "/v1/translate") in (
                "/v1/translate"
            ):
                replica = sample.labels["replica"]
                found[replica] = found.get(replica, 0.0) + sample.value
    return found


def until_both_answered(server: Server) -> int:
    """How many requests that took; who answers which is Ray's choice."""
    deadline = time.monotonic() + PATIENCE_S
    sent = 0
    while len(by_replica(server, "mt_requests_total")) < 2:
        assert time.monotonic() < deadline
        assert translate(server).status_code == 200
        sent += 1
    return sent


def is_counted_once(server: Server, sent: int) -> None:
    """Whichever replica is asked, it knows of all requests, a second later at the latest."""
    until(lambda: sum(by_replica(server, "mt_requests_total").values()) == sent)
    for _ in range(4):
        assert sum(by_replica(server, "mt_requests_total").values()) == sent
    assert list(by_replica(server, "mt_ready").values()) == [1.0, 1.0]
    assert len(by_replica(server, "process_resident_memory_bytes")) == 2


def is_traced(collector: TraceCollector, server: Server) -> None:
    request = collector.wait_for("POST /v1/translate")
    assert request.trace_id.hex() == PARENT.split("-")[1]
    assert request.parent_span_id.hex() == PARENT.split("-")[2]
    for name in ("queue", "search"):
        assert collector.wait_for(name).trace_id == request.trace_id
    lines = [parsed(line) for line in server.log().splitlines()]
    logged = [line for line in lines if line.get("event") == "request"]
    assert {line["route"] for line in logged} == {"/v1/translate"}
    assert {line["trace_id"] for line in logged} == {request.trace_id.hex()}
    assert len({line["request_id"] for line in logged}) == len(logged)
    written = server.log() + server.get("/metrics").text + "".join(map(str, collector.spans))
    assert [word for word in PRIVATE if word in written] == []


def parsed(line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        pytest.fail(f"a line of the log is no JSON: {line}")
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
