"""The two families, each one file in its paper's order, behind one small interface."""

from typing import Annotated

from pydantic import Field

from training.models.gru import GRU, GRUConfig
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer, TransformerConfig

ModelConfig = Annotated[GRUConfig | TransformerConfig, Field(discriminator="family")]


def build_model(config: GRUConfig | TransformerConfig, vocab_size: int) -> Seq2Seq:
    """A fresh model of either family, initialised from torch's random state."""
    if isinstance(config, GRUConfig):
        return GRU(config, vocab_size)
    return Transformer(config, vocab_size)


__all__ = ["GRUConfig", "ModelConfig", "Seq2Seq", "TransformerConfig", "build_model"]
