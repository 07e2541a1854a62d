"""A bundle without files, for a stepper without a model; its tokenizer is a real, small one."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece

from mt.bundle import Bundle, Manifest
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer

SENTENCES = [
    "Hello world, this is a small test.",
    "Jane visits Africa in September.",
    "Jane visite l'Afrique en septembre.",
    "The quick brown fox jumps over the lazy dog; 0123456789!",
    "Der Hund läuft im Park, nicht wahr?",
]


@cache
def small_tokenizer(byte_fallback: bool = False) -> Tokenizer:
    """Knows Latin letters, digits and a few marks; anything else is unknown, or bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 10),
        model_writer=model,
        model_type="bpe",
        vocab_size=400 if byte_fallback else 120,
        byte_fallback=byte_fallback,
        character_coverage=1.0,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        minloglevel=2,
    )
    return Tokenizer(model.getvalue())


def fake_bundle(byte_fallback: bool = False, **facts: Any) -> Bundle:
    """A bundle from French to English; `facts` replace fields of its manifest."""
    tokenizer = small_tokenizer(byte_fallback)
    manifest = {
        "name": "fake",
        "family": "transformer",
        "source_language": "fr",
        "target_language": "en",
        "vocab_size": tokenizer.vocab_size,
        "special_ids": {"pad": PAD_ID, "unk": UNK_ID, "bos": BOS_ID, "eos": EOS_ID},
        "max_source_tokens": 64,
        "max_target_tokens": 64,
        "parameters": 0,
        "opset": 17,
        "graphs": {"fp32": {"encoder": "encoder.onnx", "step": "step.onnx"}},
        "default_precision": "fp32",
        "recipe": {},
        "checkpoint_sha256": "0" * 64,
        "data": {"name": "none", "licence": "CC0-1.0", "sha256": {}, "train_pairs": 0},
        "files": {},
    }
    return Bundle(Path("nowhere"), Manifest.model_validate(manifest | facts), tokenizer)
