"""The trainings that a comparison needs, and which weights of each stand for a budget.

A learning rate that knows no end makes one run of all views: its largest budget ends it, the others
are milestones. One that comes to rest at the end of its budget needs a run for each view.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mt.errors import CheckpointError, ConfigError
from training.budget import LIMITS, RunState, lies_at
from training.checkpoint import (
    CHECKPOINTS,
    MILESTONES,
    Checkpoint,
    checkpoint_folders,
    newest_checkpoint,
    read_checkpoint,
)
from training.compare.conditions import changed, condition_recipe
from training.compare.fairness import follows_budget
from training.compare.outcome import DataCondition, View, ViewName
from training.compare.plan import Plan, PlannedSystem
from training.compare.shared import Shared
from training.recipe import Recipe, differing_choices, differing_keys, to_values, with_defaults
from training.trained import read_final

SELECTION = (
    "of the weights when the budget was spent and the run's best-scored checkpoint before that, "
    "those with the higher validation BLEU; a run keeps that checkpoint only until a later one "
    "scores better, so of its smaller budgets mostly the former"
)
_CHOICES = ("training.precision", "evaluation.")  # what systems must share, budgets aside


@dataclass(frozen=True)
class Mark:
    """Where on its way a run has spent a view's budget."""

    unit: Literal["tokens", "minutes"]
    amount: float

    def spent(self, state: RunState) -> float:
        """How much of the unit a run has spent."""
        return state.target_tokens if self.unit == "tokens" else state.cpu_seconds / 60


@dataclass(frozen=True)
class Job:
    """One training: recipe, folder, and where each view's budget ends."""

    system: str
    seed: int
    data: DataCondition
    marks: dict[ViewName, Mark]
    recipe: Recipe
    run: Path
    given: bool = False  # trained before, somewhere else

    @property
    def name(self) -> str:
        """For people."""
        data = "" if self.data.name == "all" else f", {self.data.name}"
        return f"{self.system}, seed {self.seed}{data}"


def make_jobs(plan: Plan, recipes: Mapping[str, Recipe], shared: Shared, folder: Path) -> list[Job]:
    """All trainings, in the order in which they are done; recipes are the systems', by name."""
    return [
        job
        for data in plan.conditions
        for seed in plan.seeds
        for system in plan.systems
        for job in _jobs(plan, system, recipes[system.name], seed, data, shared, folder)
    ]


def _jobs(
    plan: Plan,
    system: PlannedSystem,
    recipe: Recipe,
    seed: int,
    data: DataCondition,
    shared: Shared,
    folder: Path,
) -> Iterator[Job]:
    """Those of one system, seed and data condition: one, or one for each view."""
    flops = shared.costs[system.name, data.name].flops
    marks = {view.name: _mark(view, flops) for view in plan.views_of(data)}
    own = condition_recipe(recipe, data, shared.joined)
    pieces = {
        "subwords.model": str(shared.tokenizer),
        "subwords.vocab_size": shared.pieces.vocab_size,
    }
    own = changed(own, {**pieces, "seed": seed, "evaluation.patience": None})
    given = system.runs.get(seed) if data.name == "all" else None
    if given is not None:
        yield Job(system.name, seed, data, marks, own, given, given=True)
        return
    run = folder / system.name / data.name / f"seed-{seed}"
    if not follows_budget(recipe):
        yield Job(system.name, seed, data, marks, _with_marks(own, marks), run)
        return
    for view, mark in marks.items():
        alone = {view: mark}
        name = f"{run.name}-{view}" if len(marks) > 1 else run.name
        yield Job(system.name, seed, data, alone, _with_marks(own, alone), run.with_name(name))


def _mark(view: View, flops_per_token: float) -> Mark:
    match view.name:
        case "tokens":
            return Mark("tokens", round(view.budget))
        case "minutes":
            return Mark("minutes", view.budget)
        case "flops":
            return Mark("tokens", max(round(view.budget / flops_per_token), 1))


def _with_marks(recipe: Recipe, marks: Mapping[ViewName, Mark]) -> Recipe:
    """A recipe that trains to the last mark and keeps a checkpoint at each."""
    tokens = sorted({int(mark.amount) for mark in marks.values() if mark.unit == "tokens"})
    minutes = sorted({mark.amount for mark in marks.values() if mark.unit == "minutes"})
    return changed(
        recipe,
        {
            **{f"training.{limit}": None for limit in LIMITS},
            "training.max_tokens": max(tokens, default=None),
            "training.max_cpu_minutes": max(minutes, default=None),
            "training.end_at": "last",
            "training.keep_at_tokens": tokens,
            "training.keep_at_minutes": minutes,
            "training.threads": 1,
        },
    )


def is_finished(job: Job) -> bool:
    """Whether nothing is left to train: the run ended, and with these budgets."""
    if job.given:
        return True
    final = read_final(job.run)
    if final is None or differs(job, final):
        return False
    return all(mark.spent(final.state) >= mark.amount for mark in job.marks.values())


def differs(job: Job, found: Checkpoint) -> list[str]:
    """Dotted keys in which a trained recipe is another than the job's; the pieces are compared by
    their checksum, elsewhere, and budgets by what a run kept.
    """
    trained, asked = with_defaults(found.origin.recipe), to_values(job.recipe)
    choices = [key for key in differing_choices(trained, asked) if key.startswith(_CHOICES)]
    return [
        *differing_keys(trained, asked, same_pieces=True),
        *(key for key in choices if key != "evaluation.patience"),
    ]


def check_runs(jobs: list[Job], tokenizer_sha256: str) -> None:
    """Refuse runs that were trained before, or begun, and are not what the plan says.

    Raises:
        ConfigError: every problem there is, on one line.
    """
    problems = [
        f"{job.name}: {problem}"
        for job in jobs
        for problem in (_problems(job, tokenizer_sha256) if job.given else _left_over(job))
    ]
    if problems:
        raise ConfigError(f"runs that were trained before do not fit: {'; '.join(problems)}")


def _left_over(job: Job) -> Iterator[str]:
    found = read_final(job.run) or newest_checkpoint(job.run / CHECKPOINTS)[0]
    if found is not None and (keys := differs(job, found)):
        yield (
            f"{job.run} was trained with other {', '.join(keys)}; change that back, delete it, or "
            "compare into another folder"
        )


def _problems(job: Job, tokenizer_sha256: str) -> Iterator[str]:
    try:
        kept = checkpoints(job.run)
    except CheckpointError as error:
        yield str(error)
        return
    if keys := differs(job, kept[-1]):
        yield f"{job.run} was trained with other {', '.join(keys)}"
    if kept[-1].origin.tokenizer_sha256 != tokenizer_sha256:
        yield f"{job.run} has another SentencePiece model than the others"
    for mark in job.marks.values():
        try:
            at_mark(kept, mark, job.run)
        except CheckpointError as error:
            yield str(error)


def checkpoints(run: Path) -> list[Checkpoint]:
    """All weights that a run kept on its way, by update; at least one.

    Raises:
        CheckpointError: there are none, or one is damaged.
    """
    folders = [
        folder for kind in (MILESTONES, CHECKPOINTS) for folder in checkpoint_folders(run / kind)
    ]
    if not folders:
        raise CheckpointError(f"{run} holds no checkpoints; train it")
    found = [read_checkpoint(folder) for folder in folders]
    return sorted(found, key=lambda checkpoint: checkpoint.state.update)


def at_mark(kept: Sequence[Checkpoint], mark: Mark, run: Path) -> Checkpoint:
    """The weights when a budget was spent, of all that a run kept.

    Raises:
        CheckpointError: the run kept none there.
    """
    for found in kept:
        if lies_at(mark.amount, mark.spent(found.state), found.state.update):
            return found
    nearest = min((mark.spent(found.state) for found in kept), key=lambda at: abs(at - mark.amount))
    raise CheckpointError(
        f"{run} kept no weights at {mark.amount:,.6g} {mark.unit}, only at {nearest:,.6g}; "
        f"train it again with training.keep_at_{mark.unit}, or compare at another budget"
    )


def candidates(kept: Sequence[Checkpoint], mark: Mark, run: Path) -> list[Checkpoint]:
    """Weights of which validation chooses: those at the mark, and the best before, if kept.

    Raises:
        CheckpointError: the run kept none at the mark.
    """
    last = at_mark(kept, mark, run)
    best = [evaluation.update for evaluation in last.state.best(1)]
    earlier = [found for found in kept if found.state.update in best]
    return [last, *(found for found in earlier[:1] if found.state.update < last.state.update)]
