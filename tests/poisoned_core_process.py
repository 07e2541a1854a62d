"""A core's process over an echo that breaks on one id, dies of another and dallies over a third."""

import os
import signal
import time
from unittest.mock import patch

from mt.bundle import Bundle
from mt.phrases import Mask
from mt.stepper import Rows, StepOutput
from serving.running import core_process
from serving.running.cores import LocalCore
from serving.settings import EngineSettings
from tests.fakes import EchoStepper

MODULE = "tests.poisoned_core_process"
BREAKS, DIES, HANGS, SLOW = 13, 14, 15, 16
SLOWLY_S = 0.3  # a step
HUNG_S = 60.0


class PoisonedStepper(EchoStepper):
    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        inside = {id_ for src in self.running.values() for id_ in src}
        if BREAKS in inside:
            raise RuntimeError("a secret text")
        if DIES in inside:
            os.kill(os.getpid(), signal.SIGKILL)
        if SLOW in inside:
            time.sleep(SLOWLY_S)
        if HANGS in inside:
            time.sleep(HUNG_S)
        return super().step(rows, k, with_attention)


def poisoned_cores(
    bundle: Bundle, settings: EngineSettings, continuing: Mask | None = None
) -> list[LocalCore]:
    """Where a file named `deadly` lies beside the bundle, opening it is the end."""
    if (bundle.folder.parent / "deadly").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return [LocalCore(PoisonedStepper(bundle.manifest.vocab_size), 40, continuing)]


if __name__ == "__main__":
    with patch.object(core_process, "local_cores", poisoned_cores):
        core_process.main()
