"""A server's metrics as tables for a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from serving.commands.snapshot import Window, ratio

PROBES = ("/livez", "/readyz", "/metrics", "/health")  # nobody's requests
PROCESSOR = ("process_cpu_seconds_total", "mt_engine_cpu_seconds_total")
MEMORY = ("process_resident_memory_bytes", "mt_engine_resident_bytes")
LATENCY = "mt_request_duration_seconds"
LOST = ("refused", "expired", "failed", "cancelled")


def view(window: Window, server: str) -> RenderableType:
    """Everything on one screen."""
    return Group(_headline(window, server), _statuses(window), _models(window), _replicas(window))


def _headline(window: Window, server: str) -> Text:
    ready = int(window.now.total("mt_ready"))
    replicas = sum(1 for _ in window.now.select("mt_ready"))
    span = f"since the start, {_duration(window.seconds)} ago"
    if not window.since_start:
        span = f"in the last {window.seconds:.1f} s"
    text = Text.assemble((server, "bold"), f"  {ready} of {replicas} replicas ready, {span}\n")
    text.append(f"{_requests(window) / window.seconds:,.1f} requests/s  ")
    text.append(f"{window.rate('mt_source_chars_total'):,.0f} characters/s  ")
    text.append(f"{window.rate('mt_output_tokens_total'):,.0f} tokens/s  ")
    text.append(f"{window.now.total('mt_engine_waiting'):,.0f} waiting  ")
    text.append(f"{window.now.total('mt_engine_running_rows'):,.0f} rows running")
    return text


def _statuses(window: Window) -> Text:
    """Requests by their status, errors in red."""
    whole = _requests(window)
    text = Text()
    for status in window.now.seen("mt_requests_total", "status"):
        count = _requests(window, status=status)
        if not count:
            continue
        style = "red" if status >= "499" else "yellow" if status >= "400" else "green"
        text.append(f"{status}: {count:,.0f} ({ratio(count, whole):.1%})  ", style)
    return text


def _requests(window: Window, **labels: str) -> float:
    """How many there were, but for probes."""
    probes = (window.increase("mt_requests_total", route=probe, **labels) for probe in PROBES)
    return window.increase("mt_requests_total", **labels) - sum(probes)


def _models(window: Window) -> Table:
    table = _table("model", "requests/s", "p50", "p90", "p99", "queue p90", "waiting", "rows")
    for column in ("rows/step", "tokens/s", "from cache", *LOST):
        table.add_column(column, justify="right")
    for model in window.now.seen("mt_engine_waiting", "model"):
        answered = {"model": model, "status": "200"}
        table.add_row(
            model,
            f"{window.rate('mt_requests_total', model=model):,.1f}",
            *(_seconds(window.quantile(q, LATENCY, **answered)) for q in (0.5, 0.9, 0.99)),
            _seconds(window.quantile(0.9, "mt_queue_seconds", model=model)),
            f"{window.now.total('mt_engine_waiting', model=model):,.0f}",
            f"{window.now.total('mt_engine_running_rows', model=model):,.0f}",
            f"{_rows_in_a_step(window, model):.1f}",
            f"{window.rate('mt_output_tokens_total', model=model):,.0f}",
            f"{_from_cache(window, model):.0%}",
            *(
                f"{window.increase('mt_sentences_total', model=model, outcome=outcome):,.0f}"
                for outcome in LOST
            ),
        )
    return table


def _replicas(window: Window) -> Table:
    table = _table("replica", "ready", "engines", "waiting", "processor", "memory", "files")
    for replica in window.now.seen("mt_ready", "replica") or [""]:
        of = {"replica": replica} if replica else {}
        now = window.now
        engines = [value for _, value in now.select("mt_engine_healthy", **of)]
        table.add_row(
            replica or "this one",
            "yes" if now.total("mt_ready", **of) else Text("no", "red"),
            f"{sum(engines):.0f} of {len(engines)}",
            f"{now.total('mt_engine_waiting', **of):,.0f}",
            f"{sum(window.rate(name, **of) for name in PROCESSOR):.0%}",
            f"{sum(now.total(name, **of) for name in MEMORY) / 2**20:,.0f} MiB",
            f"{now.total('process_open_fds', **of):,.0f}",
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, pad_edge=False, header_style="bold")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _rows_in_a_step(window: Window, model: str) -> float:
    rows = window.increase("mt_batch_size_sum", model=model)
    return ratio(rows, window.increase("mt_batch_size_count", model=model))


def _from_cache(window: Window, model: str) -> float:
    hits = window.increase("mt_cache_hits_total", model=model)
    return ratio(hits, hits + window.increase("mt_cache_misses_total", model=model))


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _duration(seconds: float) -> str:
    units: Sequence[tuple[float, str]] = ((86400, "days"), (3600, "h"), (60, "min"))
    for size, unit in units:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
