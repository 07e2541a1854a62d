"""Learning-rate curves: a factor of the peak learning rate for every update."""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from mt.config import Strict


class ScheduleConfig(Strict):
    """The curve of the learning rate; its peak is `optimizer.learning_rate`.

    Linear and cosine follow the share of the budget that is spent, so with a budget in minutes two
    runs differ by what their machines manage in that time.
    """

    curve: Literal["inverse-sqrt", "linear", "cosine", "plateau", "constant"] = Field(
        "inverse-sqrt",
        description="after warm-up: inverse square root of the update, linear or cosine decay to "
        "zero at the end of the budget, a cut on every plateau of the validation score, or flat",
    )
    warmup_updates: int = Field(4000, ge=0, description="updates of linear rise to the peak")
    plateau_patience: int = Field(
        2, ge=0, description="evaluations without a better score before a cut (plateau only)"
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="each cut's factor (plateau only)")


@dataclass
class PlateauState:
    """What the plateau rule remembers; it is part of every checkpoint."""

    factor: float = 1.0
    best: float | None = None
    bad_evaluations: int = 0


class Schedule:
    """The curve of one run. Only the plateau rule has a memory."""

    def __init__(self, config: ScheduleConfig, plateau: PlateauState | None = None) -> None:
        self._config = config
        self.plateau = plateau or PlateauState()

    def factor(self, update: int, progress: float) -> float:
        """Share of the peak at an update (from 1), with `progress` of the budget (0-1) spent."""
        warmup = self._config.warmup_updates
        if update < warmup:
            return update / warmup
        match self._config.curve:
            case "inverse-sqrt":  # Vaswani et al. 2017, equation 3, scaled to 1 at its peak
                return math.sqrt(max(warmup, 1) / update)
            case "linear":
                return max(1 - progress, 0.0)
            case "cosine":
                return (1 + math.cos(math.pi * min(progress, 1.0))) / 2
            case "plateau":
                return self.plateau.factor
            case "constant":
                return 1.0

    def observe(self, score: float) -> None:
        """Tell the plateau rule one validation score (higher is better)."""
        plateau = self.plateau
        if plateau.best is None or score > plateau.best:
            plateau.best, plateau.bad_evaluations = score, 0
            return
        plateau.bad_evaluations += 1
        if plateau.bad_evaluations > self._config.plateau_patience:
            plateau.factor *= self._config.plateau_factor
            plateau.bad_evaluations = 0
