"""Exponential moving average of the weights: what is evaluated and kept, never what is trained."""

import copy

import torch

from training.models.seq2seq import Seq2Seq, device_of


class MovingAverage:
    """A second model whose weights follow those in training (Polyak and Juditsky 1992).

    After update t: average += (1 - d) * (weights - average), d = min(decay, (1 + t) / (10 + t)), so
    that the first, random weights are soon forgotten.
    """

    def __init__(self, model: Seq2Seq, decay: float) -> None:
        # .to: only weights that are moved lie in one piece, as cuDNN wants those of a GRU
        self.model = copy.deepcopy(model).to(device_of(model)).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def follow(self, model: Seq2Seq, update: int) -> None:
        """Move towards the weights that `model` has after an update (from 1)."""
        decay = min(self._decay, (1 + update) / (10 + update))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)
