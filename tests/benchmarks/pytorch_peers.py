"""Our models in PyTorch without a cache; with one they are `training.stepper`."""

from collections.abc import Sequence

import torch

from mt.stepper import Footprint, Rows, Slot, StepOutput
from mt.tokenizer import PAD_ID
from training.models.seq2seq import Encoded, Seq2Seq
from training.stepper import best_of


class OneLoad:
    """What steppers have in common whose sentences all come, and go, together."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self._first_slot = self._next_slot = 0

    @property
    def footprint(self) -> Footprint:
        """Not counted."""
        return Footprint()

    def retire(self, slots: Sequence[Slot]) -> None:
        """Nothing is kept for a sentence."""

    def _new_slots(self, count: int) -> list[Slot]:
        self._first_slot, self._next_slot = self._next_slot, self._next_slot + count
        return list(range(self._first_slot, self._next_slot))


class Uncached(OneLoad):
    """Greedy or beam search that decodes every prefix whole at every step."""

    def __init__(self, model: Seq2Seq) -> None:
        """Take a model in evaluation mode."""
        super().__init__(model.vocab_size)
        self._model = model
        self._encoded: Encoded | None = None
        self._prefixes: list[list[int]] = []  # of the last step's rows

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences; all of a load come together."""
        self._encoded = self._model.encode(torch.tensor(padded(src_ids)))
        return self._new_slots(len(src_ids))

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Decode all prefixes, which are equally long, and look at their ends."""
        assert self._encoded is not None
        before = [[] if parent < 0 else self._prefixes[parent] for parent in rows.parents.tolist()]
        last = rows.last_ids.tolist()
        self._prefixes = [[*ids, one] for ids, one in zip(before, last, strict=True)]
        index = torch.from_numpy(rows.slots - self._first_slot)
        encoded = Encoded(
            {name: tensor[index] for name, tensor in self._encoded.memory.items()},
            self._encoded.src_mask[index],
            {name: tensor[index] for name, tensor in self._encoded.state.items()},
        )
        hidden = self._model.decode(encoded, torch.tensor(self._prefixes))[:, -1]
        return best_of(self._model.project(hidden).log_softmax(-1), k, None)


def padded(src_ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Sentences made equally long, on the right."""
    longest = max(map(len, src_ids))
    return [[*ids, *[PAD_ID] * (longest - len(ids))] for ids in src_ids]
