"""A model that says anything and looks anywhere: what survives it was put there by our code."""

from collections.abc import Sequence

import numpy as np

from mt.stepper import Attention, Footprint, Rows, StepOutput
from mt.tokenizer import EOS_ID, SPECIAL_IDS


class BabblingStepper:
    """Random ids, ending about every eighth word, under attention on random places.

    The same seed and source give the same. Without `attentive` it has no attention at all.
    """

    def __init__(self, seed: int, vocab_size: int, attentive: bool = True) -> None:
        self._seed = seed
        self._vocab_size = vocab_size
        self._attentive = attentive
        self._dice: dict[int, np.random.Generator] = {}
        self._lengths: dict[int, int] = {}
        self._admitted = 0

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
        slots = list(range(self._admitted, self._admitted + len(src_ids)))
        self._admitted += len(src_ids)
        for slot, src in zip(slots, src_ids, strict=True):
            self._dice[slot] = np.random.default_rng([self._seed, *src])
            self._lengths[slot] = len(src)
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        k = min(k, self._vocab_size)
        dice = [self._dice[slot] for slot in rows.slots.tolist()]
        first = np.array([[one.integers(self._vocab_size)] for one in dice])
        ids = len(SPECIAL_IDS) + (first + np.arange(k)) % (self._vocab_size - len(SPECIAL_IDS))
        ids[[one.random() < 0.125 for one in dice], 0] = EOS_ID
        log_probs = np.tile(-0.1 - np.arange(k, dtype=np.float32), (len(dice), 1))
        return StepOutput(ids, log_probs, self._attention(rows) if with_attention else None)

    def retire(self, slots: Sequence[int]) -> None:
        for slot in slots:
            del self._lengths[slot], self._dice[slot]

    def _attention(self, rows: Rows) -> Attention | None:
        if not self._attentive:
            return None
        weights = np.zeros((len(rows.slots), max(self._lengths.values())), np.float32)
        for row, slot in zip(weights, rows.slots.tolist(), strict=True):
            row[: self._lengths[slot]] = self._dice[slot].dirichlet(
                np.full(self._lengths[slot], 0.3)
            )
        return weights
