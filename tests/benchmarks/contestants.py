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
from training.export.graph import NO_RANGES
from training.export.quantize import calibrate
from training.export.signature import Limits
from training.models import build_model
from training.models.seq2seq import Seq2Seq
from training.recipe import read_recipe
from training.stepper import TorchStepper

VOCAB_SIZE = 8000
RECIPES = {"transformer-s": "multi30k-en-de-transformer-s", "gru-s": "multi30k-en-de-gru-s"}


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
    """A model of one of `RECIPES`, in evaluation mode."""
    torch.manual_seed(1)
    return build_model(read_recipe(RECIPES[size]).model, VOCAB_SIZE).eval()


def our_steppers(model: Seq2Seq, folder: Path, threads: int) -> dict[str, Stepper]:
    """PyTorch, and ONNX graphs in fp32 and int8."""
    torch.set_num_threads(threads)
    bundle = _write_graphs(model, folder)
    return {
        "PyTorch fp32": TorchStepper(model),
        "ONNX fp32": runtime()(bundle, "fp32", threads),
        "ONNX int8": runtime()(bundle, "int8", threads),
    }


def _write_graphs(model: Seq2Seq, folder: Path) -> Bundle:
    """Graphs and a manifest good enough to open them; never verified, for nothing reads it."""
    never = [0, 1, BOS_ID]
    limits = Limits(max_positions=256, never_emitted=never)
    random = np.random.default_rng(2)
    text = random.integers(4, VOCAB_SIZE, (32, 20)).tolist()
    found = calibrate(model, [([*ids, EOS_ID], [BOS_ID, *ids]) for ids in text])
    ranges = {model.get_submodule(name): one for name, one in found.items()}
    files = build_graphs(model, NO_RANGES, limits).files("fp32")
    files |= build_graphs(model, ranges, limits).files("int8")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    values = tiny_manifest(model, ["fp32", "int8"])
    facts = {"vocab_size": VOCAB_SIZE, "max_source_tokens": 256, "max_target_tokens": 256}
    manifest = Manifest.model_validate({**values, **facts, "files": {}})
    return Bundle(folder, manifest, TOKENIZER)
