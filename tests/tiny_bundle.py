"""Bundles of tiny models, written as the exporter writes them but without a training run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mt import bundle as bundles
from mt.bundle import Bundle
from mt.shortlist import Shortlist
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer
from tests.echo_bundle import echo_tokenizer
from training.export.families import build_graphs, build_shortlist_graphs
from training.export.graph import HALF, OPSET, SINGLE, Arithmetic
from training.export.quantize import Sentence, calibrate
from training.export.signature import SHORTLIST, Limits, file_names, shortlist_files
from training.models.gru import GRU
from training.models.seq2seq import Seq2Seq

TOKENIZER = Tokenizer(echo_tokenizer())
VOCAB_SIZE = TOKENIZER.vocab_size
LIMITS = Limits(max_positions=80, never_emitted=TOKENIZER.never_emitted())


def write_tiny_bundle(
    folder: Path,
    model: Seq2Seq,
    calibration: Sequence[Sentence] = (),
    shortlist: Shortlist | None = None,
    half: bool = False,
    **facts: Any,
) -> Bundle:
    """fp32 graphs, fp16 ones if `half`, int8 ones where there are sentences to calibrate on."""
    files = {bundles.TOKENIZER: TOKENIZER.model, bundles.MODEL_CARD: b"# tiny\n"}
    all_kinds = {"fp32": SINGLE, **({"fp16": HALF} if half else {})}
    if calibration:
        found = calibrate(model, calibration)
        ranges = {model.get_submodule(name): one for name, one in found.items()}
        all_kinds["int8"] = Arithmetic(ranges)
    for precision, arithmetic in all_kinds.items():
        files |= build_graphs(model, arithmetic, LIMITS).files(precision)
        if shortlist is not None:
            files |= build_shortlist_graphs(model, arithmetic, LIMITS).files(precision)
    if shortlist is not None:
        files[SHORTLIST] = shortlist.to_bytes()
        facts["shortlist"] = shortlist_files(all_kinds).model_dump()
    return bundles.write(folder, files, tiny_manifest(model, list(all_kinds)) | facts)


def tiny_manifest(model: Seq2Seq, precisions: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "tiny",
        "family": "gru" if isinstance(model, GRU) else "transformer",
        "source_language": "fr",
        "target_language": "en",
        "vocab_size": VOCAB_SIZE,
        "special_ids": {"pad": PAD_ID, "unk": UNK_ID, "bos": BOS_ID, "eos": EOS_ID},
        "max_source_tokens": 64,
        "max_target_tokens": 64,
        "parameters": 0,
        "opset": OPSET,
        "graphs": {p: file_names(p).model_dump() for p in precisions},
        "default_precision": "fp32",
        "recipe": {},
        "checkpoint_sha256": "0" * 64,
        "data": {"name": "none", "licence": "CC0-1.0", "sha256": {}, "train_pairs": 0},
    }


def random_sources(seed: int, count: int, longest: int = 12) -> list[list[int]]:
    """Source ids of sentences of any lengths, each with eos."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, count)
    return [[*random.integers(4, VOCAB_SIZE, n).tolist(), EOS_ID] for n in lengths]
