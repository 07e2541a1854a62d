"""What engines and caches hold or have done, read from them at the moment of a scrape."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from serving.models import Models
from serving.running.engine_stats import EngineStats

OpenModels = Callable[[], Models | None]
_RESIDENT, _PROCESSOR = "process_resident_memory_bytes", "process_cpu_seconds_total"
OUTCOMES = ("done", "cancelled", "expired", "failed", "refused")  # fields of EngineStats


class EngineCollector:
    """The engines of the open models."""

    def __init__(self, models: OpenModels) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Each family with a sample of each model."""
        models = self._models()
        stats = [one.engine.stats() for one in models.translators] if models else []
        yield from _gauges(stats)
        yield _batch_sizes(stats)
        yield _outcomes(stats)
        yield from _processes(models)


def _gauges(stats: Iterable[EngineStats]) -> Iterator[Metric]:
    running = _gauge("mt_engine_running_rows", "Live hypotheses")
    waiting = _gauge("mt_engine_waiting", "Sentences queued")
    healthy = _gauge("mt_engine_healthy", "1 while the engine answers, else 0")
    cache = _gauge("mt_kv_cache_bytes", "Bytes that the running sentences may come to take")
    for one in stats:
        running.add_metric([one.name], one.rows)
        waiting.add_metric([one.name], one.waiting)
        healthy.add_metric([one.name], one.healthy)
        cache.add_metric([one.name], one.cache_bytes)
    yield from (running, waiting, healthy, cache)


def _batch_sizes(stats: Iterable[EngineStats]) -> Metric:
    sizes = SummaryMetricFamily("mt_batch_size", "Rows in a decoding step", labels=["model"])
    for one in stats:
        sizes.add_metric([one.name], count_value=one.steps, sum_value=one.mean_rows * one.steps)
    return sizes


def _outcomes(stats: Iterable[EngineStats]) -> Metric:
    sentences = CounterMetricFamily(
        "mt_sentences", "Sentences by what became of them", labels=["model", "outcome"]
    )
    for one in stats:
        for outcome in OUTCOMES:
            sentences.add_metric([one.name, outcome], getattr(one, outcome))
    return sentences


def _processes(models: Models | None) -> Iterator[Metric]:
    """What the engines' own processes take, which `process_*` does not know of."""
    memory = _gauge("mt_engine_resident_bytes", "Memory of the processes that the model runs in")
    processor = CounterMetricFamily(
        "mt_engine_cpu_seconds", "Processor time of these processes", labels=["model"]
    )
    for translator in models.translators if models else ():
        found = [_process(number) for number in translator.engine.processes]
        for family, name in ((memory, _RESIDENT), (processor, _PROCESSOR)):
            family.add_metric([translator.manifest.name], sum(one.get(name, 0.0) for one in found))
    yield from (memory, processor)


def _process(number: int) -> dict[str, float]:
    """Samples by name; none where it has died."""
    collector = ProcessCollector(pid=lambda: number, registry=None)
    return {one.name: one.value for family in collector.collect() for one in family.samples}


class CacheCollector:
    """What the caches of the models saved."""

    def __init__(self, models: OpenModels) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Sentences that were not searched, and those that were, of each model with a cache."""
        hits = CounterMetricFamily(
            "mt_cache_hits", "Sentences answered without a search", labels=["model", "kind"]
        )
        misses = CounterMetricFamily("mt_cache_misses", "Sentences searched", labels=["model"])
        size = _gauge("mt_cache_bytes", "Answers kept, estimated")
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


def _gauge(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=["model"])
