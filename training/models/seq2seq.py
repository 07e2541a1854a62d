"""What every model offers: teacher-forced training, and one cached decoding step.

Layers keep nothing between calls: what a later call needs is returned and passed back in.

Conventions, so that a stepper can move any model's tensors without knowing the model:

* every tensor is batch first; one row of `memory` belongs to one source sentence;
* the length of a memory tensor or of a decoder cache is its axis -2;
* decoder caches are aligned to the right: the newest entry is the last, and a row that is younger
  than its neighbours has padding on its left, told apart by `state["positions"]`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mt.errors import ConfigError

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Encoded:
    """A batch of source sentences, encoded.

    memory: tensors (batch, ..., src_len, d) that decoding reads and never changes;
    src_mask (batch, src_len), True at tokens, False at padding;
    state: the decoder's tensors before the first token, (batch, ...), always with
    `positions` (batch,) int64, the number of tokens decoded so far.
    """

    memory: Tensors
    src_mask: Tensor
    state: Tensors


@dataclass(frozen=True)
class Step:
    """One decoding step: logits (rows, vocab), the new state, attention (rows, src_len) or None."""

    logits: Tensor
    state: Tensors
    attention: Tensor | None


class Seq2Seq(nn.Module, ABC):
    """An encoder and an autoregressive decoder over one joint vocabulary.

    Attributes:
        vocab_size: number of ids.
        caches: names in the decoder state that grow by one entry a step along axis -2.
        output: the last layer, from hidden states to logits, without a bias.
        compiled: methods that `training.compile` compiles.
    """

    vocab_size: int
    output: nn.Linear
    caches: frozenset[str] = frozenset()
    compiled: tuple[str, ...] = ("hidden",)

    @abstractmethod
    def encode(self, src: Tensor) -> Encoded:
        """Encode source ids (batch, src_len), padded with pad_id, each ending with eos."""

    @abstractmethod
    def decode(self, encoded: Encoded, tgt_in: Tensor) -> Tensor:
        """Hidden states (batch, tgt_len, d) of all positions of tgt_in (batch, tgt_len)."""

    def project(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocab) of hidden states (..., d)."""
        logits: Tensor = self.output(hidden)
        return logits

    @abstractmethod
    def step(self, last_ids: Tensor, state: Tensors, memory: Tensors, src_mask: Tensor) -> Step:
        """Decode one token for each row.

        last_ids (rows,); state, memory and src_mask have one row for each of these rows.
        """

    def source_states(self, src: Tensor) -> Tensor:
        """What an encoder makes of ids (batch, src_len), as wide as `project` reads.

        Raises:
            ConfigError: the encoder has no such states.
        """
        raise ConfigError(
            f"loss.pretraining: the encoder of {type(self).__name__} is not as wide as its output "
            "layer, so it cannot say which words are masked; choose denoising"
        )

    def separable(self) -> list[nn.Module]:
        """Parts used by calling them only: `training.sharded` fetches their weights as it goes.

        The weights of everything else are fetched for a whole update.
        """
        return []

    def hidden(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        """Teacher-forced hidden states (batch, tgt_len, d)."""
        return self.decode(self.encode(src), tgt_in)

    def forward(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        """Teacher-forced logits (batch, tgt_len, vocab)."""
        return self.project(self.hidden(src, tgt_in))


def count_parameters(model: nn.Module) -> int:
    """Number of trainable numbers, tied ones once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def device_of(model: nn.Module) -> torch.device:
    """The device a model's parameters live on."""
    return next(model.parameters()).device
