"""Where a token stands: section 3.5 of Vaswani et al. 2017, and what came after it.

Some schemes change what the first layer reads (`InputPositions`), others how layers attend:
`rotate` turns queries and keys, `RelativePositions` attends by distance.
"""

import math

import torch
from torch import Tensor, nn

from training.models.transformer_config import StackConfig


def positional_encoding(positions: Tensor, d_model: int) -> Tensor:
    """Sinusoids of section 3.5, positions (...) -> (..., d_model), float32.

    PE(pos, 2i) = sin(pos / 10000^(2i / d_model)), PE(pos, 2i + 1) = cos of the same. Computed for
    the positions at hand, so that no table bounds the length of a sentence.
    """
    pair = torch.arange(0, d_model, 2, device=positions.device, dtype=torch.float32)
    angles = positions.unsqueeze(-1) * torch.exp(pair * (-math.log(10000.0) / d_model))
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)


# In the input layer


class InputPositions(nn.Module):
    """Adds nothing; the other schemes add to this."""

    has_state = False

    def forward(
        self, x: Tensor, positions: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """What the first layer reads (batch, length, d_model), and the state after it.

        x: embeddings of the same shape; positions (length,) or (batch, length); state
        (batch, d_model) of what was read before, None at the start and where there is none.
        """
        return x, state


class Sinusoids(InputPositions):
    """Section 3.5."""

    def forward(
        self, x: Tensor, positions: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Add the sinusoids of each position."""
        return x + positional_encoding(positions, x.shape[-1]).to(x.dtype), state


class LearnedPositions(InputPositions):
    """Gehring et al. 2017, section 3.1: a vector for each position, up to a longest."""

    def __init__(self, max_positions: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, d_model)
        nn.init.normal_(self.table.weight, std=d_model**-0.5)

    def forward(
        self, x: Tensor, positions: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Add the vector of each position; positions beyond the table take its last."""
        return x + self.table(positions.clamp(max=self.table.num_embeddings - 1)), state


class RecurrentPositions(InputPositions):
    """A GRU reads the embeddings, as an RNN would: its states tell order and are added to them."""

    has_state = True

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.gru = nn.GRU(d_model, d_model, batch_first=True)

    def forward(
        self, x: Tensor, positions: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Add the states; padding on the right of x touches no token before it."""
        states, last = self.gru(x, None if state is None else state.unsqueeze(0).contiguous())
        return x + states, last.squeeze(0)


def input_positions(config: StackConfig) -> InputPositions:
    """What a recipe chose for the input layer of one side."""
    if config.positions == "sinusoidal":
        return Sinusoids()
    if config.positions == "learned":
        return LearnedPositions(config.max_positions, config.d_model)
    if config.positions == "recurrent":
        return RecurrentPositions(config.d_model)
    return InputPositions()


# In attention


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Su et al. 2021, equation 34: turn pairs of x by angles that grow with the position.

    x (batch, n_heads, length, d_head), positions (length,) or (batch, length). The score of a
    query and a key so turned depends on their distance alone. A pair is one number of the first
    half and one of the second, which only names the paper's pairs in another order.
    """
    half = x.shape[-1] // 2
    pair = torch.arange(half, device=x.device, dtype=torch.float32)
    angles = positions.unsqueeze(-1) * torch.exp(pair * (-math.log(10000.0) / half))
    sin, cos = angles.sin().unsqueeze(-3).to(x.dtype), angles.cos().unsqueeze(-3).to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


class RelativePositions(nn.Module):
    """Shaw et al. 2018, section 3.2: a vector of each distance joins the keys, another the values.

    Distances are clipped, and their vectors shared by the heads of a layer.
    """

    def __init__(self, max_distance: int, d_head: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.keys = nn.Parameter(torch.empty(2 * max_distance + 1, d_head))
        self.values = nn.Parameter(torch.empty(2 * max_distance + 1, d_head))
        for table in (self.keys, self.values):
            nn.init.xavier_uniform_(table)

    def rows(self, n_queries: int, n_keys: int) -> Tensor:
        """Rows of the tables (n_queries, n_keys); the last query stands at the last key."""
        device = self.keys.device
        query = torch.arange(n_keys - n_queries, n_keys, device=device).unsqueeze(1)
        distance = torch.arange(n_keys, device=device) - query
        return distance.clamp(-self.max_distance, self.max_distance) + self.max_distance

    def of_keys(self, query: Tensor, rows: Tensor) -> Tensor:
        """What distances add to Q K^T (batch, n_heads, n_queries, n_keys), equation 4."""
        scores = query @ self.keys.to(query.dtype).T  # of every distance
        return scores.gather(-1, rows.expand(*query.shape[:2], *rows.shape))

    def of_values(self, weights: Tensor, rows: Tensor) -> Tensor:
        """What distances add to the context (batch, n_heads, n_queries, d_head), equation 3."""
        shares = weights.new_zeros(*weights.shape[:3], len(self.values))
        shares = shares.scatter_add(-1, rows.expand_as(weights), weights)
        return shares @ self.values.to(weights.dtype)
