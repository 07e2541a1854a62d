"""Decoding speed: our graphs beside CTranslate2, PyTorch and its own export, in one run.

python -m tests.benchmarks.decoding [--quick] [--json PATH [--add]] [--rounds 5] [--threads 1]

Every load has sentences of 20 source tokens that are translated into exactly 20. Weights are
random: speed hangs on shapes. Before CTranslate2 is timed its greedy tokens must be ours.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mt.beam_search import SearchOptions, search
from mt.stepper import Stepper
from tests.benchmarks import ctranslate2_peer, report
from tests.benchmarks.contestants import SIZES, Load, our_steppers, random_model
from tests.benchmarks.onnx_peer import PlainExport
from tests.benchmarks.pytorch_peers import Uncached
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer
from training.stepper import TorchStepper

TOKENS = 20
PYTORCH_BATCHES = (1, 8)  # beyond, it takes long and is far behind
CELL = ("model", "precision", "beam", "batch", "peer")
Work = Callable[[], int]
Row = dict[str, Any]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    rows: list[Row] = []
    for size in arguments.models:
        with TemporaryDirectory() as folder, torch.inference_mode():
            rows += _measure(size, Path(folder), arguments)
    packages = ("torch", "onnxruntime-gpu", "ctranslate2", "numpy")
    path = report.write(
        "decoding",
        {
            "unit": "target tokens per second (of the processor, on one thread), median of rounds; "
            "p50_ms: of one whole batch, ours",
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "machine": report.machine(packages),
            "rows": rows,
        },
        arguments.json,
        CELL if arguments.add else (),
    )
    print(f"\nwritten to {path}")


def _measure(size: str, folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    model = random_model(size)
    steppers = our_steppers(model, folder, arguments.threads)
    plain = _plain_export(model, folder, arguments)
    loads = [Load(n, TOKENS, beam) for beam in arguments.beams for n in arguments.batches]
    for precision in arguments.precisions:
        ours, peers = steppers[precision], {}
        if ctranslate2_peer.INSTALLED and isinstance(model, Transformer):
            peers["CTranslate2"] = ctranslate2_peer.CTranslate2(
                model, folder, precision, arguments.threads, loads[-1]
            )
            _prove_equal(steppers["fp32"], model, folder)
        for load in loads:
            contestants: dict[str, Work] = {"ours": load.decode(ours)}
            contestants |= {name: peer.decode(load) for name, peer in peers.items()}
            if load.sentences in PYTORCH_BATCHES:
                contestants |= _pytorch(model, plain, load)
            speeds = report.interleave(contestants, arguments.rounds, arguments.threads)
            title = f"{size} {precision}, {load.sentences} sentences, beam {load.beam_size}"
            print(report.table(title, speeds, "ours", "tokens/s"), flush=True)
            yield from _rows(size, precision, load, speeds)


def _plain_export(
    model: Seq2Seq, folder: Path, arguments: argparse.Namespace
) -> dict[str, Stepper]:
    """The graphs of `torch.onnx.export`, of a Transformer."""
    if not isinstance(model, Transformer):
        return {}
    k = max(arguments.beams) + 1  # eos is banned until the end
    return {"torch.onnx.export": PlainExport(model, folder, k, arguments.threads)}


def _pytorch(model: Seq2Seq, plain: dict[str, Stepper], load: Load) -> dict[str, Work]:
    """The usual ways, always in 32 bits."""
    steppers: dict[str, Stepper] = {
        "PyTorch, cached": TorchStepper(model),
        "PyTorch, no cache": Uncached(model),
        **plain,
    }
    return {name: load.decode(stepper) for name, stepper in steppers.items()}


def _rows(size: str, precision: str, load: Load, speeds: dict[str, float]) -> Iterator[Row]:
    ours = speeds["ours"]
    for peer, speed in speeds.items():
        if peer != "ours":
            yield {
                "model": size,
                "precision": precision,
                "beam": load.beam_size,
                "batch": load.sentences,
                "peer": peer,
                "ours_tok_s": round(ours, 1),
                "peer_tok_s": round(speed, 1),
                "ratio": round(ours / speed, 3),
                "p50_ms": round(1e3 * load.target_tokens / ours, 2),
            }


def _prove_equal(ours: Stepper, model: Transformer, folder: Path) -> None:
    """Greedy tokens of both engines in 32 bits, or there is nothing to compare."""
    load = Load(4, TOKENS, 1)
    options = SearchOptions(beam_size=1, min_length=TOKENS, max_length=TOKENS)
    wanted = [best.ids for best, *_ in search(ours, load.sources(), options)]
    found = ctranslate2_peer.CTranslate2(model, folder, "fp32", 1, load).tokens(load)
    if [list(ids) for ids in wanted] != found:
        raise SystemExit("CTranslate2 does not give our tokens: its weights are not ours")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Decoding speed, side by side")
    parser.add_argument("--quick", action="store_true", help="int8, batches 1 and 32, 3 rounds")
    parser.add_argument("--json", type=Path, help="result [build/bench/decoding.json]")
    parser.add_argument("--add", action="store_true", help="leave other rows in the result")
    parser.add_argument("--models", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 64])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    if (found := parser.parse_args()).quick:
        found.precisions, found.batches, found.rounds = ["int8"], [1, 32], 3
    return found


if __name__ == "__main__":
    main()
