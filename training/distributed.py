"""Work spread over Ray's workers: the only module of training that knows Ray.

Every worker must see the same files under the same paths (one machine, or a shared file system),
and have `seq2serve[train]` installed.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mt.errors import ConfigError, MTError
from training.interrupts import StopRequest

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

LOCAL = "local"
_LOOK_EVERY_S = 0.5
_SAVING_S = 60.0  # what tasks get to save before they are given up


def on_ray(
    work: Callable[[Job], Outcome],
    jobs: Sequence[Job],
    address: str = LOCAL,
    watch: Callable[[int], None] = lambda done: None,
) -> list[Outcome]:
    """Do one piece of work for every job, as Ray tasks of one core each; results in their order.

    Every task has a process of its own, so that memory is measured of it alone.

    address: of a cluster (`auto`, `ray://host:10001`), or `local`: this machine's cores. A task
    whose worker died is done again. `watch` is told now and then how many are done.

    Raises:
        ConfigError: Ray is not installed, or the cluster cannot be reached.
        MTError: a job failed with it; the others are cancelled.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after tasks had time to save.
    """
    ray = _connect(address)
    here = Path.cwd()

    def task(job: Job) -> Outcome:
        os.chdir(here)  # recipes name files as the driver sees them
        return work(job)

    try:
        remote = ray.remote(num_cpus=1, max_retries=3, max_calls=1)(task)
        return _collect(ray, [remote.remote(job) for job in jobs], watch)
    finally:
        ray.shutdown()


def _connect(address: str) -> Any:  # noqa: ANN401 - Ray has no types
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError("--ray needs Ray: pip install 'ray>=2.60'") from None
    try:
        ray.init(
            address=None if address == LOCAL else address,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"--ray {address}: the cluster cannot be used ({why})") from None
    return ray


def _collect(ray: Any, tasks: list[Any], watch: Callable[[int], None]) -> list[Any]:  # noqa: ANN401
    """Wait for all; the first that fails, or a signal, cancels the others."""
    pending = tasks
    with StopRequest() as stop:
        try:
            while pending:
                done, pending = ray.wait(pending, timeout=_LOOK_EVERY_S)
                for task in done:
                    _result(ray, task)
                watch(len(tasks) - len(pending))
                if stop:
                    raise KeyboardInterrupt
        finally:
            for task in pending:
                ray.cancel(task)
            if pending:
                ray.wait(pending, num_returns=len(pending), timeout=_SAVING_S)
    return [_result(ray, task) for task in tasks]


def _result(ray: Any, task: Any) -> Any:  # noqa: ANN401
    """A task's result, or its own error instead of Ray's."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MTError):
            raise error.cause from None
        raise
