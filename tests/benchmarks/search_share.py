"""What the search itself costs: its numpy and bookkeeping beside the steps of the model.

python -m tests.benchmarks.search_share [--sizes tiny small] [--rounds 5] [--json PATH]

Seconds are those of the process, not of the clock, so a busy machine disturbs little.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mt.beam_search import SearchOptions, search
from mt.stepper import Footprint, Rows, StepOutput, Stepper
from tests.benchmarks import report
from tests.benchmarks.contestants import SIZES, Load, our_steppers, random_model

LOADS = [Load(sentences, 20, beam) for sentences in (1, 32) for beam in (1, 5)]
REPEATS = {1: 10, 32: 1}  # of a load in one round, by its sentences
BARS = {1: 0.25, 32: 0.10}
Result = TypeVar("Result")


class TimedStepper:
    """A stepper that counts its steps, and the seconds spent inside it."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self.seconds, self.steps = 0.0, 0

    @property
    def vocab_size(self) -> int:
        """That of the stepper inside."""
        return self._stepper.vocab_size

    @property
    def footprint(self) -> Footprint:
        """That of the stepper inside."""
        return self._stepper.footprint

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[int]:
        """Admit, timed."""
        return self._timed(lambda: self._stepper.admit(src_ids, most_rows))

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Step, timed and counted."""
        self.steps += 1
        return self._timed(lambda: self._stepper.step(rows, k, with_attention))

    def retire(self, slots: Sequence[int]) -> None:
        """Retire, timed."""
        self._timed(lambda: self._stepper.retire(slots))

    def _timed(self, work: Callable[[], Result]) -> Result:
        began = time.process_time()
        try:
            return work()
        finally:
            self.seconds += time.process_time() - began


def measure(stepper: Stepper, load: Load) -> tuple[float, float]:
    """One round: microseconds a step in the search, and in the stepper."""
    timed, sources = TimedStepper(stepper), load.sources()
    options = SearchOptions(beam_size=load.beam_size, max_length=load.tokens)
    began = time.process_time()
    for _ in range(REPEATS[load.sentences]):
        search(timed, sources, options, max_rows=load.sentences * load.beam_size)
    seconds = time.process_time() - began
    scale = 1e6 / timed.steps
    return (seconds - timed.seconds) * scale, timed.seconds * scale


def main() -> None:
    """Measure every load once a round, in turn; print medians and write them."""
    arguments = _parser().parse_args()
    rows = [row for size in arguments.sizes for row in _of_size(size, arguments.rounds)]
    machine = report.machine(("onnxruntime-gpu", "numpy"))
    result = {"precision": "int8", "rounds": arguments.rounds, "machine": machine, "rows": rows}
    print(f"\nwritten to {report.write('search_share', result, arguments.json)}")


def _of_size(size: str, n_rounds: int) -> Iterator[dict[str, object]]:
    with TemporaryDirectory() as folder:
        stepper = our_steppers(random_model(size), Path(folder), 1)["int8"]
        for load in LOADS:
            measure(stepper, load)  # warm up
        rounds = [[measure(stepper, load) for load in LOADS] for _ in range(n_rounds)]
    print(f"{size} int8, microseconds a step    search     model   share     bar")
    for load, figures in zip(LOADS, zip(*rounds, strict=True), strict=True):
        ours, model = (statistics.median(column) for column in zip(*figures, strict=True))
        share, bar = ours / (ours + model), BARS[load.sentences]
        name = f"{load.sentences} sentences, beam {load.beam_size}"
        print(f"  {name:36s} {ours:8.0f} {model:9.0f} {share:7.1%} {bar:7.0%}")
        yield {
            "model": size,
            "batch": load.sentences,
            "beam": load.beam_size,
            "search_us": round(ours, 1),
            "model_us": round(model, 1),
            "share": round(share, 3),
            "bar": bar,
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The search's own share of a step")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["tiny", "small"])
    parser.add_argument("--json", type=Path, help="result [build/bench/search_share.json]")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


if __name__ == "__main__":
    main()
