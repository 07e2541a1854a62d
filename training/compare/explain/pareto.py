"""Quality beside cost: which systems no other one beats in both?"""

from collections.abc import Sequence
from statistics import mean
from typing import Literal

from pydantic import Field

from mt.config import Strict
from training.compare.outcome import Comparison, Estimate, Result, ViewName

Cost = Literal["seconds", "memory", "energy", "parameters"]

COSTS: dict[Cost, str] = {
    "seconds": "processor milliseconds to translate a sentence",
    "memory": "MiB of resident memory while translating",
    "energy": "joules to translate a sentence",
    "parameters": "million parameters",
}
"""What each cost counts, for people; less is better."""


class Priced(Strict):
    """BLEU of a system beside one cost, means over seeds."""

    system: str
    cost: Cost
    value: float
    least: float = Field(description="of the seeds")
    most: float
    bleu: Estimate
    on_front: bool = Field(description="no other system is at least as good in both, better in one")


def pareto(comparison: Comparison, view: ViewName, data: str, test_set: str) -> tuple[Priced, ...]:
    """Every system beside every cost that was measured."""
    place = (view, data, test_set)
    rows = [
        row
        for cost in COSTS
        for row in _priced(comparison, cost, place)
        if row.most > 0  # else it was not measured
    ]
    return tuple(row.model_copy(update={"on_front": not _is_beaten(row, rows)}) for row in rows)


def _priced(comparison: Comparison, cost: Cost, place: tuple[ViewName, str, str]) -> list[Priced]:
    rows = []
    for summary in comparison.summaries:
        if (summary.view, summary.data, summary.test_set, summary.metric) != (*place, "BLEU"):
            continue
        costs = [
            _cost(comparison, result, cost)
            for result in comparison.results
            if (result.view, result.data, result.test_set) == place
            and result.system == summary.system
        ]
        rows.append(
            Priced(
                system=summary.system,
                cost=cost,
                value=mean(costs),
                least=min(costs),
                most=max(costs),
                bleu=summary.mean,
                on_front=True,
            )
        )
    return rows


def _cost(comparison: Comparison, result: Result, cost: Cost) -> float:
    decoding = result.decoding
    sentences = next(one for one in comparison.test_sets if one.name == result.test_set).sentences
    if cost == "seconds":
        return 1000 * decoding.processor_seconds / sentences
    if cost == "memory":
        return decoding.memory_mib
    if cost == "energy":
        return decoding.energy.joules / sentences
    return next(one for one in comparison.systems if one.name == result.system).parameters / 1e6


def _is_beaten(row: Priced, rows: Sequence[Priced]) -> bool:
    """Whether another system costs no more, is no worse, and is ahead in one of both."""
    return any(
        other.value <= row.value
        and other.bleu.value >= row.bleu.value
        and (other.value < row.value or other.bleu.value > row.bleu.value)
        for other in rows
        if other.cost == row.cost
    )
