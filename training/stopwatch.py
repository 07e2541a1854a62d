"""What updates cost: time by the clock and by the processor, evaluation not counted, and memory."""

import resource
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
        """Add to a run's state what went by, and note its memory; the seconds by the clock."""
        seconds = time.perf_counter() - self._clock
        state.seconds += seconds
        state.cpu_seconds += time.process_time() - self._cpu
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux
        state.peak_rss_mib = max(state.peak_rss_mib, kib / 1024)
        return seconds
