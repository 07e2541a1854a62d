"""Recurrent cells by the names that recipes use, and running one over a sentence."""

from typing import Literal

import torch
from torch import Tensor

from training.models.cell import Cell
from training.models.gru_cell import GRUCell
from training.models.lstm_cell import LSTMCell
from training.models.rnn_cell import RNNCell

CellName = Literal["gru", "lstm", "rnn"]
CELLS: dict[CellName, type[Cell]] = {"gru": GRUCell, "lstm": LSTMCell, "rnn": RNNCell}


def run(cell: Cell, inputs: Tensor, state: Tensor, kept: Tensor | None = None) -> Tensor:
    """States (batch, steps, state_size) after each step, from a state (batch, state_size).

    inputs (batch, steps, gates * hidden), projected; kept (batch, hidden), see `Cell.forward`.
    """
    states = []
    for one in inputs.unbind(1):
        state = cell(one, state, kept)
        states.append(state)
    return torch.stack(states, 1)
