"""Spans of requests and of their sentences, with nothing private in them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mt.errors import ConfigError
from serving import tracing
from serving.settings import ServeSettings, TraceSettings
from serving.tracing import Tracing, open_tracing
from tests.app_client import SENTENCE, AppClient, echo, open_app
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traced:
    """An app whose spans are kept here."""

    def __init__(self, client: AppClient) -> None:
        self.client = client
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        client.app.state.service.tracing = Tracing(provider.get_tracer("t"), provider.shutdown)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


@contextmanager
def traced(**settings: object) -> Iterator[Traced]:
    with open_app(**settings) as client:
        yield Traced(client)


def test_a_request_and_its_sentence_are_one_trace() -> None:
    with traced() as app:
        app.client.translate()
        spans = app.spans
    request, queue, search = spans["POST /v1/translate"], spans["queue"], spans["search"]
    assert dict(request.attributes or {}).keys() == {
        "http.request.method", "http.route", "http.response.status_code",
        "seq2serve.request_id", "seq2serve.model", "seq2serve.pair",
    }  # fmt: skip
    for part in (queue, search):
        assert part.parent is not None
        assert request.context is not None
        assert part.parent.span_id == request.context.span_id
        assert (part.attributes or {})["seq2serve.rows"] == 5
    times = [queue.start_time, queue.end_time, search.start_time, search.end_time]
    found = [time for time in times if time is not None]
    assert len(found) == 4
    assert request.start_time is not None
    slack = 1_000_000  # ns between two looks at two clocks
    assert request.start_time - slack <= found[0] <= found[1] <= found[3]
    assert abs(found[2] - found[1]) <= slack


def test_a_caller_s_trace_goes_on_and_the_log_names_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with traced() as app:
        headers = {"traceparent": CALLER, "tracestate": "secret=1"}
        body = {"text": SENTENCE, "source": "fr", "target": "en"}
        app.client.post(json=body, headers=headers)
        (span,) = [one for name, one in app.spans.items() if name.startswith("POST")]
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == CALLER.split("-")[1]
    assert not span.context.trace_state
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["trace_id"] == CALLER.split("-")[1]


def test_nothing_private_is_in_a_span() -> None:
    with traced() as app:
        app.client.translate(text="Geheimnis eins.")
        app.client.get("/nowhere/Geheimnis", headers={"User-Agent": "Geheimnis"})
        app.client.runner.run(app.client.http.request("GEHEIMNIS", "/v1/translate?Geheimnis"))
        app.client.post(content=b"Geheimnis", headers={"Authorization": "Bearer Geheimnis"})
        written = "".join(span.to_json() for span in app.spans.values())
    assert "geheimnis" not in written.lower()
    assert "127.0.0.1" not in written
    assert "_OTHER" in written


def test_what_failed_says_so() -> None:
    stepper = GatedStepper(fake_bundle().manifest.vocab_size, open_gate=True, poison=range(4, 120))
    with open_app(echo(fake_bundle(), stepper=stepper)) as client:
        app = Traced(client)
        assert client.translate().status_code == 500
        span = app.spans["POST /v1/translate"]
    assert not span.status.is_ok
    assert (span.attributes or {})["error.type"] == "500"
    assert span.events == ()


def test_probes_are_not_traced() -> None:
    with traced() as app:
        for path in ("/livez", "/readyz", "/metrics"):
            app.client.get(path)
        assert app.spans == {}


def test_without_a_collector_there_is_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with open_app() as client:
        client.translate()
        assert client.app.state.service.tracing is tracing.NO_TRACING
    assert "trace_id" not in capsys.readouterr().err


def test_a_missing_library_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'seq2serve\[trace\]'"):
        open_tracing(TraceSettings(endpoint="http://127.0.0.1:9/v1/traces"))


def test_a_collector_that_is_not_there_is_an_event_without_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "EXPORT_TIMEOUT_S", 0.2)
    sending = open_tracing(TraceSettings(endpoint="http://127.0.0.1:9/v1/traces"))
    try:
        with sending.request("GET", None):
            pass
        sending.close()
    finally:
        logging.getLogger("opentelemetry").handlers = []
        logging.getLogger("opentelemetry").propagate = True
    written = capsys.readouterr().err
    assert {json.loads(line)["event"] for line in written.splitlines()} == {"tracing_trouble"}
    assert "127.0.0.1" not in written


def test_an_endpoint_is_an_address() -> None:
    values = {"bundles": [{"path": "x"}], "trace": {"endpoint": "collector:4317"}}
    with pytest.raises(ValueError, match=r"trace\.endpoint"):
        ServeSettings.model_validate(values)
