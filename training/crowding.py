"""Other programs on a run's cores: threads that share out an operation wait for the slowest."""

from pathlib import Path

import torch

from training.console import say

_SCHEDSTAT = Path("/proc/thread-self/schedstat")  # Linux: ns on a core, ns waiting for one, slices
_SHARE = 0.2  # of a thread's time that it waits for a core: above, something else has the core
_ENOUGH_NS = 5e9  # is needed to tell


class Crowding:
    """How long the thread that makes it waits for a core, since then or since it last looked.

    device: that of the model; on a GPU the cores have little to do.
    """

    def __init__(self, device: torch.device) -> None:
        self._told = device.type != "cpu" or torch.get_num_threads() < 2
        self._on_core, self._waiting = _nanoseconds()

    def check(self) -> None:
        """Say once that fewer threads are faster here, where others take the cores from them."""
        on_core, waiting = _nanoseconds()
        spent = on_core - self._on_core + waiting - self._waiting
        if self._told or spent < _ENOUGH_NS:
            return
        share = (waiting - self._waiting) / spent
        self._on_core, self._waiting = on_core, waiting
        if share > _SHARE:
            self._told = True
            say(
                f"warning: other programs want the same cores, and {torch.get_num_threads()} "
                f"threads wait for each other at every step ({share:.0%} of the time): stop them, "
                "or stop this and go on with --set training.threads=1"
            )


def _nanoseconds() -> tuple[int, int]:
    """On a core and waiting for one; noughts where the kernel does not tell."""
    try:
        on_core, waiting, _ = map(int, _SCHEDSTAT.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 0, 0
    return on_core, waiting
