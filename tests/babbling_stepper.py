"""A model that says anything and looks anywhere: what survives it was put there by our code."""

from collections.abc import Sequence

import numpy as np

from mt.stepper import Attention, Rows, StepOutput
from mt.tokenizer import EOS_ID, SPECIAL_IDS


class BabblingStepper:
    """Random ids, ending about every eighth word, under attention on random places.

    Without `attentive` it has no attention at all.
    """

    def __init__(self, seed: int, vocab_size: int, attentive: bool = True) -> None:
        self._random = np.random.default_rng(seed)
        self._vocab_size = vocab_size
        self._attentive = attentive
        self._lengths: dict[int, int] = {}
        self._admitted = 0

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    def admit(self, src_ids: Sequence[Sequence[int]]) -> list[int]:
        slots = list(range(self._admitted, self._admitted + len(src_ids)))
        self._admitted += len(src_ids)
        self._lengths.update(zip(slots, map(len, src_ids), strict=True))
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        count, k = len(rows.slots), min(k, self._vocab_size)
        first = self._random.integers(0, self._vocab_size, (count, 1))
        ids = len(SPECIAL_IDS) + (first + np.arange(k)) % (self._vocab_size - len(SPECIAL_IDS))
        ids[self._random.random(count) < 0.125, 0] = EOS_ID
        log_probs = np.tile(-0.1 - np.arange(k, dtype=np.float32), (count, 1))
        return StepOutput(ids, log_probs, self._attention(rows) if with_attention else None)

    def retire(self, slots: Sequence[int]) -> None:
        for slot in slots:
            del self._lengths[slot]

    def _attention(self, rows: Rows) -> Attention | None:
        if not self._attentive:
            return None
        lengths = np.array([self._lengths[slot] for slot in rows.slots.tolist()])
        weights = self._random.random((len(lengths), max(self._lengths.values()))) ** 4
        weights *= np.arange(weights.shape[1]) < lengths[:, None]
        shares: Attention = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares
