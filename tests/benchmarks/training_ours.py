"""Our trainer, and plain PyTorch, each as one contestant in a process of its own.

    python -m tests.benchmarks.training_ours steady|sustained|plain|bucketed '{"size": "tiny", ...}'

`sustained` is the real loop on a real run folder: batches made on the way, every one of another
shape, moving average, progress and metrics. `steady` updates with the same ready-made batches over
and over. Both are the functions that `seq2serve train` runs.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.training_data import recipe_for
from tests.benchmarks.training_peers.job import job_from_command_line
from tests.benchmarks.training_peers.meter import Meter
from tests.benchmarks.training_plain import train_plainly
from training import cpu_memory, train, update
from training.batching import Indices, UpdateBatches, updates
from training.precision import use_threads
from training.prepare import prepare
from training.session import Session

READY_MADE = 6  # updates of `steady`; the benchmark warms up with a pass over them


def plan_at_random(
    src_lengths: Indices,
    tgt_lengths: Indices,
    max_tokens: int,
    seed: int,
    epoch: int,
    block: int = 0,
) -> list[Indices]:
    """Batches of sentences of any length, the plain twin of `training.batching.plan_epoch`."""
    rows = max_tokens // int(tgt_lengths.max())
    order = np.random.default_rng([seed, epoch, block]).permutation(len(tgt_lengths))
    return np.split(order, range(rows, len(order), rows))


def scales_by_torch(shape: Sequence[int], p: float, dtype: torch.dtype) -> Tensor:
    """PyTorch's own dropout, the plain twin of `training.models.dropout.scales`."""
    return torch.nn.functional.dropout(torch.ones(*shape, dtype=dtype), p)


# What makes us fast, by name: where the function lives, and what takes its place in a row that is
# measured without it (`--without`).
TRICKS: dict[str, tuple[str, str, Any]] = {
    "length buckets": ("training.batching", "plan_epoch", plan_at_random),
    "kept memory": ("training.cpu_memory", "keep_freed_memory", lambda: False),
    "chunked loss": ("training.loss", "chunks_pay", lambda hidden, vocab_size: False),
    "attention by products": ("training.models.attention", "products_pay", lambda query: False),
    "wide products": ("training.wide_products", "wide_products_pay", lambda: False),
    "own dropout": ("training.models.dropout", "scales", scales_by_torch),
    "recurrences by hand": ("training.models.recurrence", "pays", lambda x: False),
}
GRU_TRICKS = frozenset({"recurrences by hand"})
TRANSFORMER_TRICKS = frozenset({"attention by products"})


def main() -> None:
    kind, job = sys.argv[1], job_from_command_line()
    meter = Meter(["torch", "numpy"])
    use_threads(1)
    prepared = prepare(recipe_for(job), Path(job.data), None)
    if kind in ("plain", "bucketed"):
        train_plainly(job, prepared, meter, bucketed=kind == "bucketed")
        return
    if job.without:
        switch_off(job.without)
    cpu_memory.keep_freed_memory()
    session = Session(recipe_for(job), Path(job.work), prepared, None)
    train_sustained(session, meter) if kind == "sustained" else train_steadily(session, meter)


def switch_off(trick: str) -> None:
    """Put the plain way in the place of one trick, for this process."""
    module, name, instead = TRICKS[trick]
    setattr(import_module(module), name, instead)


def train_sustained(session: Session, meter: Meter) -> None:
    """The loop of `seq2serve train`, for ever."""
    meter.before(train, "update_weights", lambda _, step: target_tokens(step))
    train.fit(session)


def train_steadily(session: Session, meter: Meter, ready_made: int = READY_MADE) -> None:
    """The same few updates, for ever."""
    stream = updates(session.prepared.dataset, session.recipe.batching, session.recipe.seed)
    for step in cycle(list(islice(stream, ready_made))):
        meter.begin_update(target_tokens(step))
        update.update_weights(session, step)


def target_tokens(step: UpdateBatches) -> int:
    """Target tokens of one update, without padding, eos counted."""
    return sum(batch.target_tokens for batch in step.batches)


if __name__ == "__main__":
    main()
