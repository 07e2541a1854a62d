"""Stacked recurrent models small enough for a test, random but the same for the same seed."""

from typing import Any

import torch

from tests.tiny_models import sharpened
from training.models.recurrent import Recurrent, RecurrentConfig

RECURRENT_SIZES = {"embedding_size": 10, "encoder_size": 7, "decoder_size": 14}
UNEVEN = {"encoder_size": 6, "decoder_size": 15}

# each choice of the family at least once, in few models
RECURRENT: dict[str, dict[str, Any]] = {
    "lstm": {},
    "lstm-deep": {"encoder_layers": 2, "decoder_layers": 3, "layer_norm": True, **UNEVEN},
    "lstm-unfed": {"input_feeding": False, "attention": "bahdanau", "tie_embeddings": "none"},
    "gru-bahdanau": {"cell": "gru", "attention": "bahdanau", "decoder_layers": 2, **UNEVEN},
    "gru-no-attention": {"cell": "gru", "attention": "none", "encoder_layers": 3},
    "gru-norm-unfed": {"cell": "gru", "layer_norm": True, "input_feeding": False},
    "rnn-one-way": {
        "cell": "rnn",
        "attention": "dot",
        "bidirectional": False,
        "encoder_size": 14,
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    "rnn-no-attention": {
        "cell": "rnn",
        "attention": "none",
        "bidirectional": False,
        "input_feeding": False,
        "decoder_layers": 2,
    },
}


def tiny_recurrent(seed: int = 0, vocab_size: int = 20, **overrides: Any) -> Recurrent:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = RecurrentConfig(**RECURRENT_SIZES | overrides)
        return sharpened(Recurrent(config, vocab_size))
