"""One gated recurrent unit, Bahdanau et al. 2015, appendix A.1.1."""

import torch
from torch import Tensor

from training.models.cell import Cell


def next_state(inputs: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
    """One gated recurrent unit, appendix A.1.1, in PyTorch's convention.

    r, z = sigmoid(W x + U h) and n = tanh(W x + r * (U h)), then h' = (1 - z) * n + z * h.
    The paper resets the state before multiplying, U (r * h), and calls 1 - z what is z here. The
    convention of PyTorch takes one product instead of two, and trains the same.

    inputs W x and recurrent U h (..., 3 * hidden), gates in the order r, z, n;
    hidden (..., hidden).
    """
    size = hidden.shape[-1]
    gates = torch.sigmoid(inputs[..., : 2 * size] + recurrent[..., : 2 * size])
    reset, update = gates.chunk(2, -1)
    candidate = torch.tanh(inputs[..., 2 * size :] + reset * recurrent[..., 2 * size :])
    return candidate + update * (hidden - candidate)


class GRUCell(Cell):
    """A gated recurrent unit; its state is its output."""

    gates = 3

    def next_state(self, inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        """See the function above."""
        return next_state(inputs, recurrent, state)
