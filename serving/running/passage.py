"""A sentence's way through an engine, told to whoever asked for it: for metrics and traces."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """When one sentence joined, entered and left, by `time.monotonic`. Never its text."""

    engine: str
    joined: float
    entered: float | None
    """When it began to run; None where it never did."""
    left: float
    source_tokens: int
    rows: int
    """The most hypotheses that its search may hold."""


Witness = Callable[[Passage], None]
"""Told on the engine's thread, just before the answer is there; must be quick and not fail."""

WITNESS: ContextVar[Witness | None] = ContextVar("witness", default=None)
"""Who is told of the sentences that are submitted in this context."""
