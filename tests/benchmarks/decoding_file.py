"""A real test set with a trained model, to natural ends: our running batch beside CTranslate2.

python -m tests.benchmarks.decoding_file [RUN BUNDLE] [--split test2016] [--json PATH [--add]]

RUN holds the weights, BUNDLE what `seq2serve export RUN` made of them; without them a model is
trained first (20 minutes). CTranslate2 sorts the file and cuts it into batches, ours retires and
refills; each with as many sentences at once as is fastest for it. Seconds are those of the
processor.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mt import bundle
from mt.beam_search import SearchOptions, search
from mt.stepper import runtime
from tests.benchmarks import ctranslate2_peer, real_model, report
from training.corpora.corpus import open_corpus
from training.evaluate import bleu
from training.models.transformer import Transformer
from training.trained import load_trained

AT_ONCE = (16, 32, 64, 96)  # sentences, of which each engine gets the number that is fastest
CELL = ("model", "split", "precision", "beam")
Ids = list[list[int]]


def main() -> None:
    arguments = _parser().parse_args()
    real_model.make_sure(arguments)
    trained = load_trained(arguments.run)
    if not isinstance(trained.model, Transformer) or not ctranslate2_peer.INSTALLED:
        raise SystemExit("this needs CTranslate2 (the extra bench) and a Transformer")
    pairs = list(open_corpus(trained.recipe.corpus).pairs(arguments.split))
    sources = [trained.tokenizer.encode_source(pair.src) for pair in pairs]
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for precision in arguments.precisions:
            stepper = runtime()(bundle.open(arguments.bundle), precision, 1)
            for beam in arguments.beams:
                options = SearchOptions(beam_size=beam)
                theirs = ctranslate2_peer.translate_file(
                    trained.model, Path(folder), precision, 1, sources, beam
                )

                def ours(size: int) -> Ids:
                    found = search(stepper, sources, options, size * options.rows)  # noqa: B023
                    return [list(best.ids) for best, *_ in found]

                at_once = {"ours": _fastest(ours), "CTranslate2": _fastest(theirs)}
                contestants: dict[str, Callable[[], Ids]] = {
                    "ours": partial(ours, at_once["ours"]),
                    "CTranslate2": partial(theirs, at_once["CTranslate2"]),
                }
                seconds, found = _interleave(contestants, arguments.rounds)
                scores = {
                    name: bleu(
                        [trained.tokenizer.decode(ids) for ids in hypotheses],
                        [pair.tgt for pair in pairs],
                    ).value
                    for name, hypotheses in found.items()
                }
                row = {"split": arguments.split}
                row |= _row(arguments.bundle.name, precision, beam, at_once, seconds, found, scores)
                print(row, flush=True)
                rows.append(row)
    machine = report.machine(("torch", "onnxruntime-gpu", "ctranslate2", "numpy"))
    result = {"rounds": arguments.rounds, "machine": machine, "rows": rows}
    cell = CELL if arguments.add else ()
    print(f"\nwritten to {report.write('decoding_file', result, arguments.json, cell)}")


def _fastest(work: Callable[[int], Ids]) -> int:
    return min(AT_ONCE, key=lambda size: _timed(partial(work, size))[0])


def _timed(work: Callable[[], Ids]) -> tuple[float, Ids]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def _interleave(
    contestants: dict[str, Callable[[], Ids]], rounds: int
) -> tuple[dict[str, float], dict[str, Ids]]:
    """Median seconds of each, all once a round, and what each found."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    found: dict[str, Ids] = {}
    for _ in range(rounds):
        for name, work in contestants.items():
            took, found[name] = _timed(work)
            seconds[name].append(took)
    return {name: sorted(took)[len(took) // 2] for name, took in seconds.items()}, found


def _row(
    model: str,
    precision: str,
    beam: int,
    at_once: dict[str, int],
    seconds: dict[str, float],
    found: dict[str, Ids],
    scores: dict[str, float],
) -> dict[str, Any]:
    tokens = {name: sum(len(ids) + 1 for ids in ids_of) for name, ids_of in found.items()}
    speed = {name: tokens[name] / took for name, took in seconds.items()}
    return {
        "model": model,
        "precision": precision,
        "beam": beam,
        "batch": "whole file",
        "ours_at_once": at_once["ours"],
        "peer": f"CTranslate2, batches of {at_once['CTranslate2']}",
        "ours_tok_s": round(speed["ours"], 1),
        "peer_tok_s": round(speed["CTranslate2"], 1),
        "ratio": round(seconds["CTranslate2"] / seconds["ours"], 3),
        "ours_bleu": round(scores["ours"], 2),
        "peer_bleu": round(scores["CTranslate2"], 2),
        "same_sentences": sum(a == b for a, b in zip(*found.values(), strict=True)),
        "sentences": len(found["ours"]),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A whole test set, side by side")
    real_model.add_arguments(parser)
    parser.add_argument("--split", default="test2016")
    parser.add_argument("--precisions", nargs="+", default=["int8", "fp32"])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--add", action="store_true", help="leave other rows in the result")
    parser.add_argument("--json", type=Path, help="result [build/bench/decoding_file.json]")
    return parser


if __name__ == "__main__":
    main()
