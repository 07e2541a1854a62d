"""Every panel and every alert of deploy/ asks for what a server really emits."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.app_client import REQUEST, SENTENCE
from tests.echo_bundle import write_echo_bundle
from tests.prometheus_process import Prometheus, needs_prometheus
from tests.promql import read_by
from tests.server_process import Server, seq2serve

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yaml"
ADDED = {"job", "instance"}  # labels that Prometheus adds, and what it knows of itself
OWN = {"up": ADDED}
BY_THE_BOARD = {"replica"}  # on Ray Serve: serving/board.py; tests/e2e/test_watching.py
GRAFANA = {"$__rate_interval": "1m", "$model": ".*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bundles")
    write_echo_bundle(folder / "echo")
    write_echo_bundle(folder / "slow", name="slow", busy=700)
    settings = folder / "settings.yaml"
    bundles = [{"path": str(folder / name)} for name in ("echo", "slow")]
    settings.write_text(yaml.safe_dump({"bundles": bundles, "limits": {"deadline_s": 1.0}}))
    with Server("--settings", str(settings)) as running:
        ask_for_everything(running)
        yield running


def ask_for_everything(server: Server) -> None:
    """Answers, a refusal, one that comes too late, a stream, something kept."""
    for _ in range(2):
        assert server.translate().status_code == 200
    assert server.translate(text="a\0").status_code == 422
    assert server.translate(model="slow", text=SENTENCE * 9, beam_size=16).status_code == 504
    stream = httpx.post(f"{server.url}/v1/translate/stream", json=REQUEST, timeout=60)
    assert stream.status_code == 200


def panel_queries() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    found = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    assert len(found) > 20
    for variable, value in GRAFANA.items():
        found = [query.replace(variable, value) for query in found]
    assert not any("$" in query for query in found)
    return found


def alert_queries() -> list[str]:
    return [rule["expr"] for group in alert_groups() for rule in group["rules"]]


def alert_groups() -> list[dict]:
    groups: list[dict] = yaml.safe_load(RULES.read_text())["groups"]
    return groups


def emitted(server: Server) -> dict[str, set[str]]:
    """The labels of each metric, as it names its samples."""
    found = {name: set(labels) for name, labels in OWN.items()}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, ADDED | BY_THE_BOARD)
            found[sample.name] = labels | sample.labels.keys()
    return found


@pytest.mark.parametrize("queries", [panel_queries, alert_queries])
def test_every_query_reads_what_is_emitted(
    server: Server, queries: Callable[[], list[str]]
) -> None:
    known = emitted(server)
    for query in queries():
        for name, labels in read_by(query).items():
            assert name in known, f"{name} is not emitted: {query}"
            assert labels <= known[name], f"{name} has no {labels - known[name]}: {query}"


def test_every_metric_of_ours_is_somewhere_on_the_dashboard(server: Server) -> None:
    read = {name for query in panel_queries() for name in read_by(query)}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        names = {sample.name for sample in family.samples}
        if family.name.startswith("mt_") and not family.name.endswith("_created"):
            assert names & read, f"{family.name} is emitted, but nobody sees it"


def test_the_terminal_shows_the_same(server: Server) -> None:
    done = seq2serve("top", server.url, "--once")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 replicas ready, since the start" in done.stdout
    assert "504: 1" in done.stdout
    for model in ("echo", "slow"):
        assert re.search(rf"^{model} +\d", done.stdout, re.MULTILINE)
    assert re.search(r"^this one +yes +2 of 2 +0 +\d+% +\d+ MiB +\d+$", done.stdout, re.MULTILINE)


def test_every_alert_is_explained_in_the_runbook() -> None:
    runbook = (DEPLOY / "README.md").read_text()
    for group in alert_groups():
        for rule in group["rules"]:
            assert f"| {rule['alert']} |" in runbook


@needs_prometheus
@pytest.mark.parametrize(
    "check",
    [("check", "rules", str(RULES)), ("test", "rules", str(RULES.with_stem("alerts_test")))],
)
def test_the_rules_are_sound_and_fire_when_they_should(check: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_the_configuration_of_prometheus_is_sound() -> None:
    file = DEPLOY / "prometheus" / "prometheus.yaml"
    done = subprocess.run(
        ["promtool", "check", "config", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_a_real_prometheus_answers_every_panel(server: Server, tmp_path: Path) -> None:
    with Prometheus(f"127.0.0.1:{server.port}", RULES, tmp_path) as prometheus:
        prometheus.wait_for_scrapes(2)
        ask_for_everything(server)
        prometheus.wait_for_scrapes(3)
        for query in panel_queries():
            assert prometheus.query(query), f"no answer to {query}"
        for query in alert_queries():
            prometheus.query(query)
        (answered,) = prometheus.query('sum(mt_requests_total{status="504"})')
        assert float(answered["value"][1]) == 2
        rules = prometheus.rules()
    assert len(rules) == len(alert_queries())
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}  # not yet evaluated
