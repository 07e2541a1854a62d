"""Training speed beside other toolkits: target tokens without padding per CPU second, one thread.

    make bench-training-peers   # once: an environment for each toolkit
    python -m tests.benchmarks.training [--sizes tiny small gru256 gru512] [--peers joeynmt ...]
        [--rounds 3] [--updates 1] [--seconds 3] [--without TRICK ...]

Every contestant trains the same model size on the same token ids of Multi30k English-German, in a
process of its own. All of a size take turns, round by round, and medians are reported, so that what
else the machine does hits all alike. Ours runs twice: `steady` on ready-made batches, `sustained`
as `seq2serve train` does it. A peer without an environment, or that fails, is named and left out.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mt.errors import MTError
from tests.benchmarks import report
from tests.benchmarks.training_data import multi30k, prepare_data
from tests.benchmarks.training_ours import (
    GRU_TRICKS,
    READY_MADE,
    TRANSFORMER_TRICKS,
    TRICKS,
)
from tests.benchmarks.training_peers.environments import PEERS, interpreter
from tests.benchmarks.training_peers.job import SIZES, GRUSize, Job
from tests.benchmarks.training_process import Contestant, ContestantError
from training.precision import has_fast_bf16
from training.prepare import Prepared

FOLDER = Path("build/bench")
WARM_UP = 2
BUCKETED = "plain PyTorch, bucketed"
JOEYNMT, OURS = "joeynmt", "seq2serve"
Figures = dict[str, dict[str, Any]]


def main(command_line: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(command_line)
    folder = FOLDER / "training-data"
    try:
        prepared = prepare_data(multi30k(), folder)
    except MTError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    peers, left_out = _installed(arguments.peers)
    if not has_fast_bf16(torch.device("cpu")):
        left_out["bf16"] = "not measured: this CPU does not multiply bfloat16 in hardware"
    sizes: dict[str, Any] = {}
    for size in arguments.sizes:
        everyone = list(contestants(size, folder, peers, arguments.without))
        found, failed = measure(everyone, arguments)
        left_out |= {f"{name}, {size}": reason for name, reason in failed.items()}
        sizes[size] = {"contestants": found, "ratios": ratios(found)}
        print(_table(size, found), flush=True)
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    path = report.write("training", _report(arguments, prepared, sizes, left_out))
    print(f"written to {path}")
    return 0


def measure(
    everyone: Sequence[Contestant], arguments: argparse.Namespace
) -> tuple[Figures, dict[str, str]]:
    """Figures of each contestant, and why some have none; all stopped in the end."""
    running, failed = list(everyone), {}
    try:
        for turn in range(arguments.rounds + 1):
            for contestant in list(running):
                try:
                    if turn:
                        contestant.run_round(arguments.updates, arguments.seconds)
                    else:
                        contestant.start()
                except ContestantError as error:
                    failed[contestant.name] = str(error)
                    running.remove(contestant)
                    contestant.stop()
            print(f"round {turn} of {arguments.rounds} is done", file=sys.stderr, flush=True)
        return {contestant.name: contestant.figures() for contestant in running}, failed
    finally:
        for contestant in everyone:
            contestant.stop()


def _installed(wanted: Sequence[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Interpreters of the peers that are installed, and what to do about the others."""
    found = {peer: interpreter(peer) for peer in wanted}
    missing = {
        peer: "not installed; run make bench-training-peers"
        for peer, path in found.items()
        if path is None
    }
    return {peer: path for peer, path in found.items() if path is not None}, missing


def contestants(
    size: str, folder: Path, peers: Mapping[str, Path], without: Sequence[str]
) -> Iterable[Contestant]:
    """All that train this size: toolkits, plain PyTorch, ours, ours without a trick."""
    job = Job(size=size, data=str(folder))
    is_gru = isinstance(SIZES[size], GRUSize)
    for peer, python in peers.items():
        if not is_gru or peer == JOEYNMT:
            command = (str(python), "-m", f"tests.benchmarks.training_peers.{peer}")
            yield _contestant(peer, command, job, WARM_UP)
    yield _contestant("plain PyTorch", _ours("plain"), job, WARM_UP)
    yield _contestant(BUCKETED, _ours("bucketed"), job, WARM_UP)
    for precision in ("fp32", "bf16") if has_fast_bf16(torch.device("cpu")) else ("fp32",):
        ours = replace(job, precision=precision)
        for kind in ("steady", "sustained"):
            name = f"{OURS} {precision} {kind}"
            yield _contestant(name, _ours(kind), ours, READY_MADE)
        for trick in without:
            if trick in (TRANSFORMER_TRICKS if is_gru else GRU_TRICKS):
                continue
            name = f"{OURS} {precision} steady, without {trick}"
            yield _contestant(name, _ours("steady"), replace(ours, without=trick), READY_MADE)


def _ours(kind: str) -> Sequence[str]:
    return (sys.executable, "-m", "tests.benchmarks.training_ours", kind)


def _contestant(name: str, command: Sequence[str], job: Job, warm_up: int) -> Contestant:
    file = f"{job.size} {name}.log".replace(",", "").replace(" ", "-")
    return Contestant(name, command, job, FOLDER / "training-logs" / file, warm_up)


def ratios(found: Figures) -> dict[str, dict[str, float]]:
    """Every speed over that of the best toolkit, of JoeyNMT, of plain PyTorch, where measured."""
    speeds = _speeds(found)
    references = [name for name in (best_peer(found), JOEYNMT, BUCKETED) if name in speeds]
    return {name: report.ratios(speeds, name) for name in dict.fromkeys(references)}


def best_peer(found: Figures) -> str:
    """The fastest toolkit, or where none was measured the fastest of all that is not ours."""
    theirs = {name: speed for name, speed in _speeds(found).items() if not name.startswith(OURS)}
    toolkits = {name: speed for name, speed in theirs.items() if name in PEERS}
    candidates = toolkits or theirs
    return max(candidates, key=candidates.__getitem__) if candidates else ""


def _speeds(found: Figures) -> dict[str, float]:
    return {name: each["tokens_per_cpu_second"] for name, each in found.items()}


def _table(size: str, found: Figures) -> str:
    rows = [f"\n{size} (target tokens per CPU second; ratio to {best_peer(found) or 'none'})"]
    compared = ratios(found).get(best_peer(found), {})
    for name, each in found.items():
        ratio = f"{compared[name]:7.2f}x" if compared else " " * 8
        rows.append(
            f"  {name:44s} {each['tokens_per_cpu_second']:8.0f} {ratio}"
            f" {each['tokens_per_update']:6d} tokens/update {each['peak_rss_mb']:7.0f} MB"
        )
    return "\n".join(rows)


def _report(
    arguments: argparse.Namespace, prepared: Prepared, sizes: object, left_out: Mapping[str, str]
) -> dict[str, object]:
    facts = prepared.dataset.facts
    return {
        "unit": "target tokens per CPU second, padding excluded and eos counted; median of rounds",
        "threads": 1,
        "rounds": arguments.rounds,
        "updates_of_a_round": arguments.updates,
        "cpu_seconds_of_a_round": arguments.seconds,
        "max_tokens": Job.max_tokens,
        "corpus": {"name": "multi30k en-de", "pairs": facts.pairs, "tgt_tokens": facts.tgt_tokens},
        "machine": report.machine(("torch", "numpy")),
        "sizes": sizes,
        "left_out": dict(left_out),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Training speed, side by side")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=1, help="of one round, at least")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="CPU time of one round, at least"
    )
    parser.add_argument(
        "--without",
        nargs="*",
        choices=list(TRICKS),
        default=list(TRICKS),
        help="rows of ours, steady, with one trick switched off",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
