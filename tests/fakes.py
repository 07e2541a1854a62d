"""Steppers without a model: hand-made distributions behind honest bookkeeping.

`CheckedStepper` keeps the rows as a real stepper does and asserts everything that `mt.stepper` asks
of its caller; what follows a prefix is left to `distribution`.
"""

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mt.errors import EngineError
from mt.stepper import Footprint, Ids, Rows, StepOutput
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID

Floats = npt.NDArray[np.float32]


class CheckedStepper(ABC):
    """A stepper that knows each row's whole prefix and refuses a caller that breaks the contract.

    running: source ids by slot; most_rows: the widest step so far; steps: how many.
    """

    def __init__(self, vocab_size: int) -> None:
        self._vocab_size = vocab_size
        self.running: dict[int, tuple[int, ...]] = {}
        self.admitted = self.steps = self.most_rows = 0
        self._fresh: set[int] = set()
        self._previous: list[tuple[int, tuple[int, ...]]] = []  # slot and ids of each row

    @abstractmethod
    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        """Log-probabilities (vocab,) of the id that follows a prefix (without bos)."""

    def attention(self, src: Sequence[int], prefix: Sequence[int]) -> Floats | None:
        """Attention (src_len,) under which the id after a prefix is chosen."""
        return None

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def footprint(self) -> Footprint:
        """Not counted."""
        return Footprint()

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[int]:
        assert src_ids, "nothing to admit"
        assert all(len(src) for src in src_ids), "an empty source"
        slots = list(range(self.admitted, self.admitted + len(src_ids)))
        self.admitted += len(src_ids)
        self._fresh.update(slots)
        self.running.update(zip(slots, (tuple(src) for src in src_ids), strict=True))
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        assert k >= 1
        self._check(rows)
        columns = (rows.slots.tolist(), rows.parents.tolist(), rows.last_ids.tolist())
        self._previous = [
            (slot, () if parent < 0 else (*self._previous[parent][1], last))
            for slot, parent, last in zip(*columns, strict=True)
        ]
        self._fresh.clear()
        self.steps += 1
        self.most_rows = max(self.most_rows, len(self._previous))
        return self._output(min(k, self.vocab_size), with_attention, rows.wanted)

    def retire(self, slots: Sequence[int]) -> None:
        for slot in slots:
            assert slot in self.running, f"slot {slot} is not running"
            del self.running[slot]
            self._fresh.discard(slot)

    def _check(self, rows: Rows) -> None:
        slots, parents = rows.slots.tolist(), rows.parents.tolist()
        for array in (rows.slots, rows.parents, rows.last_ids):
            assert array.dtype == np.int64
            assert array.shape == (len(slots),)
        together = [slot for i, slot in enumerate(slots) if i == 0 or slots[i - 1] != slot]
        assert len(set(together)) == len(together), "the rows of a slot do not stand together"
        assert set(slots) == self.running.keys(), "the rows are not those of the running slots"
        for slot, parent, last in zip(slots, parents, rows.last_ids.tolist(), strict=True):
            assert 0 <= last < self.vocab_size
            if slot in self._fresh:
                assert (parent, last) == (-1, BOS_ID), "a fresh slot begins with bos"
            else:
                assert 0 <= parent < len(self._previous), "no such row in the previous step"
                assert self._previous[parent][0] == slot, "a parent of another slot"
                assert last not in (PAD_ID, BOS_ID, EOS_ID), "nothing follows this id"

    def _output(self, k: int, with_attention: bool, wanted: Ids | None) -> StepOutput:
        log_probs = np.stack([self.distribution(self.running[s], p) for s, p in self._previous])
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(log_probs, ids, axis=1)
        asked = None if wanted is None else np.take_along_axis(log_probs, wanted, axis=1)
        for array in (ids, best):
            array.flags.writeable = False
        return StepOutput(ids, best, self._attention() if with_attention else None, asked)

    def _attention(self) -> Floats | None:
        width = max(len(src) for src in self.running.values())
        padded = np.zeros((len(self._previous), width), np.float32)
        for row, (slot, prefix) in zip(padded, self._previous, strict=True):
            weights = self.attention(self.running[slot], prefix)
            if weights is None:
                return None
            row[: len(weights)] = weights
        return padded


class TableStepper(CheckedStepper):
    """A random model: what follows depends on the seed, the source and the whole prefix.

    `peak` sharpens the distributions, `eos_bias` is added to eos's logit, `levels` rounds logits
    so that ties are common. Without `attentive` it has no attention, as a fixed-context model.
    """

    def __init__(
        self,
        seed: int,
        vocab_size: int = 9,
        peak: float = 1.0,
        eos_bias: float = 0.0,
        levels: int | None = None,
        attentive: bool = True,
    ) -> None:
        super().__init__(vocab_size)
        self._seed, self._peak, self._eos_bias = seed, peak, eos_bias
        self._levels, self._attentive = levels, attentive
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], Floats] = {}

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        key = (tuple(src), tuple(prefix))
        if key not in self._known:
            self._known[key] = self._draw(*key)
        return self._known[key]

    def attention(self, src: Sequence[int], prefix: Sequence[int]) -> Floats | None:
        if not self._attentive:
            return None
        weights = self._random("attention", src, prefix).dirichlet(np.full(len(src), 0.5))
        return weights.astype(np.float32)

    def _draw(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        logits = self._random("next", src, prefix).normal(size=self.vocab_size) * self._peak
        if self._levels:
            logits = np.round(logits * self._levels) / self._levels
        logits[EOS_ID] += self._eos_bias
        logits[[PAD_ID, UNK_ID, BOS_ID]] = -np.inf
        log_probs: Floats = (logits - np.log(np.exp(logits).sum())).astype(np.float32)
        return log_probs

    def _random(self, what: str, *key: Sequence[int]) -> np.random.Generator:
        text = repr((what, self._seed, [[int(i) for i in part] for part in key]))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest))


class EchoStepper(CheckedStepper):
    """Says the source back, one id a step, then eos; each with probability 0.9.

    `delay_s` is slept in every step; from step `fail_after` on every step raises EngineError.
    """

    def __init__(
        self, vocab_size: int, delay_s: float = 0.0, fail_after: int | None = None
    ) -> None:
        super().__init__(vocab_size)
        self.delay_s = delay_s
        self.fail_after = fail_after

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        time.sleep(self.delay_s)
        if self.fail_after is not None and self.steps >= self.fail_after:
            raise EngineError("the fake model failed")
        return super().step(rows, k, with_attention)

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        never = [PAD_ID, UNK_ID, BOS_ID]
        log_probs = np.full(self.vocab_size, np.log(0.1 / (self.vocab_size - 4)), np.float32)
        log_probs[never] = -np.inf
        log_probs[src[min(len(prefix), len(src) - 1)]] = np.log(0.9)
        return log_probs

    def attention(self, src: Sequence[int], prefix: Sequence[int]) -> Floats | None:
        weights = np.zeros(len(src), np.float32)
        weights[min(len(prefix), len(src) - 1)] = 1.0
        return weights
