"""Several models translate together: every step reads the mean of their probabilities.

Sutskever et al. 2014 (section 3.6) translate so with five models. They may be of different families
and sizes; they share one vocabulary, so that an id means the same to all.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mt.errors import ConfigError
from mt.stepper import Footprint, Rows, Slot, StepOutput
from training.stepper import TorchStepper, best_of


class EnsembleStepper:
    """A `mt.stepper.Stepper` over several; each keeps its own cache of the same rows."""

    def __init__(self, members: Sequence[TorchStepper]) -> None:
        """Decode with all `members`, none of which may be running a sentence, nor do so alone.

        Raises:
            ConfigError: there are none, or their vocabularies differ in size.
        """
        if len({member.vocab_size for member in members}) != 1:
            sizes = ", ".join(str(member.vocab_size) for member in members) or "none"
            raise ConfigError(f"an ensemble needs models of one vocabulary; sizes given: {sizes}")
        self._members = list(members)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self._members[0].vocab_size

    @property
    def footprint(self) -> Footprint:
        """Not counted."""
        return Footprint()

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences by every member; they count alike, so a slot is the same in all.

        Raises:
            InputError: a sentence has no ids, or one that is not in the vocabulary.
        """
        slots, *_ = [member.admit(src_ids, most_rows) for member in self._members]
        return slots

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Continue every row by one id; return each row's k best next ids of the mean.

        Attention is the mean too, or None where a member has none.

        Raises:
            EngineError: a row belongs to no running sentence.
        """
        found = [member.distributions(rows) for member in self._members]
        log_probs = log_mean([log_probs for log_probs, _ in found])
        attention = [weights for _, weights in found if weights is not None]
        if not with_attention or len(attention) < len(found):
            return best_of(log_probs, k, None, rows.wanted)
        mean = torch.stack(_on_one_device(attention)).float().mean(0)
        return best_of(log_probs, k, mean, rows.wanted)

    def retire(self, slots: Sequence[Slot]) -> None:
        """Forget sentences in every member."""
        for member in self._members:
            member.retire(slots)


def log_mean(log_probs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean of probabilities, given and returned as logarithms (rows, vocab)."""
    together = torch.stack(_on_one_device(log_probs))  # (members, rows, vocab)
    return together.logsumexp(0) - math.log(len(log_probs))


def _on_one_device(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.to(tensors[0].device) for tensor in tensors]
