"""What a worker and the process of its core say to each other, over a socket that only they have.

Messages are pickled: both ends are this program, started by the other or starting it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.beam_search import Job
from mt.errors import MTError
from mt.phrases import Mask
from serving.running.cores import NOTHING, Facts, Progress
from serving.settings import EngineSettings


@dataclass(frozen=True)
class Open:
    """The first message: which model to load, and how."""

    bundle: Path
    settings: EngineSettings
    continuing: Mask | None


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
class Steps:
    """So many steps more; reports tell how many of them are answered."""

    number: int


@dataclass(frozen=True)
class Report:
    """What steps of a batch came to, how many rows live on, or why they failed.

    answered: of the steps that were asked for; where nobody runs, all of them, and none is made.
    """

    batch: int
    answered: int = 0
    progress: Progress = NOTHING
    rows: int = 0
    problem: MTError | None = None


Message = Open | Begin | Admit | Cancel | Steps
Opened = Facts | MTError
"""The answer to `Open`: ready, or why not."""
