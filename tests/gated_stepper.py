"""An echo that steps only when a test lets it, and fails where a test wants it to."""

import threading
from collections.abc import Sequence

from mt.stepper import Rows, StepOutput
from tests.fakes import EchoStepper

PATIENCE_S = 20.0  # before a test gives up; none ever waits that long


class GatedStepper(EchoStepper):
    """Blocks in every step until `allow`; a sentence that holds a poisonous id breaks its batch."""

    def __init__(
        self,
        vocab_size: int = 40,
        open_gate: bool = False,
        poison: Sequence[int] = (),
        poison_at: str = "step",
    ) -> None:
        super().__init__(vocab_size)
        self.open_gate = open_gate
        self.poison = set(poison)
        self._poison_at = poison_at
        self._permits = threading.Semaphore(0)
        self._arrivals = threading.Semaphore(0)

    def allow(self, steps: int = 1) -> None:
        """Let so many steps happen."""
        self._permits.release(steps)

    def open(self) -> None:
        """Let every step happen from now on."""
        self.open_gate = True
        self._permits.release()

    def wait_until_asked(self) -> None:
        """Return when the engine stands before one more step."""
        assert self._arrivals.acquire(timeout=PATIENCE_S), "the engine never asked for a step"

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[int]:
        if self._poison_at == "admit" and any(self.poison & set(src) for src in src_ids):
            raise RuntimeError("poison")
        return super().admit(src_ids, most_rows)

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        self._arrivals.release()
        if not self.open_gate:
            assert self._permits.acquire(timeout=PATIENCE_S), "nobody allowed this step"
        if any(self.poison & set(src) for src in self.running.values()):
            raise RuntimeError("poison")
        return super().step(rows, k, with_attention)
