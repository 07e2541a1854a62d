"""A GRU's loop over words with its way back written by hand, for a CPU.

Autograd keeps some ten small tensors a step, multiplies every weight's gradient out at every step,
and adds it to the sum of the others. Here each is one product after the loop, and what the way back
multiplies slopes by is made for all steps at once. The plain twin, which autograd follows, is
`Encoder.loop` of `training.models.gru`; in float64 all gradients agree to 1e-12 of the largest.

Steps come first: tensors are (steps, ..., size). Only first derivatives exist.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from training.models.norm_tape import Norm, NormBack, NormTape


def pays(x: Tensor) -> bool:
    """Whether to come here: in training on a CPU."""
    return x.device.type == "cpu" and torch.is_grad_enabled()


def by_hand(loop: type[torch.autograd.Function], *given: Tensor | None) -> tuple[Tensor, ...]:
    """What a loop makes of its tensors; under autocast all of it is in that one type."""
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        given = tuple(x.to(dtype) if x is not None and x.is_floating_point() else x for x in given)
    with torch.autocast("cpu", enabled=False):
        made: tuple[Tensor, ...] = loop.apply(*given)  # type: ignore[no-untyped-call]
    return made


def scaled(hidden: Tensor, kept: Tensor | None) -> Tensor:
    """What the gates read of a state: Gal and Ghahramani 2016, section 4, keep what is dropped.

    The state that is carried on stays whole, so that a dropped feature is not forgotten.
    """
    return hidden if kept is None else hidden * kept


class Tape(NamedTuple):
    """What a cell leaves on its way for the way back, each (steps, ..., size)."""

    gates: Tensor  # reset and update side by side, (steps, ..., 2 * size)
    candidates: Tensor
    recurrent: Tensor  # the candidate's part of U h, which the reset gate scales

    @classmethod
    def blank(cls, steps: int, hidden: Tensor) -> "Tape":
        """For so many steps of a state (..., size)."""
        *rows, size = hidden.shape
        return cls(*(hidden.new_empty(steps, *rows, n) for n in (2 * size, size, size)))

    def step(self, t: int, inputs: Tensor, recurrent: Tensor, hidden: Tensor, out: Tensor) -> None:
        """`next_state` of `training.models.gru_cell`, written to `out` (..., size)."""
        size = hidden.shape[-1]
        gates, candidate, new = self.gates[t], self.candidates[t], self.recurrent[t]
        torch.add(inputs[..., : 2 * size], recurrent[..., : 2 * size], out=gates).sigmoid_()
        new.copy_(recurrent[..., 2 * size :])
        torch.addcmul(inputs[..., 2 * size :], gates[..., :size], new, out=candidate).tanh_()
        torch.lerp(candidate, hidden, gates[..., size:], out=out)

    def slopes(self, hidden: Tensor) -> "Slopes":
        """What does not depend on the slope from above; hidden (steps, ..., size), before each."""
        reset, update = self.gates.chunk(2, -1)
        still_open = 1 - update
        return Slopes(
            candidate=still_open * (1 - self.candidates.square()),
            update=(hidden - self.candidates).mul_(update).mul_(still_open),
            reset=self.recurrent * reset * (1 - reset),
            reset_gate=reset,
            carried=update,
        )


class Slopes(NamedTuple):
    """Derivatives of a cell's steps, each (steps, ..., size).

    h' = n + z (h - n) by what goes into n and into z; what goes into n by what goes into r.
    """

    candidate: Tensor
    update: Tensor
    reset: Tensor
    reset_gate: Tensor
    carried: Tensor

    def back(self, t: int, above: Tensor, to_inputs: Tensor, to_recurrent: Tensor) -> Tensor:
        """One step back from the slope of h': fills in those of W x and U h, returns h's."""
        size = above.shape[-1]
        to_candidate = torch.mul(above, self.candidate[t], out=to_inputs[..., 2 * size :])
        torch.mul(to_candidate, self.reset[t], out=to_inputs[..., :size])
        torch.mul(above, self.update[t], out=to_inputs[..., size : 2 * size])
        to_recurrent[..., : 2 * size] = to_inputs[..., : 2 * size]
        torch.mul(to_candidate, self.reset_gate[t], out=to_recurrent[..., 2 * size :])
        return above * self.carried[t]


def gru_states(
    inputs: Tensor, weights: Tensor, biases: Tensor, norm: Norm, kept: Tensor | None
) -> Tensor:
    """States (steps, directions, batch, size) of GRUs that read side by side, from zero.

    inputs (steps, directions, batch, 3 * size), projected; weights (directions, size, 3 * size),
    biases and the norm's two (directions, 1, 3 * size), all of U h; kept (directions, batch, size),
    see `scaled`.
    """
    (states,) = by_hand(_GRUStates, inputs, weights, biases, *norm, kept)
    return states


class _GRUStates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        inputs: Tensor,
        weights: Tensor,
        biases: Tensor,
        gain: Tensor | None,
        norm_bias: Tensor | None,
        kept: Tensor | None,
    ) -> tuple[Tensor]:
        steps, *rows, size = *inputs.shape[:-1], weights.shape[1]
        hidden = inputs.new_empty(steps + 1, *rows, size)
        hidden[0] = 0
        tape = Tape.blank(steps, hidden[0])
        norm = NormTape.blank(Norm(gain, norm_bias), steps, hidden[0])
        for t in range(steps):
            recurrent = norm.step(t, torch.baddbmm(biases, scaled(hidden[t], kept), weights))
            tape.step(t, inputs[t], recurrent, hidden[t], out=hidden[t + 1])
        ctx.save_for_backward(weights, kept, hidden, *norm, *tape)  # type: ignore[arg-type]
        return (hidden[1:],)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, to_states: Tensor) -> tuple[Tensor | None, ...]:
        weights, kept, hidden, *tapes = ctx.saved_tensors  # type: ignore[attr-defined]
        before, back_weights = hidden[:-1], weights.transpose(1, 2)
        *norm_tape, gates, candidates, recurrent = tapes
        slopes = Tape(gates, candidates, recurrent).slopes(before)
        to_inputs = to_states.new_empty(*before.shape[:-1], weights.shape[2])
        to_recurrent, above = torch.empty_like(to_inputs), torch.zeros_like(before[0])
        norm = NormBack(NormTape(*norm_tape), to_recurrent)
        for t in reversed(range(len(before))):
            carried = slopes.back(t, above + to_states[t], to_inputs[t], to_recurrent[t])
            above = carried + scaled(torch.bmm(norm.step(t), back_weights), kept)
        both = scaled(before, kept), norm.to_projected
        read, to_product = (x.transpose(0, 1).flatten(1, 2) for x in both)
        to_weights = torch.bmm(read.transpose(1, 2), to_product)  # of (directions, steps * batch)
        to_biases = to_product.sum(1, keepdim=True)
        return to_inputs, to_weights, to_biases, *norm.gradients(), None
