"""One piece of work for many jobs: here, in several processes, or on Ray."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.console import Progress, say
from training.durable_files import write_file
from training.recipe import Recipe, load_recipe, to_yaml
from training.side_by_side import share_of_runs, train_side_by_side
from training.train import train

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Workers:
    """How many jobs run at a time, and where; ray: a cluster's address, None without Ray."""

    at_once: int = os.cpu_count() or 1
    ray: str | None = None

    def train(self, recipes: dict[Path, Recipe]) -> None:
        """Train recipes into their run folders, or go on where they stopped.

        Raises:
            CheckpointError, ConfigError, CorpusError: a training failed.
            KeyboardInterrupt: a signal came; what was done is saved.
        """
        if not recipes:
            return
        if self.ray is None:
            train_side_by_side(recipes, self.at_once)
            return
        for run, recipe in recipes.items():
            write_file(run / "recipe.yaml", to_yaml(recipe).encode())
        with Progress(f"training {len(recipes)} models on Ray") as bar:
            self._on_ray(train_run, list(recipes), lambda _: bar.update(share_of_runs(recipes)))

    def score(
        self, work: Callable[[Job], Outcome], jobs: Sequence[Job], title: str
    ) -> list[Outcome]:
        """Do work that keeps what it finds; results in the order of jobs.

        Raises:
            MTError: a job failed.
        """
        with Progress(title) as bar:

            def watch(done: int) -> None:
                bar.update(done / len(jobs), f"{done} of {len(jobs)}")

            if self.ray is not None:
                return self._on_ray(work, jobs, watch)
            if min(self.at_once, len(jobs)) > 1:
                return self._in_processes(work, jobs, watch)
            found = []
            for done, job in enumerate(jobs, start=1):
                found.append(work(job))
                watch(done)
            return found

    def _in_processes(
        self, work: Callable[[Job], Outcome], jobs: Sequence[Job], watch: Callable[[int], None]
    ) -> list[Outcome]:
        """New processes: torch's threads do not survive a fork."""
        spawn, count = multiprocessing.get_context("spawn"), min(self.at_once, len(jobs))
        with ProcessPoolExecutor(count, spawn, initializer=_end_with_parent) as pool:
            tasks = [pool.submit(work, job) for job in jobs]
            try:
                for done, task in enumerate(as_completed(tasks), start=1):
                    task.result()
                    watch(done)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            return [task.result() for task in tasks]

    def _on_ray(
        self, work: Callable[[Job], Outcome], jobs: Sequence[Job], watch: Callable[[int], None]
    ) -> list[Outcome]:
        from training.distributed import on_ray

        return on_ray(work, jobs, str(self.ray), watch)


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, also where whoever gave it was killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def train_run(run: Path) -> None:
    """Train the recipe that lies in a run's folder, as one task.

    Raises:
        ConfigError, CheckpointError, CorpusError: see `train`.
    """
    say(train(load_recipe(run / "recipe.yaml"), run).summary())
