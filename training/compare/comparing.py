"""A comparison before anything is trained: checked, and with all that its trainings share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.compare.fairness import Fair, check_fairness
from training.compare.jobs import Job, check_runs, make_jobs
from training.compare.plan import Plan
from training.compare.shared import Shared, share
from training.recipe import Recipe

RUNS = "runs"
MEMORY = "found"


@dataclass(frozen=True)
class Comparing:
    """A comparison that is fair, with all that its trainings share."""

    plan: Plan
    recipes: Mapping[str, Recipe]
    folder: Path
    fair: Fair
    shared: Shared
    jobs: list[Job]

    @property
    def memory(self) -> Path:
        """Where scoring keeps what it finds."""
        return self.folder / RUNS / MEMORY


def open_comparison(plan: Plan, recipes: Mapping[str, Recipe], folder: Path) -> Comparing:
    """Check the plan and prepare what is shared; recipes are the systems', by name.

    Raises:
        ConfigError: it would not be fair, or a run that was trained before does not fit.
        CorpusError: the corpus cannot be had.
    """
    fair = check_fairness(plan, recipes)
    shared = share(plan, recipes, folder / RUNS)
    jobs = make_jobs(plan, recipes, shared, folder / RUNS)
    check_runs(jobs, shared.tokenizer_sha256)
    return Comparing(plan, recipes, folder, fair, shared, jobs)
