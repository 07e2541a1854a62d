"""One gated recurrent unit, Bahdanau et al. 2015, appendix A.1.1, with or without layer norm."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.recurrence import scaled


class GateNorm(nn.Module):
    """Layer norm of what the three gates read: Ba et al. 2016, section 3.1 and appendix.

    As in the appendix (and in dl4mt and Nematus), W x and U h are normalised apart, before they are
    added. Each gate is normalised by itself, where the appendix takes reset and update together.
    """

    def __init__(self, *shape: int) -> None:
        """Gain and bias of this shape; its last axis, 3 * hidden, holds the gates."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, projected: Tensor) -> Tensor:
        """(..., 3 * hidden) -> the same shape."""
        gates = projected.view(*projected.shape[:-1], 3, -1)  # (..., 3, hidden)
        normal = F.layer_norm(gates, gates.shape[-1:]).flatten(-2)
        return torch.addcmul(self.bias, normal, self.weight)


def gate_norm(wanted: bool, *shape: int) -> nn.Module:
    """A `GateNorm`, or nothing."""
    return GateNorm(*shape) if wanted else nn.Identity()


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


class GRUCell(nn.Module):
    """The weights of one gated recurrent unit."""

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.hidden = nn.Linear(hidden_size, 3 * hidden_size)
        self.input_norm = gate_norm(layer_norm, 3 * hidden_size)
        self.hidden_norm = gate_norm(layer_norm, 3 * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """What `forward` reads of x (..., input): (..., 3 * hidden), all steps at once."""
        inputs: Tensor = self.input_norm(self.input(x))
        return inputs

    def forward(self, inputs: Tensor, hidden: Tensor, kept: Tensor | None = None) -> Tensor:
        """Next state (batch, hidden) of a state and of `self.project(x)` (batch, 3 * hidden).

        kept (batch, hidden): what U h is scaled by before, where the state is dropped from.
        """
        recurrent = self.hidden_norm(self.hidden(scaled(hidden, kept)))
        return next_state(inputs, recurrent, hidden)
