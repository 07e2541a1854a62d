"""Traces in OpenTelemetry's form: a span of each request, and in it of each sentence two.

Off unless `trace.endpoint` names a collector. Spans hold numbers, names of models and routes, and
the request id; never text, keys or addresses. Both hosts serve the same app, so both trace alike:
whoever calls sends W3C's `traceparent`, which Ray's proxies pass on.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.trace import (
    NoOpTracer,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mt import log
from mt.errors import ConfigError
from serving.running.passage import Passage, Witness
from serving.settings import TraceSettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SERVER_ERROR = 500
EXPORT_TIMEOUT_S = 5.0
_W3C = TraceContextTextMapPropagator()


class Tracing:
    """Where an app's spans go."""

    def __init__(self, tracer: Tracer, close: Callable[[], object] = lambda: None) -> None:
        """`close` sends what has not been sent."""
        self._tracer = tracer
        self.close = close

    @contextmanager
    def request(self, method: str, traceparent: str | None) -> Iterator[Span]:
        """The span of a request, a child of its caller's; `describe` it before the block ends."""
        context = _W3C.extract({"traceparent": traceparent} if traceparent else {})
        with self._tracer.start_as_current_span(
            known(method),
            context,
            kind=SpanKind.SERVER,
            record_exception=False,  # its message may quote the text
            set_status_on_exception=False,
        ) as span:
            yield span

    def witness(self, request: Span, metrics: Witness) -> Witness:
        """Who sees the sentences of a request: metrics always, its span where it is recorded."""
        if not request.is_recording():
            return metrics
        context = set_span_in_context(request)

        def see(passage: Passage) -> None:
            metrics(passage)
            for name, began, ended in _parts(passage):
                span = self._tracer.start_span(name, context, start_time=_epoch_ns(began))
                span.set_attribute("seq2serve.model", passage.engine)
                span.set_attribute("seq2serve.source_tokens", passage.source_tokens)
                span.set_attribute("seq2serve.rows", passage.rows)
                span.end(_epoch_ns(ended))

        return see


NO_TRACING = Tracing(NoOpTracer())


def known(method: str) -> str:
    """A method as spans may have it: clients can send any word as one."""
    return method if method in METHODS else "_OTHER"


def describe(span: Span, method: str, route: str, status: int, **facts: str) -> None:
    """Name a request's span by its route, and note how it ended."""
    span.update_name(f"{known(method)} {route}")
    span.set_attribute("http.request.method", known(method))
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    for name, fact in facts.items():
        span.set_attribute(f"seq2serve.{name}", fact)
    if status >= SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))


def trace_id(span: Span) -> str:
    """As collectors write it; empty where the span is not recorded."""
    return format_trace_id(span.get_span_context().trace_id) if span.is_recording() else ""


def open_tracing(settings: TraceSettings) -> Tracing:
    """Spans to the collector of the settings, or to nobody.

    Raises:
        ConfigError: the libraries are not installed.
    """
    if settings.endpoint is None:
        return NO_TRACING
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"trace.endpoint needs {error.name}: pip install 'seq2serve[trace]'"
        ) from None
    _keep_the_log_ours()
    service = {"service.name": "seq2serve", "service.version": version("seq2serve")}
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
        resource=Resource.create(service),
        shutdown_on_exit=False,  # the app closes it
    )
    exporter = OTLPSpanExporter(settings.endpoint, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider.get_tracer("seq2serve"), provider.shutdown)


class _AsEvent(logging.Handler):
    """What OpenTelemetry complains of, as one of our events; its words may hold an address."""

    def emit(self, record: logging.LogRecord) -> None:
        log.event("tracing_trouble", where=record.name, level=record.levelname.lower())


def _keep_the_log_ours() -> None:
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers = [_AsEvent(logging.WARNING)]


def _parts(passage: Passage) -> list[tuple[str, float, float]]:
    """What the wait and the search of a sentence are called, when they began and ended."""
    if passage.entered is None:
        return [("queue", passage.joined, passage.left)]
    return [
        ("queue", passage.joined, passage.entered),
        ("search", passage.entered, passage.left),
    ]


def _epoch_ns(monotonic: float) -> int:
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)
