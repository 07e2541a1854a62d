"""Models small enough for a test, random but the same for the same seed, in evaluation mode."""

from typing import Any, TypeVar

import torch

from training.models.decoder_only import DecoderOnly, DecoderOnlyConfig
from training.models.gru import GRU, GRUConfig
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer
from training.models.transformer_config import TransformerConfig

Model = TypeVar("Model", bound=Seq2Seq)

TRANSFORMER_SIZES = {
    "encoder_layers": 2,
    "decoder_layers": 2,
    "d_model": 16,
    "n_heads": 2,
    "d_ff": 24,
}
TRANSFORMER_VARIANTS: dict[str, dict[str, Any]] = {
    "learned": {"positions": "learned", "max_positions": 6},
    "relative": {"positions": "relative", "max_distance": 3},
    "rotary": {"positions": "rotary", "norm": "pre", "norm_type": "rms"},
    "recurrent": {"positions": "recurrent"},
    "no-positions": {"positions": "none", "activation": "swiglu"},
}
GRU_SIZES = {"embedding_size": 10, "encoder_size": 6, "decoder_size": 14, "attention_size": 8}


def tiny_transformer(seed: int = 0, vocab_size: int = 20, **overrides: Any) -> Transformer:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = TransformerConfig(**TRANSFORMER_SIZES | overrides)
        return sharpened(Transformer(config, vocab_size))


def tiny_gru(seed: int = 0, vocab_size: int = 20, **overrides: Any) -> GRU:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return sharpened(GRU(GRUConfig(**GRU_SIZES | overrides), vocab_size))


def tiny_decoder_only(seed: int = 0, vocab_size: int = 20, **overrides: Any) -> DecoderOnly:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"layers": 2, "d_model": 16, "n_heads": 2, "d_ff": 24}
        return sharpened(DecoderOnly(DecoderOnlyConfig(**sizes | overrides), vocab_size))


def sharpened(model: Model) -> Model:
    """Fresh models are nearly indifferent: spread biases and weights so that every part matters."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()
