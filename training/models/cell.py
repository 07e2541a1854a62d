"""What every recurrent cell offers, so that encoders, decoders and graphs need not know which."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from training.models.gate_norm import GateNorm, gate_norm
from training.models.recurrence import scaled


class Cell(nn.Module, ABC):
    """The weights of one recurrent cell.

    Its whole state is one tensor (..., state_size), so the states of any cell move alike; the
    output comes first in it.

    Attributes:
        gates: how many vectors of the hidden size W x and U h hold, side by side.
        parts: how many the state holds.
    """

    gates: ClassVar[int]
    parts: ClassVar[int] = 1

    def __init__(self, input_size: int, hidden_size: int, layer_norm: bool = False) -> None:
        super().__init__()
        self.hidden_size, self.state_size = hidden_size, self.parts * hidden_size
        self.input = nn.Linear(input_size, self.gates * hidden_size)
        self.hidden = nn.Linear(hidden_size, self.gates * hidden_size)
        self.input_norm = gate_norm(layer_norm, self.gates, hidden_size)
        self.hidden_norm = gate_norm(layer_norm, self.gates, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """What `forward` reads of x (..., input): (..., gates * hidden), all steps at once."""
        inputs: Tensor = self.input_norm(self.input(x))
        return inputs

    def output(self, state: Tensor) -> Tensor:
        """What others read of a state (..., state_size): (..., hidden)."""
        return state[..., : self.hidden_size]

    def forward(self, inputs: Tensor, state: Tensor, kept: Tensor | None = None) -> Tensor:
        """Next state (batch, state_size) of a state and of `self.project(x)`.

        kept (batch, hidden): what h is scaled by before U h, where the state is dropped from.
        """
        recurrent = self.hidden_norm(self.hidden(scaled(self.output(state), kept)))
        return self.next_state(inputs, recurrent, state)

    @abstractmethod
    def next_state(self, inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        """The cell's equations, of W x and U h (..., gates * hidden): (..., state_size)."""

    def initialise(self) -> None:
        """Xavier for W, orthogonal for U, gate by gate; biases zero, norms the identity."""
        for gate in self.input.weight.chunk(self.gates):
            nn.init.xavier_uniform_(gate)
        for gate in self.hidden.weight.chunk(self.gates):
            nn.init.orthogonal_(gate)
        nn.init.zeros_(self.input.bias)
        nn.init.zeros_(self.hidden.bias)

    @property
    def gate_bias(self) -> nn.Parameter:
        """What is added to W x last: a norm takes away what the layer before it adds."""
        last = self.input_norm if isinstance(self.input_norm, GateNorm) else self.input
        return last.bias
