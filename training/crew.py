"""Several workers that train one model: each a share of every update, the first one in charge.

Data-parallel training as DistributedDataParallel does it (Li et al. 2020), but that gradients are
added up once an update, after the last batch: so a worker that runs out of memory can take its
share again in halves, and objectives may call any part of the model.
"""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.tensors import seed_everything

PATIENCE = timedelta(days=30)  # the others wait while the first one prepares or evaluates
GATHER = "gather"  # instead of a factor: bring the shards of a model together
STOP = ".stop"  # in the run's folder: asks the workers to save and end


class Crew:
    """One worker alone; it agrees with itself.

    rank: 0 is in charge, and alone evaluates, logs and saves. threads: for torch where the recipe
    names none (None: every core). lock_s: how long to wait for a run that a dying worker holds.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, threads: int | None = None, lock_s: float = 0.0
    ) -> None:
        self.rank, self.size, self.threads, self.lock_s = rank, size, threads, lock_s

    def told(self, value: Any) -> Any:  # noqa: ANN401 - whatever the first one says
        """What the first worker says; what the others give is not heard."""
        return value

    def add_up(self, model: nn.Module, total: Tensor) -> None:
        """Add the others' gradients, and the others' scalar, to one's own."""

    def begin_update(self, seed: int, update: int) -> None:
        """Draw other random numbers than the others."""

    def is_stopped(self, run: Path) -> bool:
        """Whether somebody asked for an end."""
        return False

    def end(self) -> None:
        """Tell the others that no further update follows."""


ALONE = Crew()


class Together(Crew):
    """One of several workers, whose default process group stands."""

    def __init__(self, threads: int) -> None:
        super().__init__(dist.get_rank(), dist.get_world_size(), threads, lock_s=120.0)
        self._words = dist.new_group(backend="gloo", timeout=PATIENCE)

    def told(self, value: Any) -> Any:  # noqa: ANN401
        """Waits for the first worker, however long."""
        said = [value]
        dist.broadcast_object_list(said, src=0, group=self._words)
        return said[0]

    def add_up(self, model: nn.Module, total: Tensor) -> None:
        """All weights' gradients as one vector; those of a worker without work are zero."""
        weights = [one for one in model.parameters() if one.requires_grad]
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
        vector = torch.cat([total.reshape(1), *(part.reshape(-1).float() for part in parts)])
        dist.all_reduce(vector)
        total.copy_(vector[0])
        sums = torch.split(vector[1:], [one.numel() for one in weights])
        for one, summed in zip(weights, sums, strict=True):
            one.grad = summed.view_as(one).to(one.dtype)

    def begin_update(self, seed: int, update: int) -> None:
        """As a function of seed, update and rank, so that a run that was killed continues alike."""
        state = np.random.SeedSequence([seed, update, self.rank]).generate_state(1)
        seed_everything(int(state[0]))

    def is_stopped(self, run: Path) -> bool:
        """Whether the file STOP is there."""
        return (run / STOP).exists()

    def end(self) -> None:
        """No factor of the learning rate: `follow` ends with it."""
        self.told(math.nan)
