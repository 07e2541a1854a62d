"""The plain recurrent cell: Elman 1990, "Finding Structure in Time", with tanh."""

import torch
from torch import Tensor

from training.models.cell import Cell


class RNNCell(Cell):
    """h' = tanh(W x + U h): no gates, so what was read long ago fades or drowns."""

    gates = 1

    def next_state(self, inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        """(..., hidden) of W x and U h (..., hidden); what is left of the state is in U h."""
        return torch.tanh(inputs + recurrent)
