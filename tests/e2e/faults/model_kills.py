"""The process of a model dies under load, again and again: what it had is searched again."""

import time

import psutil

from tests.e2e.faults.load import during
from tests.e2e.faults.ray_faults import Fault
from tests.e2e.faults.served import echo_server

CLIENTS = 4
PATIENCE_S = 120.0


def model_kills(times: int, every_s: float, deadline_s: float) -> Fault:
    """SIGKILL it, wait until another has taken over, and again."""
    fault = Fault()
    with echo_server(limits={"deadline_s": deadline_s}) as server:
        first = psutil.Process(server.process.pid)

        def kill() -> None:
            for _ in range(times):
                began = time.perf_counter()
                [of_model] = first.children()
                of_model.kill()
                fault.back_after_s.append(_another(first, of_model, began))
                time.sleep(max(began + every_s - time.perf_counter(), 0.0))

        fault.tally = during(server.url, kill, CLIENTS, retrying=False)
    return fault


def _another(first: psutil.Process, than: psutil.Process, began: float) -> float:
    """Seconds until there is another process of the model, and it computes."""
    while time.perf_counter() < began + PATIENCE_S:
        for one in first.children():
            if one.pid != than.pid and one.cpu_times().user > 0:
                return time.perf_counter() - began
        time.sleep(0.02)
    raise AssertionError("the model's process was never replaced")
