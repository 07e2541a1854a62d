"""Hybrids small enough for a test, random but the same for the same seed."""

from typing import Any

import torch

from tests.tiny_models import sharpened
from training.models.hybrid import Hybrid, HybridConfig

HYBRID_SIZES = {
    "encoder_layers": 2,
    "d_model": 12,
    "n_heads": 2,
    "d_ff": 16,
    "embedding_size": 12,
    "decoder_size": 14,
}
HYBRID: dict[str, dict[str, Any]] = {
    "hybrid": {},
    "hybrid-uneven": {
        "cell": "gru",
        "decoder_layers": 2,
        "embedding_size": 10,
        "tie_embeddings": "two-way",
        "attention": "bahdanau",
        "norm": "pre",
        "positions": "rotary",
    },
    "hybrid-no-attention": {"attention": "none", "positions": "recurrent", "layer_norm": True},
}


def tiny_hybrid(seed: int = 0, vocab_size: int = 20, **overrides: Any) -> Hybrid:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return sharpened(Hybrid(HybridConfig(**HYBRID_SIZES | overrides), vocab_size))
