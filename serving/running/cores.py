"""Where a worker's batch runs: on the worker's own thread, or in a process of its own."""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol

from mt.beam_search import Finished, Job, RunningBatch
from mt.bundle import Bundle
from mt.phrases import Mask
from mt.stepper import Footprint, Stepper, runtime
from serving.settings import EngineSettings


class Progress(NamedTuple):
    """What some steps came to: who was finished by them, and rows, those of all steps together."""

    finished: Sequence[Finished] = ()
    steps: int = 0
    rows: int = 0


NOTHING = Progress()


class Batch(Protocol):
    """Searches that run together, as their worker sees them; see `RunningBatch`."""

    @property
    def rows(self) -> int:
        """Number of live rows."""

    def admit(self, jobs: Sequence[Job]) -> None:
        """Encode sentences, which join at the next step; all of them or none."""

    def cancel(self, keys: Iterable[Hashable]) -> None:
        """Drop running sentences and free their rows; unknown keys are passed over."""

    def step(self) -> Progress:
        """Continue every live row by one token, or by some; sentences that are finished leave."""


class Facts(NamedTuple):
    """What an engine must know of the model on its cores."""

    vocab_size: int
    max_target_tokens: int = 256
    footprint: Footprint = Footprint()


class Core(Protocol):
    """One worker's part of the machine: a model, and one batch on it at a time."""

    @property
    def facts(self) -> Facts:
        """Of the model."""

    @property
    def process(self) -> int | None:
        """Number of the process that the batch runs in; None: it is this one."""

    def begin(self) -> Batch:
        """An empty batch, in place of the one before, which was cancelled as far as it can be."""

    def close(self) -> None:
        """Free what the core holds; safe to repeat."""


class LocalBatch:
    """A batch on the thread that asks."""

    def __init__(self, batch: RunningBatch) -> None:
        self._batch = batch
        self.admit, self.cancel = batch.admit, batch.cancel

    @property
    def rows(self) -> int:
        """See `Batch`."""
        return self._batch.rows

    def step(self) -> Progress:
        """One step, where there are rows."""
        rows = self._batch.rows
        return Progress(self._batch.step(), int(rows > 0), rows)


class LocalCore:
    """A stepper of this process. It is the core's now."""

    process: int | None = None

    def __init__(
        self, stepper: Stepper, max_target_tokens: int = 256, continuing: Mask | None = None
    ) -> None:
        """See `RunningBatch`."""
        self.facts = Facts(stepper.vocab_size, max_target_tokens, stepper.footprint)
        self._stepper, self._continuing = stepper, continuing

    def begin(self) -> LocalBatch:
        """A batch on this core's stepper."""
        longest = self.facts.max_target_tokens
        return LocalBatch(RunningBatch(self._stepper, longest, self._continuing))

    def close(self) -> None:
        """The garbage collector frees all that there is."""


def local_cores(
    bundle: Bundle, settings: EngineSettings, continuing: Mask | None = None
) -> list[LocalCore]:
    """One for each worker, all on the same weights.

    Raises:
        BundleError: no such precision, no shortlist, or a graph is damaged.
        ConfigError: the runtime is not installed.
    """
    first = runtime("onnx")(
        bundle, settings.precision, settings.threads, settings.device, settings.shortlist
    )
    steppers = [first, *(first.twin() for _ in range(1, settings.workers))]
    longest = bundle.manifest.max_target_tokens
    return [LocalCore(stepper, longest, continuing) for stepper in steppers]
