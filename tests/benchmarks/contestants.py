"""Models of the published sizes with random weights: speed depends on shapes, not on training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mt.beam_search import SearchOptions, search
from mt.bundle import Bundle, Manifest
from mt.stepper import Stepper, runtime
from mt.tokenizer import BOS_ID, EOS_ID
from tests.tiny_bundle import TOKENIZER, tiny_manifest
from training.export.families import build_graphs
from training.export.graph import SINGLE, Arithmetic
from training.export.quantize import calibrate
from training.export.signature import Limits
from training.models import build_model
from training.models.seq2seq import Seq2Seq
from training.models.transformer_config import TransformerConfig
from training.recipe import read_recipe

VOCAB_SIZE = 8000
PRECISIONS = ("fp32", "int8")
RECIPES = {
    "tiny": "multi30k-en-de-transformer-s",  # 4+4 layers, d 128
    "small": "multi30k-en-de-transformer-m",  # 3+3, d 256
    "gru": "multi30k-en-de-gru-s",
}
BASE = TransformerConfig(  # Vaswani et al. 2017, table 3
    encoder_layers=6, decoder_layers=6, d_model=512, n_heads=8, d_ff=2048, norm="pre"
)
SIZES = ("tiny", "small", "base", "gru")


@dataclass(frozen=True)
class Load:
    """So many sentences of so many source tokens, each translated into exactly as many."""

    sentences: int
    tokens: int
    beam_size: int

    def sources(self) -> list[list[int]]:
        """Random ids, always the same."""
        random = np.random.default_rng(1)
        ids = random.integers(4, VOCAB_SIZE, (self.sentences, self.tokens - 1))
        return [[*row, EOS_ID] for row in ids.tolist()]

    @property
    def target_tokens(self) -> int:
        """Tokens of all best translations together."""
        return self.sentences * self.tokens

    def decode(self, stepper: Stepper) -> Callable[[], int]:
        """The work of one round on our search."""
        options = SearchOptions(
            beam_size=self.beam_size, min_length=self.tokens, max_length=self.tokens
        )
        sources = self.sources()

        def work() -> int:
            search(stepper, sources, options, max_rows=self.sentences * self.beam_size)
            return self.target_tokens

        return work


def random_model(size: str) -> Seq2Seq:
    """A model of one of `SIZES`, in evaluation mode."""
    torch.manual_seed(1)
    config = BASE if size == "base" else read_recipe(RECIPES[size]).model
    return build_model(config, VOCAB_SIZE).eval()


def our_steppers(model: Seq2Seq, folder: Path, threads: int) -> dict[str, Stepper]:
    """ONNX graphs by precision."""
    bundle = _write_graphs(model, folder)
    return {precision: runtime()(bundle, precision, threads) for precision in PRECISIONS}


def _write_graphs(model: Seq2Seq, folder: Path) -> Bundle:
    """Graphs and a manifest good enough to open them; never verified, for nothing reads it."""
    never = [0, 1, BOS_ID]
    limits = Limits(max_positions=256, never_emitted=never)
    random = np.random.default_rng(2)
    text = random.integers(4, VOCAB_SIZE, (32, 20)).tolist()
    found = calibrate(model, [([*ids, EOS_ID], [BOS_ID, *ids]) for ids in text])
    ranges = {model.get_submodule(name): one for name, one in found.items()}
    files = build_graphs(model, SINGLE, limits).files("fp32")
    files |= build_graphs(model, Arithmetic(ranges), limits).files("int8")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    values = tiny_manifest(model, ["fp32", "int8"])
    facts = {"vocab_size": VOCAB_SIZE, "max_source_tokens": 256, "max_target_tokens": 256}
    manifest = Manifest.model_validate({**values, **facts, "files": {}})
    return Bundle(folder, manifest, TOKENIZER)
