"""Counters and histograms of one app. Labels never hold text, keys or addresses.

Under Ray Serve each replica counts for itself, and a scrape through the proxy meets one of them.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from serving.models import Models
from serving.schemas import Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class EngineGauges:
    """What the engines hold at the moment of the scrape."""

    def __init__(self, models: Callable[[], Models | None]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Rows that run and sentences that wait, of each model."""
        running = GaugeMetricFamily("mt_engine_running_rows", "Live hypotheses", labels=["model"])
        waiting = GaugeMetricFamily("mt_engine_waiting", "Sentences queued", labels=["model"])
        models = self._models()
        for translator in models.translators if models else ():
            stats = translator.engine.stats()
            running.add_metric([translator.manifest.name], stats.rows)
            waiting.add_metric([translator.manifest.name], stats.waiting)
        yield running
        yield waiting


class CacheCounters:
    """What the caches of the models saved."""

    def __init__(self, models: Callable[[], Models | None]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Sentences that were not searched, and those that were, of each model with a cache."""
        hits = CounterMetricFamily(
            "mt_cache_hits", "Sentences answered without a search", labels=["model", "kind"]
        )
        misses = CounterMetricFamily("mt_cache_misses", "Sentences searched", labels=["model"])
        size = GaugeMetricFamily("mt_cache_bytes", "Answers kept, estimated", labels=["model"])
        models = self._models()
        for translator in models.translators if models else ():
            if translator.cache is None:
                continue
            name, stats = translator.manifest.name, translator.cache.stats()
            hits.add_metric([name, "finished"], stats.finished_hits)
            hits.add_metric([name, "in_flight"], stats.in_flight_hits)
            misses.add_metric([name], stats.misses)
            size.add_metric([name], stats.kept_bytes)
        yield hits
        yield misses
        yield size


class Metrics:
    """One registry; two apps in one process do not share it."""

    def __init__(self, models: Callable[[], Models | None]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mt_requests",
            "Requests answered; status 499: the client left",
            ["model", "pair", "route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "mt_request_duration_seconds",
            "From the first byte of a request to the last of its answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.source_chars = self._counter("mt_source_chars", "Characters translated")
        self.output_tokens = self._counter("mt_output_tokens", "Subwords written")
        self.memory_hits = Counter(
            "mt_memory_hits", "Texts answered from the memory", registry=self.registry
        )
        self.registry.register(EngineGauges(models))
        self.registry.register(CacheCounters(models))
        ProcessCollector(registry=self.registry)

    def observe(self, model: str, pair: str, route: str, status: int, seconds: float) -> None:
        """One answered request; model and pair are empty where none was chosen."""
        self.requests.labels(model, pair, route, str(status)).inc()
        self.duration.labels(route).observe(seconds)

    def translated(self, model: str, pair: str, usage: Usage) -> None:
        """What one successful request translated."""
        self.source_chars.labels(model, pair).inc(usage.characters)
        self.output_tokens.labels(model, pair).inc(usage.output_tokens)

    @property
    def characters(self) -> int:
        """How many were translated since the start."""
        samples = [sample for metric in self.source_chars.collect() for sample in metric.samples]
        return int(sum(one.value for one in samples if one.name.endswith("_total")))

    def text(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, documentation: str) -> Counter:
        return Counter(name, documentation, ["model", "pair"], registry=self.registry)
