"""Layer norm inside a recurrent cell: Ba et al. 2016, "Layer Normalization"."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5  # PyTorch's


class GateNorm(nn.Module):
    """Layer norm of what a cell's gates read: Ba et al. 2016, section 3.1 and appendix.

    As in the appendix (and in dl4mt and Nematus), W x and U h are normalised apart, before they are
    added. Each gate is normalised by itself, where the appendix takes several together.
    """

    def __init__(self, gates: int, size: int, *lead: int) -> None:
        """Gain and bias (*lead, gates * size)."""
        super().__init__()
        self.gates = gates
        self.weight = nn.Parameter(torch.ones(*lead, gates * size))
        self.bias = nn.Parameter(torch.zeros(*lead, gates * size))

    def forward(self, projected: Tensor) -> Tensor:
        """(..., gates * size) -> the same shape."""
        gates = projected.view(*projected.shape[:-1], self.gates, -1)  # (..., gates, size)
        normal = F.layer_norm(gates, gates.shape[-1:], eps=EPSILON).flatten(-2)
        # under autocast all in one type: a product of two types takes several times as long
        return torch.addcmul(self.bias.to(normal.dtype), normal, self.weight.to(normal.dtype))


def gate_norm(wanted: bool, gates: int, size: int, *lead: int) -> nn.Module:
    """A `GateNorm`, or nothing."""
    return GateNorm(gates, size, *lead) if wanted else nn.Identity()
