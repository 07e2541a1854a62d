"""`make demo`: the whole chain on the embedded corpus, from sentence pairs to answers over HTTP.

Every step leaves its result in the demo's folder and is reused when the demo runs again.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from mt import bundle as bundles
from mt.errors import MTError
from mt.search_options import SearchOptions
from training.checkpoint import sha256_of_model
from training.console import clock
from training.corpora.corpus import open_corpus
from training.corpora.embedded import EXAMPLE, band
from training.corpora.pair import Pair
from training.demo_server import DemoServer
from training.evaluate import bleu_by_band
from training.export import export
from training.recipe import Recipe
from training.scoring import score_system
from training.side_by_side import train_side_by_side
from training.system import open_system

SYSTEMS = ("gru-no-attention", "gru", "transformer")
SERVED = ("gru", "transformer")
SLOWEST_FIRST = ("gru", "transformer", "gru-no-attention")  # so that no core idles at the end
SEARCH = SearchOptions(beam_size=5)
INT8_LOSS = 2.0  # BLEU; scores of a model trained for two minutes move with every rounding


@dataclass
class Demo:
    """The demo's folder, and its report as it grows: `build/demo/report.json`."""

    out: Path
    recipes: dict[str, Recipe]
    report: dict[str, Any]
    sentences: int | None = None  # at most so many of each test set are scored

    def step(self, title: str, work: Callable[[], object]) -> None:
        """Do one step, and add its seconds to those it took in earlier runs of the demo."""
        click.secho(f"\n== {title}", bold=True)
        started = time.perf_counter()
        work()
        seconds: dict[str, float] = self.report.setdefault("timings", {})
        seconds[title] = round(seconds.get(title, 0.0) + time.perf_counter() - started, 1)
        self.report["seconds"] = round(sum(seconds.values()), 1)
        self.save()

    def save(self) -> None:
        """Write the report beside everything else."""
        text = json.dumps(self.report, indent=2, ensure_ascii=False) + "\n"
        (self.out / "report.json").write_text(text, encoding="utf-8")

    def run_folder(self, system: str) -> Path:
        """Where a system is trained."""
        return self.out / "runs" / system

    def bundle_folder(self, system: str) -> Path:
        """Where a system is exported to."""
        return self.out / "bundles" / system


def run_demo(
    out: Path, recipes: dict[str, Recipe], port: int = 0, sentences: int | None = None
) -> dict[str, Any]:
    """Train, compare, export, serve and ask; returns the report.

    port: of the server, 0 for any free one; sentences: score no more of each test set.

    Raises:
        MTError: whatever a step could not do; running again goes on from there.
    """
    out.mkdir(parents=True, exist_ok=True)
    demo = Demo(out, recipes, _read_report(out / "report.json"), sentences)
    demo.step("train", partial(_train, demo))
    for system in SYSTEMS:
        demo.step(f"score {system}", partial(_score, demo, system))
    _print_table(demo.report["systems"])
    for system in SERVED:
        demo.step(f"export {system}", partial(_export, demo, system))
    demo.step("serve and ask", partial(_serve_and_ask, demo, port))
    _print_answers(demo.report["rest"])
    _print_next(demo)
    return demo.report


def _train(demo: Demo) -> None:
    train_side_by_side({demo.run_folder(name): demo.recipes[name] for name in SLOWEST_FIRST})


def _score(demo: Demo, system: str) -> None:
    """BLEU on unseen sentences, and by length on the long ones; reused for the same weights."""
    systems = demo.report.setdefault("systems", {})
    opened = open_system(demo.run_folder(system))
    made_of = {"weights_sha256": opened.sha256, "sentences": demo.sentences}
    if made_of.items() <= systems.get(system, {}).items():
        return
    short = score_system(opened, "test", SEARCH, demo.sentences)
    long = score_system(opened, "test-long", SEARCH, demo.sentences).evaluated
    bands = bleu_by_band(long.sources, long.hypotheses, long.references, band, "test-long")
    systems[system] = {
        "bleu": short.scores[0].value,
        "signature": short.scores[0].signature,
        "chrf": short.scores[1].value,
        "by_length": {name: score.value for name, score in bands.items()},
        **made_of,
    }


def _export(demo: Demo, system: str) -> None:
    folder, run = demo.bundle_folder(system), demo.run_folder(system)
    if _is_export_of(folder, sha256_of_model(run)):
        return
    export(run, folder, name=system, largest_loss=INT8_LOSS)


def _is_export_of(folder: Path, weights_sha256: str) -> bool:
    try:
        return bundles.open(folder).manifest.checkpoint_sha256 == weights_sha256
    except MTError:
        return False


def _serve_and_ask(demo: Demo, port: int) -> None:
    """One Ray Serve, both bundles; every question goes to both models."""
    corpus = open_corpus(demo.recipes["transformer"].corpus)
    pairs = [EXAMPLE, *list(corpus.pairs("test"))[:4]]
    answers = []
    with DemoServer([demo.bundle_folder(name) for name in SERVED], demo.out, port) as server:
        click.echo(f"Ray Serve answers at {server.address}")
        for pair in pairs:
            answers += [_ask(server, pair, model) for model in SERVED]
    demo.report["rest"] = answers


def _ask(server: DemoServer, pair: Pair, model: str) -> dict[str, str]:
    question = {"text": pair.src, "source": "fr", "target": "en", "model": model}
    answer = server.post("/v1/translate", question)
    text = answer["translations"][0]["text"]
    return {"source": pair.src, "translation": text, "reference": pair.tgt, "model": model}


def _read_report(path: Path) -> dict[str, Any]:
    """The report of an earlier run, or an empty one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _print_table(systems: dict[str, Any]) -> None:
    """BLEU of every system, whole and by length in words."""
    names = list(systems["gru"]["by_length"])
    click.secho("\nBLEU on unseen sentences, and by length of the source in words", bold=True)
    click.echo(f"{'':<18}{'test':>7} |" + "".join(f"{name:>8}" for name in names))
    for system, found in systems.items():
        bands = "".join(f"{found['by_length'][name]:8.1f}" for name in names)
        click.echo(f"{system:<18}{found['bleu']:7.2f} |{bands}")
    for signature in sorted({found["signature"] for found in systems.values()}):
        click.echo(f"signature: {signature}")


def _print_answers(answers: Sequence[dict[str, str]]) -> None:
    click.secho("\nAsked over HTTP", bold=True)
    for answer in answers:
        if answer["model"] == SERVED[0]:
            click.echo(
                f"\n{'source':<12} {answer['source']}\n{'reference':<12} {answer['reference']}"
            )
        click.echo(f"{answer['model']:<12} {answer['translation']}")


def _print_next(demo: Demo) -> None:
    folder = demo.bundle_folder("transformer")
    click.echo(
        f"\nAll of it took {clock(demo.report['seconds'])}; it is in {demo.out}, scores in "
        f"{demo.out / 'report.json'}.\n"
        "What to type next:\n"
        f'  echo "{EXAMPLE.src}" | .venv/bin/seq2serve translate {folder}\n'
        f"  .venv/bin/seq2serve serve {folder}\n"
        "  .venv/bin/seq2serve train --help     # and training/recipes/ for your own corpus"
    )
