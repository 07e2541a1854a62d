"""Decoding speed: ONNX beside PyTorch and, where installed, CTranslate2, on one load in one run.

python -m tests.benchmarks.decoding [--rounds 5] [--threads 1]
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tests.benchmarks import ctranslate2_peer, report
from tests.benchmarks.contestants import RECIPES, Load, our_steppers, random_model
from training.models.transformer import Transformer

LOADS = [Load(sentences, 20, beam) for beam in (1, 5) for sentences in (1, 32)]
PEER = "PyTorch fp32"


def main() -> None:
    arguments = _parser().parse_args()
    rows: list[dict[str, Any]] = []
    for size in RECIPES:
        with TemporaryDirectory() as folder:
            rows += _measure(size, Path(folder), arguments.rounds, arguments.threads)
    packages = ("torch", "onnxruntime-gpu", "ctranslate2", "numpy")
    path = report.write(
        "decoding",
        {
            "unit": "target tokens per second, median of rounds",
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "machine": report.machine(packages),
            "results": rows,
        },
    )
    print(f"\nwritten to {path}")


@torch.inference_mode()
def _measure(size: str, folder: Path, rounds: int, threads: int) -> list[dict[str, Any]]:
    model = random_model(size)
    steppers = our_steppers(model, folder, threads)
    rows = []
    for load in LOADS:
        contestants = {name: load.decode(stepper) for name, stepper in steppers.items()}
        peer = PEER
        if ctranslate2_peer.INSTALLED and isinstance(model, Transformer):
            contestants |= ctranslate2_peer.ctranslate2_decoders(model, folder, load, threads)
            peer = "CTranslate2 int8"
        speeds = report.interleave(contestants, rounds)
        title = f"{size}, {load.sentences} sentences, beam {load.beam_size}"
        print(report.table(title, speeds, peer, "tokens/s"), flush=True)
        rows.append(
            {
                "model": size,
                "sentences": load.sentences,
                "beam_size": load.beam_size,
                "tokens_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
                "ratio_to": peer,
                "ratios": report.ratios(speeds, peer),
            }
        )
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Decoding speed, side by side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
