"""What a worker and the process of its core say to each other, over a socket that only they have.

Messages are pickled: both ends are this program, started by the other or starting it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.beam_search import Finished, Job
from mt.errors import MTError
from mt.phrases import Mask
from serving.running.cores import Facts
from serving.settings import EngineSettings


@dataclass(frozen=True)
class Open:
    """The first message: which model to load, and how."""

    bundle: Path
    settings: EngineSettings
    continuing: Mask | None


@dataclass(frozen=True)
class Opened:
    """Its answer: ready, or why not."""

    facts: Facts | None = None
    problem: MTError | None = None


@dataclass(frozen=True)
class Begin:
    """Forget everybody; an empty batch of this number begins."""

    batch: int


@dataclass(frozen=True)
class Admit:
    """See `RunningBatch.admit`."""

    jobs: Sequence[Job]


@dataclass(frozen=True)
class Cancel:
    """See `RunningBatch.cancel`."""

    keys: Sequence[Hashable]


@dataclass(frozen=True)
class Step:
    """One step more; each is answered by a report."""


@dataclass(frozen=True)
class Report:
    """What a step of a batch came to: who is finished, how many rows live on, or why it failed."""

    batch: int
    finished: Sequence[Finished] = ()
    rows: int = 0
    problem: MTError | None = None


Message = Open | Begin | Admit | Cancel | Step
