"""The norm of a GRU's gates in loops whose way back is written by hand.

What `training.models.recurrence` says of a cell holds for the norms of what its gates read. The
plain twin, which autograd follows, is `GateNorm`.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.models.gate_norm import EPSILON, GateNorm


class Norm(NamedTuple):
    """A `GateNorm`'s gain and bias, or that there is none."""

    gain: Tensor | None
    bias: Tensor | None

    @classmethod
    def of(cls, module: nn.Module) -> "Norm":
        """Of what `gate_norm` made."""
        return cls(module.weight, module.bias) if isinstance(module, GateNorm) else cls(None, None)


class NormTape(NamedTuple):
    """What a norm of three gates leaves on its way for the way back.

    Where there is no norm, everything passes as it is.
    """

    gain: Tensor | None
    bias: Tensor | None
    projected: Tensor  # (steps, ..., 3, size)
    normal: Tensor  # the same shape
    mean: Tensor  # (steps, ..., 3, 1), in 32 bits at least, like the scale
    scale: Tensor  # (steps, ..., 3, 1): 1 / the standard deviation
    ones: Tensor  # (size,), in 32 bits: PyTorch would round those two to bfloat16 without

    @classmethod
    def blank(cls, norm: Norm, steps: int, hidden: Tensor) -> "NormTape":
        """For so many steps of a state (..., size)."""
        gates = (steps if norm.gain is not None else 0, *hidden.shape[:-1], 3)
        size, precise = hidden.shape[-1], torch.promote_types(hidden.dtype, torch.float32)
        mean, scale = (hidden.new_empty(*gates, 1, dtype=precise) for _ in range(2))
        ones = hidden.new_ones(size, dtype=precise)
        projected, normal = (hidden.new_empty(*gates, size) for _ in range(2))
        return cls(*norm, projected, normal, mean, scale, ones)

    def step(self, t: int, projected: Tensor) -> Tensor:
        """`GateNorm.forward`."""
        if self.gain is None or self.bias is None:
            return projected
        gates = projected.view_as(self.projected[t])
        self.projected[t] = gates
        self.normal[t], self.mean[t], self.scale[t] = torch.native_layer_norm(
            gates, gates.shape[-1:], self.ones, None, EPSILON
        )
        return torch.addcmul(self.bias, self.normal[t].flatten(-2), self.gain)


class NormBack:
    """A norm's way back.

    Args:
        to_normed: slopes of what it gave, (steps, ..., 3 * size), filled in before each step.

    Attributes:
        to_projected: slopes of what it read, the same shape.
    """

    def __init__(self, tape: NormTape, to_normed: Tensor) -> None:
        self.tape, self.to_normed = tape, to_normed
        self.to_projected = to_normed if tape.gain is None else torch.empty_like(to_normed)

    def step(self, t: int) -> Tensor:
        """Fills in and returns the slope of what the norm read at step t."""
        tape = self.tape
        if tape.gain is not None:
            gates = tape.projected[t]
            to_normal = (self.to_normed[t] * tape.gain).view_as(gates)
            to_gates, _, _ = torch.ops.aten.native_layer_norm_backward(
                *(to_normal, gates, gates.shape[-1:], tape.mean[t], tape.scale[t]),
                *(tape.ones, None, [True, False, False]),
            )
            self.to_projected[t] = to_gates.flatten(-2)
        return self.to_projected[t]

    def gradients(self) -> Norm:
        """Those of gain and bias, all steps at once."""
        tape = self.tape
        if tape.gain is None:
            return Norm(None, None)
        each = self.to_normed * tape.normal.flatten(-2), self.to_normed
        rows = (x.movedim(0, -3).flatten(-3, -2) for x in each)  # all steps', one below the other
        return Norm(*(x.sum(-2).view_as(tape.gain) for x in rows))
