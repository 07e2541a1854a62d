"""Time spent on updates, by the clock and by the processor; evaluation is not counted."""

import time

from training.budget import RunState


class Stopwatch:
    """Runs from its making."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what went by since the last lap."""
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, state: RunState) -> float:
        """Add to a run's state what went by; the seconds by the clock."""
        seconds = time.perf_counter() - self._clock
        state.seconds += seconds
        state.cpu_seconds += time.process_time() - self._cpu
        return seconds
