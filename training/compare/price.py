"""What a comparison will cost, before it is run: a table, and the time it takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.budget import RunState
from training.checkpoint import CHECKPOINTS, newest_checkpoint
from training.compare.energy import estimate_energy
from training.compare.jobs import Job, Mark, is_finished
from training.compare.shared import Shared
from training.console import clock

_JOULES_IN_KWH = 3.6e6


@dataclass(frozen=True)
class Price:
    """Processor time of the runs of one system on one data condition.

    tokens_per_s: target tokens a processor second; source: where that figure is from.
    seconds: of each run that is left to do, in part or whole; flops: of all runs together.
    """

    system: str
    data: str
    runs: int
    finished: int
    tokens_per_s: float
    source: str
    seconds: tuple[float, ...]
    flops: float


def price(jobs: Sequence[Job], shared: Shared) -> list[Price]:
    """What is left to train, by system and data condition."""
    groups = dict.fromkeys((job.system, job.data.name) for job in jobs)
    return [
        _price([job for job in jobs if (job.system, job.data.name) == group], shared)
        for group in groups
    ]


def _price(jobs: Sequence[Job], shared: Shared) -> Price:
    first = jobs[0]
    cost = shared.costs[first.system, first.data.name]
    left = [job for job in jobs if not is_finished(job)]
    states = {job.run: state for job in jobs if (state := _state(job)) is not None}
    speed, source = 1 / cost.processor_s, "a few batches"
    if states:
        speed = _speed(states.values())
        source = f"{len(states)} run{'s' if len(states) > 1 else ''}"
    seconds = tuple(
        max(_seconds(mark, speed, states.get(job.run)) for mark in job.marks.values())
        for job in left
    )
    tokens = sum(max(_tokens(mark, speed) for mark in job.marks.values()) for job in jobs)
    return Price(
        *(first.system, first.data.name, len(jobs), len(jobs) - len(left), speed, source),
        seconds=seconds,
        flops=tokens * cost.flops,
    )


def table(prices: Sequence[Price], at_once: int) -> list[str]:
    """For people: a row for each system and data condition, then the sum."""
    rows = [
        ["system", "data", "runs", "done", "tokens/s", "measured on", "minutes each", "FLOPs"],
        *(_row(price) for price in prices),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [*lines, _total(prices, at_once)]


def _row(price: Price) -> list[str]:
    minutes = max(price.seconds, default=0.0) / 60
    return [
        *(price.system, price.data, str(price.runs), str(price.finished)),
        *(f"{price.tokens_per_s:,.0f}", price.source, f"{minutes:,.1f}", f"{price.flops:.2e}"),
    ]


def _total(prices: Sequence[Price], at_once: int) -> str:
    each = [seconds for price in prices for seconds in price.seconds]
    if not each:
        return "every run is finished; what is left is to translate, score and test"
    processor_s = sum(each)
    elapsed = max(processor_s / at_once, max(each))  # one run never takes more than one core
    kwh = estimate_energy(processor_s).joules / _JOULES_IN_KWH
    return (
        f"{len(each)} runs to train: {processor_s / 3600:.2f} processor hours, about "
        f"{clock(elapsed)} with {at_once} at a time, some {kwh:.3f} kWh; validation while "
        "training, and translating the test sets, come on top"
    )


def _state(job: Job) -> RunState | None:
    """Where a run stands, if it has begun."""
    found, _ = newest_checkpoint(job.run / CHECKPOINTS)
    return None if found is None else found.state


def _speed(states: Iterable[RunState]) -> float:
    known = list(states)
    return sum(s.target_tokens for s in known) / max(sum(s.cpu_seconds for s in known), 1e-9)


def _tokens(mark: Mark, speed: float) -> float:
    return mark.amount if mark.unit == "tokens" else mark.amount * 60 * speed


def _seconds(mark: Mark, speed: float, state: RunState | None) -> float:
    """Processor seconds that are left to a mark."""
    done = 0.0 if state is None else mark.spent(state)
    left = max(mark.amount - done, 0.0)
    return left / speed if mark.unit == "tokens" else left * 60
