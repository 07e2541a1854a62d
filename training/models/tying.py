"""Which embedding tables are one and the same (Press and Wolf 2017)."""

from typing import Literal, Protocol

from torch import nn

Tying = Literal["none", "two-way", "three-way"]


class HasTables(Protocol):
    """A model with a table of either side and one over the output."""

    src_embedding: nn.Embedding
    tgt_embedding: nn.Embedding
    output: nn.Linear


def tie_embeddings(model: HasTables, how: Tying) -> None:
    """Let tables be one: two-way the decoder's input and output, three-way the encoder's too."""
    if how == "three-way":
        model.tgt_embedding = model.src_embedding
    if how != "none":
        model.output.weight = model.tgt_embedding.weight
