"""How long to train, where, and what to keep; when to stop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mt.config import Strict
from training.precision import Device, Precision
from training.schedule import PlateauState

LIMITS = {  # settings that end a run, and the figure of the metrics that each bounds
    "max_updates": "update",
    "max_minutes": "minutes",
    "max_cpu_minutes": "cpu_minutes",
    "max_epochs": "epoch",
    "max_tokens": "target_tokens",
}
_LATEST = 0.02


class TrainingConfig(Strict):
    """Budget, machine and keeping. All of it may change when a run is continued."""

    max_updates: int | None = Field(None, gt=0, description="updates of the weights")
    max_minutes: float | None = Field(
        None, gt=0, description="minutes spent on updates, over all sittings, evaluation excluded"
    )
    max_cpu_minutes: float | None = Field(
        None, gt=0, description="minutes that processors spent on updates, all threads together"
    )
    max_epochs: float | None = Field(None, gt=0, description="passes over the training pairs")
    max_tokens: int | None = Field(None, gt=0, description="target tokens, padding excluded")
    end_at: Literal["first", "last"] = Field(
        "first", description="which of several limits ends the run"
    )
    average: Literal["best", "last"] = Field(
        "best", description="final weights: mean of the best-scored or of the last checkpoints"
    )
    average_count: int = Field(5, gt=0, description="checkpoints kept and averaged")
    device: Device = Field("auto", description="cpu, cuda, or auto: cuda where there is one")
    precision: Precision = Field(
        "fp32",
        description="fp32, bf16 (autocast), or auto: bf16 where the device multiplies it; not the "
        "default, because what it costs in BLEU is not measured",
    )
    compile: bool = Field(
        False, description="torch.compile; off, because what it gains on a GPU is not measured"
    )
    sharded: bool = Field(
        False,
        description="with --workers: each has only a part of the weights, of their gradients and "
        "of the optimizer's memory (FSDP), for models that are too large to be copied",
    )
    threads: int | None = Field(None, gt=0, description="CPU threads; empty: every core")
    keep_at_minutes: tuple[PositiveFloat, ...] = Field(
        (),
        description="processor minutes spent on updates after which a checkpoint is kept for good, "
        "in RUN/milestones: the points of a learning curve",
    )
    keep_at_tokens: tuple[PositiveInt, ...] = Field(
        (), description="target tokens after which a checkpoint is kept as well"
    )
    log_every: int = Field(50, gt=0, description="updates between two lines of metrics")
    max_bad_updates: int = Field(
        10, gt=0, description="updates in a row whose loss or gradient may be infinite or NaN"
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> "TrainingConfig":
        if not self.limits():
            raise ValueError(f"set at least one of {', '.join(LIMITS)}")
        return self

    def limits(self) -> dict[str, float]:
        """The limits that are set, by their names."""
        found = {name: getattr(self, name) for name in LIMITS}
        return {name: limit for name, limit in found.items() if limit is not None}


@dataclass
class Evaluation:
    """One validation score: after which update, in BLEU, 0-100 (pretraining: token accuracy)."""

    update: int
    bleu: float


@dataclass
class Sitting:
    """By which revision of this program, and on what, a run was trained from an update on."""

    from_update: int
    revision: str | None
    machine: dict[str, str | int]


class Spent(NamedTuple):
    """What a run has cost."""

    cpu_minutes: float
    target_tokens: int


@dataclass
class RunState:
    """Where a run stands. All of it is JSON in every checkpoint.

    epoch counts finished epochs, position the updates done in the running one, of `per_epoch`;
    seconds were spent on updates, and cpu_seconds by all threads of the process meanwhile;
    evaluated_s is `seconds` at the latest evaluation; peak_rss_mib is the most memory (MiB) that
    the process ever held; sittings say by what it was trained, a line for each change.
    """

    update: int = 0
    epoch: int = 0
    position: int = 0
    per_epoch: int = 1
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mib: float = 0.0
    target_tokens: int = 0
    bad_updates: int = 0
    evaluated_s: float = 0.0
    history: list[Evaluation] = field(default_factory=list)
    plateau: PlateauState = field(default_factory=PlateauState)
    sittings: list[Sitting] = field(default_factory=list)

    def sit(self, revision: str | None, machine: dict[str, str | int]) -> None:
        """Note what trains from here on, where that is not what trained before."""
        latest = self.sittings[-1] if self.sittings else None
        if latest is None or (latest.revision, latest.machine) != (revision, machine):
            self.sittings.append(Sitting(self.update, revision, machine))

    @property
    def epochs(self) -> float:
        """Epochs done, the running one in part."""
        return self.epoch + self.position / self.per_epoch

    @property
    def spent(self) -> "Spent":
        """What milestones count."""
        return Spent(self.cpu_seconds / 60, self.target_tokens)

    def best(self, count: int) -> list[Evaluation]:
        """The best-scored evaluations, best first; of equals the later."""
        return sorted(self.history, key=lambda e: (-e.bleu, -e.update))[:count]

    def to_average(self, config: TrainingConfig) -> list[Evaluation]:
        """The evaluations whose checkpoints make the final weights."""
        count = config.average_count
        return self.best(count) if config.average == "best" else self.history[-count:]


def progress(state: RunState, config: TrainingConfig) -> float:
    """Share of the budget spent, 0-1."""
    figures = {
        "update": state.update,
        "minutes": state.seconds / 60,
        "cpu_minutes": state.cpu_seconds / 60,
        "epoch": state.epochs,
        "target_tokens": state.target_tokens,
    }
    return share_spent(figures, config)


def share_spent(figures: Mapping[str, float], config: TrainingConfig) -> float:
    """The same of figures as the metrics have them."""
    limits = config.limits()
    shares = [figures.get(LIMITS[name], 0) / limit for name, limit in limits.items()]
    return min(max(shares) if config.end_at == "first" else min(shares), 1.0)


def lies_at(mark: float, spent: float, update: int) -> bool:
    """Whether weights after so much spent, in so many updates, are those that stand for a mark:
    at most 2 % of it, or two updates, beyond it.
    """
    return mark <= spent <= mark + max(_LATEST * mark, 2 * spent / max(update, 1))


def passes_milestone(before: Spent, after: Spent, config: TrainingConfig) -> bool:
    """Whether one of `keep_at_minutes` or `keep_at_tokens` lies between two readings."""
    marks = (config.keep_at_minutes, config.keep_at_tokens)
    return any(
        low < mark <= high
        for low, high, kept in zip(before, after, marks, strict=True)
        for mark in kept
    )


def stop_reason(state: RunState, config: TrainingConfig, patience: int | None) -> str | None:
    """Why training is over, or None; `patience` counts evaluations without a better score."""
    if progress(state, config) >= 1:
        return "the budget is spent"
    if patience is not None and state.history:
        scores = [evaluation.bleu for evaluation in state.history]
        since_best = len(scores) - 1 - scores.index(max(scores))
        if since_best >= patience:
            return f"no better validation score in {since_best} evaluations"
    return None
