"""The process of a model dies under load, again and again: what it had is searched again."""

import time

import psutil

from tests.e2e.faults.load import during
from tests.e2e.faults.ray_faults import Fault
from tests.e2e.faults.served import echo_server

CLIENTS = 4
PATIENCE_S = 120.0


def model_kills(times: int, every_s: float, deadline_s: float) -> Fault:
    """SIGKILL it, wait until there is another, and again."""
    with echo_server(limits={"deadline_s": deadline_s}) as server:
        first = psutil.Process(server.process.pid)

        def kill() -> None:
            for _ in range(times):
                [of_model] = first.children()
                of_model.kill()
                wait_for_another(first, of_model)
                time.sleep(every_s)

        return Fault(during(server.url, kill, CLIENTS, retrying=False))


def wait_for_another(first: psutil.Process, than: psutil.Process) -> None:
    """Until there is another process of the model."""
    give_up = time.monotonic() + PATIENCE_S
    while not any(one.pid != than.pid for one in first.children()):
        assert time.monotonic() < give_up, "the model's process was never replaced"
        time.sleep(0.02)
