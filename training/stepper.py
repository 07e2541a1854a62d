"""The reference decoder: a model of `training.models` in PyTorch, behind the search's protocol.

It knows no family. What it relies on is written down in `training.models.seq2seq`: tensors are
batch first, lengths are axis -2, and decoder caches are aligned to the right.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mt.errors import EngineError, InputError
from mt.stepper import Footprint, Ids, Rows, Slot, StepOutput
from mt.tokenizer import BOS_ID, PAD_ID, UNK_ID
from training.models.seq2seq import Encoded, Seq2Seq, Tensors, device_of


class TorchStepper:
    """A `mt.stepper.Stepper` over a model on a CPU or a CUDA device.

    Encoded sentences stand in a pool. Each row of a step reads a copy of its sentence, made again
    only when the rows' sentences changed since the step before.
    """

    def __init__(
        self,
        model: Seq2Seq,
        suppressed_ids: Sequence[int] = (PAD_ID, UNK_ID, BOS_ID),
        device: torch.device | str | None = None,
    ) -> None:
        """Decode with `model`, which moves to `device` if one is given.

        The model is in evaluation mode during each call and afterwards as it was before.
        suppressed_ids: ids that get no probability (see `Tokenizer.never_emitted`).
        """
        self._model = model if device is None else model.to(device)
        self._device = device_of(model)
        self._suppressed = torch.tensor(list(suppressed_ids), dtype=torch.int64).to(self._device)
        self._pool = _Pool()
        self._state: Tensors = {}  # of the rows of the last step
        self._row_slots: Ids | None = None  # the sentences that `_row_memory` was copied for
        self._row_memory: tuple[Tensors, Tensor] = {}, torch.empty(0)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._model.vocab_size

    @property
    def footprint(self) -> Footprint:
        """Not counted."""
        return Footprint()

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences together and put them beside those already running.

        The number of their rows does not matter here.

        Raises:
            InputError: a sentence has no ids, or one that is not in the vocabulary.
        """
        if not src_ids:
            return []
        src = self._pad(src_ids)
        self._row_slots = None  # the pool may grow wider
        with torch.inference_mode(), evaluating(self._model):
            return self._pool.add(self._model.encode(src))

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Continue every row by one id; return each row's k best next ids.

        Raises:
            EngineError: a row belongs to no running sentence.
        """
        log_probs, attention = self.distributions(rows)
        return best_of(log_probs, k, attention if with_attention else None, rows.wanted)

    def distributions(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """Continue every row by one id; log-probabilities of every next one (rows, vocab).

        Also attention (rows, src_len) where the model has any.

        Raises:
            EngineError: a row belongs to no running sentence.
        """
        with torch.inference_mode(), evaluating(self._model):
            memory, src_mask = self._memory_of(rows.slots)
            last_ids = torch.from_numpy(rows.last_ids).to(self._device)
            step = self._model.step(last_ids, self._state_of(rows), memory, src_mask)
            self._state = step.state
            logits = step.logits.float().index_fill(1, self._suppressed, -torch.inf)
            return logits.log_softmax(-1), step.attention

    def retire(self, slots: Sequence[Slot]) -> None:
        """Forget sentences; the pool shrinks to those that are left."""
        with torch.inference_mode():
            self._pool.remove(slots)
        self._row_slots = None
        if not self._pool.slots:
            self._state, self._row_memory = {}, ({}, torch.empty(0))

    def _pad(self, src_ids: Sequence[Sequence[int]]) -> Tensor:
        """Source ids (batch, src_len), padded on the right."""
        if not all(len(ids) for ids in src_ids):
            raise InputError("a sentence has no tokens; end each with the end-of-sentence id")
        src = np.full((len(src_ids), max(map(len, src_ids))), PAD_ID, dtype=np.int64)
        for row, ids in zip(src, src_ids, strict=True):
            row[: len(ids)] = ids
        if src.min() < 0 or src.max() >= self.vocab_size:
            raise InputError(f"a source id is not in the vocabulary of {self.vocab_size} pieces")
        return torch.from_numpy(src).to(self._device)

    def _memory_of(self, slots: Ids) -> tuple[Tensors, Tensor]:
        """Each row's encoded sentence (rows, ..., src_len, d) and mask (rows, src_len)."""
        if self._row_slots is None or not np.array_equal(slots, self._row_slots):
            index = self._pool.index(slots)
            self._row_memory = (
                _select(self._pool.encoded.memory, index),
                self._pool.encoded.src_mask.index_select(0, index),
            )
            self._row_slots = slots.copy()
        return self._row_memory

    def _state_of(self, rows: Rows) -> Tensors:
        """The decoder state that each row continues: its parent's, or its sentence's first."""
        fresh = rows.parents < 0
        state, parents = self._state, rows.parents
        if fresh.any():
            first = _select(self._pool.encoded.state, self._pool.index(rows.slots[fresh]))
            old = len(state["positions"]) if state else 0
            state = self._beside(state, first) if state else first
            parents = np.where(fresh, old + np.cumsum(fresh) - 1, parents)
        index = torch.from_numpy(parents).to(self._device)
        return self._trim(state, int(state["positions"][index].max()), index)

    def _beside(self, old: Tensors, fresh: Tensors) -> Tensors:
        """Rows of `old`, then of `fresh`; the caches of younger rows are padded on their left."""
        caches = self._model.caches
        return {
            name: _join(x, fresh[name], left=True)
            if name in caches
            else torch.cat((x, fresh[name]))
            for name, x in old.items()
        }

    def _trim(self, state: Tensors, longest: int, index: Tensor) -> Tensors:
        """The state's rows at `index`, without cache entries older than the oldest of them."""
        caches = self._model.caches
        trimmed = {
            name: x[..., x.shape[-2] - longest :, :] if name in caches else x
            for name, x in state.items()
        }
        return _select(trimmed, index)


def best_of(
    log_probs: Tensor, k: int, attention: Tensor | None, wanted: Ids | None = None
) -> StepOutput:
    """The k best of log-probabilities (rows, vocab), equals by id; all there are if k is more.

    wanted (rows, n): further ids to tell the log-probabilities of.
    """
    ids = log_probs.topk(min(k, log_probs.shape[-1])).indices.sort(-1).values
    best, order = log_probs.gather(1, ids).sort(dim=-1, descending=True, stable=True)
    return StepOutput(
        ids.gather(1, order).cpu().numpy(),
        best.cpu().numpy(),
        None if attention is None else attention.float().cpu().numpy(),
        None if wanted is None else _at(log_probs, wanted).cpu().numpy(),
    )


def _at(log_probs: Tensor, ids: Ids) -> Tensor:
    """Of each row (rows, vocab) the entries at its ids (rows, n)."""
    return log_probs.gather(1, torch.from_numpy(ids).to(log_probs.device))


class _Pool:
    """Encoded sentences beside one another, as wide as the longest, and the slot of each."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self._encoded: Encoded | None = None
        self._admitted = 0

    @property
    def encoded(self) -> Encoded:
        """All of them; there must be one."""
        if self._encoded is None:
            raise EngineError("no sentence is running; admit one before the first step")
        return self._encoded

    def index(self, slots: Ids) -> Tensor:
        """Rows of the pool where these slots stand."""
        device = self.encoded.src_mask.device
        place = {slot: i for i, slot in enumerate(self.slots)}
        try:
            found = [place[slot] for slot in slots.tolist()]
        except KeyError as error:
            raise EngineError(f"sentence {error} is not running; it cannot be stepped") from None
        return torch.tensor(found, dtype=torch.int64, device=device)

    def add(self, fresh: Encoded) -> list[Slot]:
        """Put freshly encoded sentences under those already here."""
        slots = list(range(self._admitted, self._admitted + len(fresh.src_mask)))
        self._admitted += len(slots)
        self._encoded = fresh if self._encoded is None else _join_encoded(self._encoded, fresh)
        self.slots += slots
        return slots

    def remove(self, slots: Sequence[Slot]) -> None:
        """Drop these sentences, and the padding that only they needed."""
        gone = set(slots)
        kept = [i for i, slot in enumerate(self.slots) if slot not in gone]
        self.slots = [self.slots[i] for i in kept]
        if not kept:
            self._encoded = None
            return
        old, index = self.encoded, torch.tensor(kept, device=self.encoded.src_mask.device)
        src_mask = old.src_mask.index_select(0, index)
        longest = int(src_mask.sum(1).max())
        memory = {name: x[..., :longest, :] for name, x in old.memory.items()}
        state = _select(old.state, index)
        self._encoded = Encoded(_select(memory, index), src_mask[:, :longest], state)


def _select(tensors: Tensors, index: Tensor) -> Tensors:
    return {name: x.index_select(0, index) for name, x in tensors.items()}


def _join(a: Tensor, b: Tensor, left: bool) -> Tensor:
    """Rows of a, then of b, the shorter ones padded with zeros along axis -2 on one side."""
    longest = max(a.shape[-2], b.shape[-2])

    def padded(x: Tensor) -> Tensor:
        missing = longest - x.shape[-2]
        return F.pad(x, (0, 0, missing, 0) if left else (0, 0, 0, missing))

    return torch.cat((padded(a), padded(b)))


def _join_encoded(a: Encoded, b: Encoded) -> Encoded:
    """Sentences of a, then of b, padded on the right to the longest of them."""
    mask = _join(a.src_mask.unsqueeze(-1), b.src_mask.unsqueeze(-1), left=False).squeeze(-1)
    memory = {name: _join(x, b.memory[name], left=False) for name, x in a.memory.items()}
    return Encoded(
        memory, mask, {name: torch.cat((x, b.state[name])) for name, x in a.state.items()}
    )


@contextmanager
def evaluating(model: Seq2Seq) -> Iterator[None]:
    """Evaluation mode inside, whatever it was before outside."""
    training = model.training
    if training:
        model.eval()
    try:
        yield
    finally:
        if training:
            model.train()
