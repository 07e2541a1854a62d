"""Work spread over Ray's workers: the only module of training that knows Ray.

Every worker must see the same files under the same paths (one machine, or a shared file system),
and have `seq2serve[train]` installed.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

import torch

from mt import errors
from mt.attempts import RAY_STARTS, insist
from mt.errors import ConfigError, MTError
from training.budget import RunState
from training.checkpoint import CHECKPOINTS, newest_checkpoint
from training.console import say
from training.crew import STOP, Together
from training.durable_files import remove_folder, write_file
from training.finish import TrainResult, finished_result
from training.interrupts import StopRequest
from training.recipe import Recipe, to_values
from training.train import follow, train

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

LOCAL = "local"
_LOOK_EVERY_S = 0.5
_SAVING_S = 60.0  # what tasks get to save before they are given up
_RESTARTS = 20  # of all workers, because one was lost
_OF_RAY = "ray"  # in a run's folder: Ray Train's own notes
_FAILURE = ".failure.json"  # in a run's folder: what no restart would mend


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


def train_together(recipe: Recipe, run: Path, workers: int, address: str = LOCAL) -> TrainResult:
    """Train a recipe with several workers of Ray Train, which see `run` under the same path.

    An update is the very one that a single worker makes: its batches, or where they do not come
    out even their rows, are dealt out. Each worker has `training.threads` cores (1 where the recipe
    names none), and a GPU where there is one for each. When one is lost, all go on from the newest
    checkpoint. The same call again continues.

    Raises:
        ConfigError: Ray Train is not installed, the cluster cannot be used or is too small.
        MTError: as `train`.
    """
    if result := finished_result(recipe, run):
        return result
    ray = _connect(address, show=True)
    for name in (STOP, _FAILURE):
        (run / name).unlink(missing_ok=True)
    remove_folder(run / _OF_RAY)  # our checkpoints say where the run stands
    try:
        trainer = _trainer(ray, recipe, run.resolve(), workers)
        with StopRequest() as stop, ThreadPoolExecutor(1) as pool:
            fitted = pool.submit(trainer.fit)  # in the main thread it would take the signals
            while wait([fitted], _LOOK_EVERY_S).not_done:
                if stop:
                    (run / STOP).touch()
        _raise_noted(run)
        if error := fitted.exception():
            raise ConfigError(f"{recipe.name}: workers were lost too often ({_line(error)})")
    finally:
        ray.shutdown()
        (run / STOP).unlink(missing_ok=True)
    newest, _ = newest_checkpoint(run / CHECKPOINTS)
    state = newest.state if newest else RunState()
    return finished_result(recipe, run) or TrainResult(run, state, "stopped by a signal")


def _trainer(ray: Any, recipe: Recipe, run: Path, workers: int) -> Any:  # noqa: ANN401
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        missing = getattr(error, "name", None) or "ray[train]"
        raise ConfigError(f"--workers needs {missing}: pip install 'seq2serve[ray]'") from None
    threads, there = recipe.training.threads or 1, ray.cluster_resources()
    if there.get("CPU", 0) < workers * threads:
        raise ConfigError(
            f"--workers {workers} of {threads} threads need {workers * threads} cores, but Ray has "
            f"{there.get('CPU', 0):.0f}; ask for fewer, or lower training.threads"
        )
    gpus = recipe.training.device != "cpu" and there.get("GPU", 0) >= workers
    return TorchTrainer(
        _work,
        train_loop_config={
            "recipe": to_values(recipe),
            "run": str(run),
            "here": str(Path.cwd()),
            "threads": threads,
        },
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=gpus, resources_per_worker={"CPU": threads}
        ),
        run_config=RunConfig(
            name="workers",
            storage_path=str(run / _OF_RAY),
            failure_config=FailureConfig(max_failures=_RESTARTS),
        ),
    )


def _work(config: dict[str, Any]) -> None:
    """What every worker does."""
    from ray.train.torch import get_device

    os.chdir(config["here"])  # recipes name files as the driver sees them
    if (device := get_device()).type == "cuda":
        torch.cuda.set_device(device)
    recipe = Recipe.model_validate(config["recipe"])
    take_part(recipe, Path(config["run"]), config["threads"])


def take_part(recipe: Recipe, run: Path, threads: int) -> None:
    """Train as one of the workers of a process group, which is left at the end.

    Errors that a restart would only repeat are noted for the driver, not raised.

    Raises:
        RuntimeError: another worker was lost.
    """
    crew = Together(threads)
    try:
        if crew.rank == 0:
            train(recipe, run, crew=crew)
        else:
            follow(recipe, run, crew)
    except MTError as error:
        facts = {"kind": type(error).__name__, "message": str(error)}
        write_file(run / _FAILURE, json.dumps(facts).encode())
    except RuntimeError:  # another worker hung up
        if not (run / _FAILURE).exists() and finished_result(recipe, run) is None:
            raise
    finally:
        torch.distributed.destroy_process_group()


def _raise_noted(run: Path) -> None:
    """The error of a worker, as its own kind."""
    path = run / _FAILURE
    if path.exists():
        facts = json.loads(path.read_bytes())
        path.unlink()
        raise getattr(errors, facts["kind"], MTError)(facts["message"])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[-300:]


def _connect(address: str, show: bool = False) -> Any:  # noqa: ANN401 - Ray has no types
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigError("--ray needs Ray: pip install 'ray>=2.60'") from None
    own = address == LOCAL

    def start() -> None:
        ray.init(
            address=None if own else address,
            include_dashboard=False if own else None,
            log_to_driver=show,
            logging_level=logging.ERROR,
        )

    try:
        insist(start, RAY_STARTS if own else 1, lambda _: say("Ray did not start; trying again"))
    except Exception as error:  # Ray raises bare ones, too
        raise ConfigError(f"--ray {address}: the cluster cannot be used ({_line(error)})") from None
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
