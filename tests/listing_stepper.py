"""The slow way to a shortlist: ask for the whole vocabulary, and drop what is not listed."""

from collections.abc import Sequence

import numpy as np

from mt.shortlist import Shortlist
from mt.stepper import Footprint, Ids, LogProbs, Rows, Slot, StepOutput, Stepper
from mt.tokenizer import EOS_ID, PAD_ID
from tests.tiny_bundle import VOCAB_SIZE


def random_shortlist(seed: int, best: int = 4, vocab_size: int = VOCAB_SIZE) -> Shortlist:
    """Up to `best` targets of each source id, and three for everybody."""
    random = np.random.default_rng(seed)
    rows = [
        np.unique(random.integers(4, vocab_size, n))
        for n in random.integers(0, best + 1, vocab_size)
    ]
    offsets = np.cumsum([0, *map(len, rows)])
    return Shortlist(np.array([EOS_ID, 5, 9]), offsets, np.concatenate(rows).astype(np.int64))


def whole_vocabulary(vocab_size: int = VOCAB_SIZE) -> Shortlist:
    """A shortlist that leaves nothing out."""
    nothing = np.zeros(vocab_size + 1, np.int64)
    return Shortlist(np.arange(vocab_size), nothing, np.zeros(0, np.int64))


class ListingStepper:
    """Another stepper, as a shortlist narrows it; what terms want joins a sentence's list."""

    def __init__(self, stepper: Stepper, shortlist: Shortlist) -> None:
        self._stepper, self._shortlist = stepper, shortlist
        self._lists: dict[Slot, set[int]] = {}

    @property
    def vocab_size(self) -> int:
        return self._stepper.vocab_size

    @property
    def footprint(self) -> Footprint:
        return self._stepper.footprint

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        slots = self._stepper.admit(src_ids, most_rows)
        for slot, ids in zip(slots, src_ids, strict=True):
            self._lists[slot] = set(self._shortlist.of(ids).tolist())
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        every = self._stepper.step(rows, self.vocab_size, with_attention)
        if rows.wanted is not None:
            for slot, ids in zip(rows.slots.tolist(), rows.wanted.tolist(), strict=True):
                self._lists[slot] |= set(ids)
        log_probs = self._listed(rows.slots, every)
        order = np.argsort(-log_probs, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(log_probs, order, axis=1)
        wanted = None
        if rows.wanted is not None:
            wanted = np.take_along_axis(log_probs, rows.wanted, axis=1)
        return StepOutput(order, best, every.attention, wanted)

    def retire(self, slots: Sequence[Slot]) -> None:
        self._stepper.retire(slots)

    def _listed(self, slots: Ids, every: StepOutput) -> LogProbs:
        """Log-probabilities by id (rows, vocab), -inf for what is not listed, normalised again."""
        by_id = np.empty_like(every.log_probs)
        np.put_along_axis(by_id, every.ids, every.log_probs, axis=1)
        for row, slot in zip(by_id, slots.tolist(), strict=True):
            row[np.setdiff1d(np.arange(len(row)), list(self._lists[slot]))] = -np.inf
            row[PAD_ID] = -np.inf
            row -= np.log(np.exp(row).sum())
        return by_id
