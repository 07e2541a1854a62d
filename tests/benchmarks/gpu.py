"""Everything about training on a GPU in one command and one small JSON file.

    python -m tests.benchmarks.gpu [--minutes 8.5] [--parts speed,curve,...] [--out FILE] [--toy]

The parts, in the order of their value; each takes its share of the minutes, and the file is
written after every result, so that nothing is lost when time runs out:

* `speed`: the device, then target tokens per second and model-FLOPs utilisation of Transformer and
  GRU, S and M, in bfloat16 at 64 k, 16 k and 4 k tokens a batch (useful matrix products over the
  datasheet's peak, or over a measured one where the device is not in the table);
* `curve`: Transformer M on Multi30k en-de alone on the device; validation and test BLEU (greedy)
  after minutes of training, and the minutes to 39.5 and 41.0;
* `sharing`: tokens per second of five processes at once, beside one alone;
* `seeds-de`: five seeds of Transformer S and of GRU S, all ten at once, each scored on the test set
  with beam 5;
* `compile`: `speed` at 64 k and 4 k tokens again with `training.compile`;
* `seeds-fr`: as `seeds-de`, English to French;
* `tatoeba`: Transformer M on Tatoeba en-de.

Beside FILE stand the translations behind every score (`.hypotheses.tar.gz`) and what the processes
said (`.log`). One call gives all its time to what `--parts` names: `--parts seeds-de --minutes 9`.
Runs last as long as their share allows (`training.max_minutes`, learning rate down to zero at the
end); those at once share the device, so their minutes are not those of one alone.

Unmeasured so far, because no device was at hand: all of it, and with it whether `training.compile`,
the chunked output layer and flash attention pay on a GPU, and whether the shares of the time and
the larger batches and learning rates of `gpu_parts` are well chosen. `--toy` runs the parts on a
CPU in seconds with models and a corpus that mean nothing: that is how the script itself is tested.
"""

import argparse
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from tests.benchmarks import report
from tests.benchmarks.gpu_parts import GPU, TOY, Machine, Part, gpu_parts, preparation, toy_parts
from tests.benchmarks.gpu_report import GPUReport
from tests.benchmarks.gpu_workers import LOG, Message, Workers

PACKAGES = ("torch", "triton", "numpy", "sacrebleu", "sentencepiece", "sacremoses")
OUT = Path("build/bench/gpu.json")
LEAST_S = 1.0  # a part with less is not begun
OVERRUN = 1.4  # what a part may take of its share before it is cut off


def main(arguments: Sequence[str] | None = None) -> None:
    given = sys.argv[1:] if arguments is None else list(arguments)
    asked = _parser().parse_args(given)
    ends = time.monotonic() + 60 * asked.minutes
    machine, parts = (TOY, toy_parts()) if asked.toy else (GPU, gpu_parts())
    chosen = [part for part in parts if part.name in (asked.parts or part.name).split(",")]
    command = " ".join(["python -m tests.benchmarks.gpu", *given])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    facts = {"command": command, "time": now, "machine": report.machine(PACKAGES)}
    found = GPUReport(asked.out, facts)
    with tempfile.TemporaryDirectory() as scratch, _pools(Path(scratch)) as (workers, preparing):
        try:
            corpora = Corpora(preparing, machine, chosen, ends)
            _tell_device(machine, workers, found, ends)
            _run_parts(chosen, workers, corpora, found, ends)
        finally:
            _pack(Path(scratch) / "hypotheses", asked.out.with_suffix(".hypotheses.tar.gz"))
            shutil.copy(Path(scratch) / LOG, asked.out.with_suffix(".log"))
    print(f"{asked.out}: {found.summary()}")


@contextmanager
def _pools(scratch: Path) -> Iterator[tuple[Workers, Workers]]:
    """Workers of the device, and others that prepare corpora beside them."""
    pools = Workers(scratch), Workers(scratch)
    try:
        yield pools
    finally:
        for pool in pools:
            pool.stop()


class Corpora:
    """Corpora that are prepared in the background, the first part's first."""

    def __init__(
        self, workers: Workers, machine: Machine, parts: Sequence[Part], ends: float
    ) -> None:
        names = dict.fromkeys(name for part in parts for name in part.corpora)
        self._ready = {name: Event() for name in names}
        jobs = [preparation(machine, name) for name in names]
        Thread(target=workers.run, args=(jobs, 3, ends, self._told), daemon=True).start()

    def _told(self, message: Message) -> None:
        self._ready[message["name"]].set()  # after a failure as well: its runs will say why

    def wait_for(self, part: Part, ends: float) -> None:
        """Until the corpora of a part are there."""
        for name in part.corpora:
            self._ready[name].wait(max(ends - time.monotonic(), 0))


def _tell_device(machine: Machine, workers: Workers, found: GPUReport, ends: float) -> None:
    job = {"name": "device", "kind": "device", "device": machine.device}
    workers.run([job], 1, ends, lambda message: found.receive("device", message))
    if "device" not in found.values:
        raise SystemExit(f"no {machine.device} device: {found.values['failed']}; try --toy")


def _run_parts(
    parts: Sequence[Part], workers: Workers, corpora: Corpora, found: GPUReport, ends: float
) -> None:
    """Each part for its share of the time that is left."""
    for number, part in enumerate(parts):
        corpora.wait_for(part, ends)
        began = time.monotonic()
        seconds = (ends - began) * part.share / sum(p.share for p in parts[number:])
        if seconds < LEAST_S:
            found.part(part.name, cut=["everything"])
            continue
        deadline = min(began + OVERRUN * seconds, ends)
        receive = partial(found.receive, part.name)
        cut = workers.run(part.jobs(seconds), part.parallel, deadline, receive)
        took = round(time.monotonic() - began, 1)
        found.part(part.name, planned_s=round(seconds, 1), took_s=took, cut=cut)


def _pack(hypotheses: Path, out: Path) -> None:
    """All translations in one small file."""
    if hypotheses.is_dir():
        with tarfile.open(out, "w:gz") as archive:
            for path in sorted(hypotheses.iterdir()):
                archive.add(path, path.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Training on a GPU, measured.")
    parser.add_argument("--minutes", type=float, default=8.5, help="for everything [8.5]")
    parser.add_argument("--parts", help="only these, by name, with commas between them [all]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    parser.add_argument("--toy", action="store_true", help="on a CPU, in seconds, to no avail")
    return parser


if __name__ == "__main__":
    main()
