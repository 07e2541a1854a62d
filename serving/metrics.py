"""Counters and histograms of one app. Labels never hold text, keys or addresses.

How those of several replicas come into one answer: serving/board.py.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from serving.engine_metrics import CacheCollector, EngineCollector, OpenModels
from serving.running.passage import Passage
from serving.schemas import Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MODEL = ("model", "pair")
_REQUEST = (*_MODEL, "route", "status")


class Metrics:
    """One registry; two apps in one process do not share it."""

    def __init__(self, models: OpenModels, ready: Callable[[], bool] = lambda: True) -> None:
        """`ready` says whether translations are taken now."""
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "mt_requests", "Requests answered; status 499: the client left", _REQUEST
        )
        self.duration = self._histogram(
            "mt_request_duration_seconds",
            "From the first byte of a request to the last of its answer",
            _REQUEST,
        )
        self.first_piece = self._histogram(
            "mt_time_to_first_token_seconds",
            "From the first byte of a streaming request to its first finished sentence",
            _MODEL,
        )
        self.queued = self._histogram(
            "mt_queue_seconds", "What a sentence waited until it ran", ["model"]
        )
        self.searched = self._histogram(
            "mt_search_seconds", "What a sentence ran until it was done", ["model"]
        )
        self.source_chars = self._counter("mt_source_chars", "Characters translated", _MODEL)
        self.output_tokens = self._counter("mt_output_tokens", "Subwords written", _MODEL)
        self.memory_hits = self._counter("mt_memory_hits", "Texts answered from the memory")
        taking = Gauge("mt_ready", "1 while translations are taken, else 0", registry=self.registry)
        taking.set_function(lambda: float(ready()))
        self.registry.register(EngineCollector(models))
        self.registry.register(CacheCollector(models))
        ProcessCollector(registry=self.registry)

    def observe(self, model: str, pair: str, route: str, status: int, seconds: float) -> None:
        """One answered request; model and pair are empty where none was chosen."""
        labels = (model, pair, route, str(status))
        self.requests.labels(*labels).inc()
        self.duration.labels(*labels).observe(seconds)

    def translated(self, model: str, pair: str, usage: Usage) -> None:
        """What one successful request translated."""
        self.source_chars.labels(model, pair).inc(usage.characters)
        self.output_tokens.labels(model, pair).inc(usage.output_tokens)

    def began(self, model: str, pair: str, seconds: float) -> None:
        """A stream gave its first finished sentence."""
        self.first_piece.labels(model, pair).observe(seconds)

    def passed(self, passage: Passage) -> None:
        """One sentence left an engine."""
        entered = passage.left if passage.entered is None else passage.entered
        self.queued.labels(passage.engine).observe(entered - passage.joined)
        if passage.entered is not None:
            self.searched.labels(passage.engine).observe(passage.left - entered)

    @property
    def characters(self) -> int:
        """How many were translated since the start."""
        samples = [sample for metric in self.source_chars.collect() for sample in metric.samples]
        return int(sum(one.value for one in samples if one.name.endswith("_total")))

    def families(self) -> list[Metric]:
        """Everything, as it is now."""
        return list(self.registry.collect())

    def _counter(self, name: str, documentation: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, labels: Iterable[str]) -> Histogram:
        return Histogram(name, documentation, labels, buckets=SECONDS, registry=self.registry)


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def exposition(families: Iterable[Metric]) -> bytes:
    """Families in the Prometheus text format."""
    return generate_latest(_Collected(families))
