"""Long short-term memory: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory".

With the forget gate of Gers et al. 2000, "Learning to Forget: Continual Prediction with LSTM".
"""

import torch
from torch import Tensor, nn

from training.models.cell import Cell
from training.models.gate_norm import gate_norm


class LSTMCell(Cell):
    """Input, forget and output gates around a cell; output and cell stand side by side.

    i, f, o = sigmoid(W x + U h) and g = tanh(W x + U h), then c' = f * c + i * g and
    h' = o * tanh(c'). With layer norm the tanh reads norm(c'): Ba et al. 2016, equation 22.
    """

    gates, parts = 4, 2

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__(input_size, hidden_size, layer_norm)
        self.cell_norm = gate_norm(layer_norm, 1, hidden_size)

    def next_state(self, inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        """(..., 2 * hidden) of W x and U h (..., 4 * hidden), gates in the order i, f, o, g."""
        size = self.hidden_size
        total = inputs + recurrent
        opening, forget, showing = torch.sigmoid(total[..., : 3 * size]).chunk(3, -1)
        candidate = torch.tanh(total[..., 3 * size :])
        cell = forget * state[..., size:] + opening * candidate
        return torch.cat((showing * torch.tanh(self.cell_norm(cell)), cell), -1)

    def initialise(self) -> None:
        """As any cell, but it starts by forgetting little: a forget bias of 1."""
        super().initialise()
        nn.init.ones_(self.gate_bias.chunk(self.gates)[1])
