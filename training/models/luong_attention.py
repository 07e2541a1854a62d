"""Global attention: Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine
Translation", section 3.1.

The decoder's cells move first, and their output asks the attention (Bahdanau et al. 2015 ask with
the state before). A score says how well each source position answers; all else is alike. The
energies of all queries are asked for at once, so that one query or a whole sentence of them costs
one call.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

ScoreName = Literal["bahdanau", "dot", "general"]


class Score(nn.Module, ABC):
    """How well source positions answer queries."""

    def keys(self, values: Tensor) -> Tensor | None:
        """What is read of values (batch, src_len, value) beside them, made once for all queries."""
        return None

    @abstractmethod
    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Energies (batch, steps, src_len) of queries (batch, steps, query).

        keys: `self.keys(values)`, or the values where those are None.
        """

    def initialise(self) -> None:
        """Xavier for every matrix, biases zero."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)


class DotScore(Score):
    """h_t . h_s, equation 8: nothing to learn, and so both must be equally wide."""

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score`; query = value."""
        return queries @ keys.transpose(1, 2)


class GeneralScore(Score):
    """h_t . W h_s, equation 8; as (W^T h_t) . h_s, so that no second memory is kept."""

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, value_size, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score`."""
        energies: Tensor = self.query(queries) @ keys.transpose(1, 2)
        return energies


class AdditiveScore(Score):
    """v . tanh(W h_t + U h_s): Bahdanau et al. 2015, appendix A.1.2; Luong et al. say "concat"."""

    def __init__(self, query_size: int, value_size: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size)
        self.key = nn.Linear(value_size, size, bias=False)
        self.energy = nn.Parameter(torch.empty(size))

    def keys(self, values: Tensor) -> Tensor:
        """U h_s (batch, src_len, size)."""
        projected: Tensor = self.key(values)
        return projected

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score`."""
        hidden = torch.tanh(keys.unsqueeze(1) + self.query(queries).unsqueeze(2))
        return hidden @ self.energy.to(hidden.dtype)  # (batch, steps, src_len, size) @ (size)

    def initialise(self) -> None:
        """The energy vector about as long as a unit vector."""
        super().initialise()
        nn.init.normal_(self.energy, std=len(self.energy) ** -0.5)


def make_score(name: ScoreName, query_size: int, value_size: int, size: int) -> Score:
    """A score by the name that recipes use; size is that of additive energies."""
    if name == "dot":
        return DotScore()
    if name == "general":
        return GeneralScore(query_size, value_size)
    return AdditiveScore(query_size, value_size, size)


def attend(energies: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Contexts (batch, steps, value) and weights (batch, steps, src_len), equation 7.

    energies (batch, steps, src_len); values (batch, src_len, value); mask (batch, src_len), True at
    tokens.
    """
    lowest = torch.finfo(energies.dtype).min  # finite: a row without any token gives no NaN
    weights = energies.masked_fill(~mask.unsqueeze(1), lowest).softmax(-1).to(values.dtype)
    return weights @ values, weights
