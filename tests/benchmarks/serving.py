"""Real sentences over HTTP: ours embedded and on Ray Serve, beside CTranslate2 behind FastAPI.

python -m tests.benchmarks.serving [RUN BUNDLE] [--quick] [--json PATH [--add]]

RUN holds the weights, BUNDLE what `seq2serve export RUN` made of them; without them a model is
trained first (20 minutes). All run one thread a model; rounds of all hosts are interleaved and
medians count. Servers and clients share this machine, so what a host costs the processor is told
as well.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from mt import bundle
from mt.beam_search import SearchOptions, search
from mt.stepper import runtime
from serving.embedded import bind
from tests.benchmarks import ctranslate2_peer, real_model, report
from tests.benchmarks.load import Outcome, Target, closed_loop, open_loop
from tests.server_process import Server
from training.compare.energy import estimate_energy
from training.corpora.corpus import open_corpus
from training.trained import load_trained

BEAM = 5
CLIENTS = (1, 4, 16, 64)
OPEN_LIKE, OPEN_SHARE = 16, 0.7  # of what so many clients get through: the rate of open arrivals
MAX_ROWS = 160
SAMPLE = 320  # texts that the engine translates by itself, at each number of clients
PATIENCE_S = 120.0
SETTINGS = """
bundles: [{path: named on the command line}]
engine: {precision: int8}
cache_mib: 0  # texts come again
"""
HOSTS = ("embedded", "CTranslate2", "Ray Serve, 1 replica", "Ray Serve, 2 replicas")
CELL = ("host", "load")


@dataclass(frozen=True)
class Host:
    """A server that is up: where to ask, and whose processor time to count."""

    name: str
    target: Target
    process: psutil.Process


def main() -> None:
    arguments = _arguments()
    real_model.make_sure(arguments)
    trained = load_trained(arguments.run)
    corpus = trained.recipe.corpus
    texts = [pair.src for pair in open_corpus(corpus).pairs(arguments.split)]
    offline = {
        sentences: _offline(arguments.bundle, texts[:SAMPLE], sentences)
        for sentences in (*arguments.clients, MAX_ROWS // BEAM)
    }
    print(f"sentences/s of the engine by itself, so many at once: {offline}", flush=True)
    pair = {"source": corpus.source, "target": corpus.target}
    with ExitStack() as running:
        hosts = [running.enter_context(_host(n, arguments, pair)) for n in arguments.hosts]
        rows = [*_race(hosts, texts, arguments)]
    for row in rows:
        row["of_offline"] = round(row["sentences_per_s"] / offline[MAX_ROWS // BEAM], 3)
        if (alike := offline.get(row["clients"])) is not None:
            row["of_offline_of_as_many"] = round(row["sentences_per_s"] / alike, 3)
        print(row, flush=True)
    result = {
        "split": arguments.split,
        "beam": BEAM,
        "offline_sentences_per_s": offline,
        "machine": report.machine(("onnxruntime-gpu", "ctranslate2", "ray", "fastapi", "uvicorn")),
        "rows": rows,
    }
    cell = CELL if arguments.add else ()
    print(f"\nwritten to {report.write('serving', result, arguments.json, cell)}")


def _offline(folder: Path, texts: Sequence[str], sentences: int) -> float:
    """Sentences a second that the search gets through when it has all of them, so many at once."""
    opened = bundle.open(folder)
    stepper = runtime()(opened, "int8")
    sources = [opened.tokenizer.encode_source(text) for text in texts]
    began = time.perf_counter()
    search(stepper, sources, SearchOptions(beam_size=BEAM), min(sentences * BEAM, MAX_ROWS))
    return round(len(sources) / (time.perf_counter() - began), 1)


@contextmanager
def _host(name: str, arguments: argparse.Namespace, pair: dict[str, str]) -> Iterator[Host]:
    """Start a host, and wait until it answers."""

    def body(text: str) -> dict[str, object]:
        return {"q": text, **pair, "beam_size": BEAM}

    def text_of(answer: dict[str, object]) -> str:
        return str(answer["translatedText"])

    with ExitStack() as stack:
        if name == "CTranslate2":
            folder = stack.enter_context(TemporaryDirectory())
            port = _free_port()
            process = stack.enter_context(_peer(arguments.run, folder, port))
            url = f"http://127.0.0.1:{port}"
        else:
            replicas = name.removeprefix("Ray Serve, ").split()[0]
            on_ray = ["--ray", "--replicas", replicas] if name.startswith("Ray") else []
            port = _free_port() if on_ray else 0
            settings = Path(stack.enter_context(TemporaryDirectory())) / "settings.yaml"
            settings.write_text(SETTINGS)
            given = (str(arguments.bundle), "--settings", str(settings), *on_ray)
            server = stack.enter_context(Server(*given, port=port))
            process, url = server.process, server.url
        yield Host(name, Target(f"{url}/translate", body, text_of), psutil.Process(process.pid))


def _free_port() -> int:
    with bind("127.0.0.1", 0) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _peer(run: Path, folder: str, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    """CTranslate2's server, answering."""
    module = "tests.benchmarks.ctranslate2_app"
    command = [sys.executable, "-m", module, str(run), folder, "int8", str(port)]
    process = subprocess.Popen(command)
    try:
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/docs")
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > give_up:
                    raise SystemExit("CTranslate2's server did not start") from None
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait()


def _race(
    hosts: Sequence[Host], texts: Sequence[str], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Every load on every host, the hosts in turns; the others have nothing to do meanwhile."""
    rounds, seconds = arguments.rounds, arguments.seconds
    for host in hosts:
        closed_loop(host.target, texts, 4, 2.0)  # warm
    for number in arguments.clients:
        work = partial(closed_loop, texts=texts, clients=number, seconds=seconds)
        for row in _turns(hosts, f"{number} clients", rounds, work):
            if number == OPEN_LIKE and row["host"] == hosts[0].name:
                rate = row["sentences_per_s"] * OPEN_SHARE
            yield {**row, "clients": number}
    if OPEN_LIKE in arguments.clients:
        work = partial(open_loop, texts=texts, rate=rate, seconds=seconds)
        for row in _turns(hosts, "open", rounds, work):
            yield {**row, "clients": None, "arrivals_per_s": round(rate, 1)}


def _turns(
    hosts: Sequence[Host], load: str, rounds: int, work: Callable[[Target], Outcome]
) -> list[dict[str, Any]]:
    found: dict[str, list[tuple[Outcome, float]]] = {host.name: [] for host in hosts}
    for _ in range(rounds):
        for host in hosts:
            found[host.name].append(_load(host, work))
    return [_row(host, load, found[host.name]) for host in hosts]


def _load(host: Host, work: Callable[[Target], Outcome]) -> tuple[Outcome, float]:
    """What came back, and the processor seconds that the server and its children took."""
    before = _processor_s(host.process)
    outcome = work(host.target)
    return outcome, _processor_s(host.process) - before


def _processor_s(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _replica_mib(process: psutil.Process) -> float:
    """Memory of a server or replica and of what it began, each with its part of what is shared."""
    everyone = [process, *process.children(recursive=True)]
    replicas = [one for one in everyone if "ServeReplica" in " ".join(one.cmdline())]
    return max(_pss(one) for one in replicas or [process]) / 2**20


def _pss(process: psutil.Process) -> float:
    """Bytes of a process and its children (PSS)."""
    everyone = [process, *process.children(recursive=True)]
    return sum(float(one.memory_full_info().pss) for one in everyone)


def _row(host: Host, load: str, loads: Sequence[tuple[Outcome, float]]) -> dict[str, Any]:
    per_s = median(outcome.per_second for outcome, _ in loads)
    words = sum(len(" ".join(found).split()) for o, _ in loads for found in o.answers.values())
    answered = sum(len(outcome.latencies) for outcome, _ in loads)
    distinct = sum(len(outcome.answers) for outcome, _ in loads)
    processor_s = sum(spent for _, spent in loads)
    thousand_words = max(answered * words / max(distinct, 1) / 1000, 1e-9)
    return {
        "host": host.name,
        "load": load,
        "sentences_per_s": round(per_s, 1),
        "p50_ms": round(1000 * median(outcome.percentile(50) for outcome, _ in loads), 1),
        "p99_ms": round(1000 * median(outcome.percentile(99) for outcome, _ in loads), 1),
        "replica_pss_mib": round(_replica_mib(host.process), 1),
        "failures": sum(len(outcome.failures) for outcome, _ in loads),
        "different_answers": sum(
            len(found) > 1 for outcome, _ in loads for found in outcome.answers.values()
        ),
        "processor_s_per_1000_words": round(processor_s / thousand_words, 3),
        "joules_per_1000_words": round(estimate_energy(processor_s).joules / thousand_words, 2),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load over HTTP, side by side")
    real_model.add_arguments(parser)
    parser.add_argument("--split", default="test2016")
    parser.add_argument("--hosts", nargs="+", choices=HOSTS, help="[all that can be had]")
    parser.add_argument("--clients", nargs="+", type=int, default=CLIENTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true", help="1 and 16 clients, no Ray")
    parser.add_argument("--json", type=Path, help="result [build/bench/serving.json]")
    parser.add_argument("--add", action="store_true", help="leave other rows in the result")
    found = parser.parse_args()
    if found.quick:
        found.hosts, found.clients = HOSTS[:2], [1, 16]
    hosts = found.hosts or HOSTS
    found.hosts = [one for one in hosts if one != "CTranslate2" or ctranslate2_peer.INSTALLED]
    return found


if __name__ == "__main__":
    main()
