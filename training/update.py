"""One update of the weights, and what can go wrong: too little memory, a loss that is no number."""

import json
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from mt.errors import ConfigError
from training.batching import Batch, UpdateBatches
from training.budget import progress
from training.console import say
from training.durable_files import write_file
from training.optimizer import set_learning_rate
from training.precision import autocast
from training.session import Session
from training.wide_products import wide_products


@dataclass(frozen=True)
class Updated:
    """Figures of one update; the tensors may still be in the making on a GPU.

    loss: nats per target token; norm: of the gradient; both scalars. step: its batches.
    """

    update: int
    loss: Tensor
    norm: Tensor
    tokens: int
    step: UpdateBatches

    def is_finite(self) -> bool:
        """Whether the weights were moved; waits for the device."""
        return bool(torch.isfinite(self.loss + self.norm))


def update_weights(s: Session, step: UpdateBatches) -> Updated:
    """Move the weights by the gradients of all batches of a step, unless one is not finite.

    Nothing here waits for a GPU.
    """
    factor = s.schedule.factor(s.state.update + 1, progress(s.state, s.recipe.training))
    return move_weights(s, step, s.crew.told(factor))


def move_weights(s: Session, step: UpdateBatches, factor: float) -> Updated:
    """The same with the learning rate at this share of its peak."""
    state, optimizer, tokens = s.state, s.recipe.optimizer, step.target_tokens
    set_learning_rate(s.optimizer, optimizer.learning_rate * factor)
    s.crew.begin_update(s.recipe.seed, state.update + 1)
    s.model.train()
    loss = gradients(s, step.batches, tokens)
    if s.shards:
        norm = s.shards.add_up(loss, optimizer.max_norm)
    else:
        s.crew.add_up(s.model, loss)
        norm = clip_grad_norm_(s.model.parameters(), optimizer.max_norm)
    _step_if_finite(s, loss, norm)
    state.update += 1
    if s.average:
        s.average.follow(s.model, state.update)
    state.target_tokens += tokens
    state.epoch, state.position, state.per_epoch = step.epoch, step.position, step.per_epoch
    return Updated(state.update, loss, norm, tokens, step)


def gradients(s: Session, batches: list[Batch], tokens: int) -> Tensor:
    """Add up the gradients of the loss in nats divided by `tokens`, and return it (a scalar).

    Where memory does not suffice, everything is done again with batches of half the size.

    Raises:
        ConfigError: a single pair of sentences is too much.
    """
    try:
        return _gradients(s, batches, tokens)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    if s.shards:
        raise ConfigError(
            "training ran out of memory; with training.sharded no batch can be taken in halves: "
            "lower batching.max_tokens and raise batching.accumulate"
        )
    s.optimizer.zero_grad(set_to_none=True)
    halves = [half for batch in batches for half in batch.halves()]
    if len(halves) == len(batches):
        raise ConfigError(
            "training ran out of memory on a single pair of sentences; lower batching.max_length"
        )
    if s.device.type == "cuda":
        torch.cuda.empty_cache()
    say(
        f"update {s.state.update + 1:,} ran out of memory; split into {len(halves)} batches "
        "(lower batching.max_tokens and raise batching.accumulate to avoid the second try)"
    )
    return gradients(s, halves, tokens)


def _gradients(s: Session, batches: list[Batch], tokens: int) -> Tensor:
    total = torch.zeros((), device=s.device)
    for batch in batches:
        with wide_products(s.device):
            with autocast(s.recipe.training.precision, s.device):
                loss = s.objective(s.model, batch.to(s.device)) / tokens
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def _is_out_of_memory(error: Exception) -> bool:
    """A GPU's error has a class of its own; the CPU's allocator has only words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "allocate memory" in str(error) or "not enough memory" in str(error)


def _step_if_finite(s: Session, loss: Tensor, norm: Tensor) -> None:
    """The fused optimizer leaves everything as it is where `found_inf` is 1, without waiting."""
    s.optimizer.found_inf = 1.0 - torch.isfinite(loss + norm).float()  # type: ignore[attr-defined]
    s.optimizer.step()
    s.optimizer.zero_grad(set_to_none=True)


class BadUpdates:
    """Watches for updates whose loss or gradient was not finite: they are skipped, named, saved."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._unread: list[Updated] = []

    def add(self, updated: Updated) -> None:
        """Remember an update, to be read when the device may be waited for."""
        self._unread.append(updated)

    def read(self) -> None:
        """Look at all that were added.

        Raises:
            ConfigError: too many in a row were bad.
        """
        state = self._s.state
        for updated in self._unread:
            if updated.is_finite():
                state.bad_updates = 0
                continue
            state.bad_updates += 1
            self._save(updated)
            if state.bad_updates > self._s.recipe.training.max_bad_updates:
                raise ConfigError(
                    f"{self._s.recipe.name}: loss or gradient was not finite in "
                    f"{state.bad_updates} updates in a row, up to update {updated.update:,}; "
                    "lower optimizer.learning_rate or raise schedule.warmup_updates, and look at "
                    f"the pairs in {self._s.run / 'bad-updates'}"
                )
        self._unread = []

    def _save(self, updated: Updated) -> None:
        """Write the pairs of a bad update, as ids and as text."""
        dataset, tokenizer = self._s.prepared.dataset, self._s.prepared.tokenizer
        pairs = []
        for number in updated.step.pairs:
            src, tgt = dataset.src[number].tolist(), dataset.tgt[number].tolist()
            texts = {"source": tokenizer.decode(src), "target": tokenizer.decode(tgt)}
            pairs.append({"pair": number, **texts, "source_ids": src, "target_ids": tgt})
        facts = {"update": updated.update, "loss": str(float(updated.loss)), "pairs": pairs}
        path = self._s.run / "bad-updates" / f"update-{updated.update:07d}.json"
        path.parent.mkdir(exist_ok=True)
        write_file(path, (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())
        say(
            f"warning: loss or gradient of update {updated.update:,} is not finite; it was "
            f"skipped, and its {len(pairs)} pairs are in {path}"
        )
