"""No text, key or address in logs, metrics, traces or errors: all is marked, sent, looked for."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.stores.api_keys import ApiKeys
from serving.tracing import Tracing
from tests.app_client import AppClient, open_app
from tests.visitor import MARKS, TERM, visits

DIALECTS = ["libretranslate", "deepl", "google", "opus"]


@pytest.fixture
def key(tmp_path: Path) -> str:
    keys = ApiKeys(tmp_path)
    made = keys.create(TERM)
    keys.close()
    return made


@pytest.fixture
def client(tmp_path: Path, key: str) -> Iterator[AppClient]:
    settings = {"dialects": DIALECTS, "data_dir": str(tmp_path), "memory": {"suggestions": True}}
    with open_app(**settings) as opened:
        yield opened


@pytest.fixture
def spans(client: AppClient) -> InMemorySpanExporter:
    """All that a collector of traces would get."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client.app.state.service.tracing = Tracing(provider.get_tracer("t"), provider.shutdown)
    return exporter


def test_nothing_of_a_visitor_stays(
    client: AppClient, key: str, spans: InMemorySpanExporter, capfd: pytest.CaptureFixture[str]
) -> None:
    private = (*MARKS, key.split("_", 2)[2])
    credentials = (f"Bearer {key}", f"DeepL-Auth-Key {key[:-1]}0", "")
    refused = []
    for method, address, sent in visits(client.app.openapi()["paths"], credentials):
        response = client.runner.run(client.http.request(method, address, **sent))
        if response.status_code >= 400:
            refused.append(response)
    assert {400, 401, 404, 422} <= {response.status_code for response in refused}
    for response in refused:
        said = response.text + json.dumps(dict(response.headers))
        for one in private:
            assert one not in said, (response.url.path, response.status_code)
    metrics = client.get("/metrics").text
    log = "".join(capfd.readouterr())
    traces = [span.to_json() for span in spans.get_finished_spans()]
    assert log.count('"event": "request"') > 100
    assert '"event": "bug"' not in log
    assert len(traces) > 100
    for one in (*private, "127.0.0.1"):
        assert one not in log
        assert one not in metrics
        assert one not in "".join(traces)
