"""Our models in PyTorch without a cache; with one they are `training.stepper`."""

from collections.abc import Sequence

import torch

from mt.stepper import Footprint, Rows, Slot, StepOutput
from mt.tokenizer import PAD_ID
from training.models.seq2seq import Encoded, Seq2Seq
from training.stepper import best_of


class Uncached:
    """Greedy or beam search that decodes every prefix whole at every step."""

    def __init__(self, model: Seq2Seq) -> None:
        """Take a model in evaluation mode."""
        self._model = model
        self._encoded: Encoded | None = None
        self._first_slot = self._next_slot = 0
        self._prefixes: list[list[int]] = []  # of the last step's rows

    @property
    def footprint(self) -> Footprint:
        """Not counted."""
        return Footprint()

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._model.vocab_size

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences; all of a load come together."""
        longest = max(map(len, src_ids))
        src = torch.tensor([[*ids, *[PAD_ID] * (longest - len(ids))] for ids in src_ids])
        self._encoded = self._model.encode(src)
        self._first_slot, self._next_slot = self._next_slot, self._next_slot + len(src_ids)
        return list(range(self._first_slot, self._next_slot))

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

    def retire(self, slots: Sequence[Slot]) -> None:
        """Nothing is kept for a sentence."""
