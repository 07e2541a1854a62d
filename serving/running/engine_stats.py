"""What an engine is doing and has done. Sentences are counted unless a name says otherwise."""

from dataclasses import dataclass


@dataclass
class Counters:
    """Events since the start."""

    done: int = 0
    cancelled: int = 0
    expired: int = 0
    failed: int = 0
    refused: int = 0
    """Found the queue full."""
    steps: int = 0
    rows_stepped: int = 0

    @property
    def mean_rows(self) -> float:
        """Rows in a step, on average."""
        return self.rows_stepped / max(self.steps, 1)


@dataclass(frozen=True)
class EngineStats:
    """One moment of an engine; the counters are those of `Counters`."""

    name: str
    ready: bool
    """Takes new sentences and answers them."""
    healthy: bool
    running: int
    rows: int
    """Live hypotheses of the running sentences."""
    waiting: int
    done: int
    cancelled: int
    expired: int
    failed: int
    refused: int
    steps: int
    mean_rows: float
    age_s: float
    """Seconds the turn under way has taken so far; 0 when there is nothing to do."""
    cache_bytes: int = 0
    """What the running sentences may come to take of memory, beside the weights."""
