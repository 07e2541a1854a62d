"""Verbs of the training half. Each reads its flags, calls one function and prints what came out."""

import json
import shlex
from itertools import chain
from pathlib import Path
from typing import Literal

import click

from mt.errors import ConfigError
from training.flags import (
    INTERRUPTED,
    check_writable,
    evaluation_search,
    resumable,
    search_options,
    shortlist_plan,
    write_text,
)
from training.recipe import read_recipe

_SETTING = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a recipe's dotted key."
)


@click.command()
@click.argument("recipe")
@_SETTING
@click.option("--out", type=click.Path(path_type=Path), help="Run folder [runs/<recipe's name>].")
@click.option(
    "--workers", type=click.IntRange(min=2), help="Share the work out to so many, on Ray Train."
)
@click.option("--ray", metavar="ADDRESS", help="Cluster of --workers, or auto [local].")
def train(
    recipe: str, overrides: tuple[str, ...], out: Path | None, workers: int | None, ray: str | None
) -> None:
    """Train RECIPE (a YAML file, or a shipped recipe's name); again to go on where it stopped."""
    chosen = read_recipe(recipe, overrides)
    run = out or Path("runs") / chosen.name
    if workers is None:
        if ray is not None:
            raise ConfigError("--ray needs --workers: how many share the work out")
        from training.train import train as train_recipe

        result = train_recipe(chosen, run)
    else:
        from training.distributed import train_together

        result = train_together(chosen, run, workers, ray or "local")
    click.echo(result.summary())
    if not result.finished:
        click.get_current_context().exit(INTERRUPTED)


@click.command()
@click.argument("recipe")
@_SETTING
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A sentence a line, in either language; may be given again.",
)
@click.option("--licence", required=True, help="Terms of use of the text.")
@click.option(
    "--objective",
    type=click.Choice(["denoising", "masked", "causal", "skip-gram"]),
    default="denoising",
    show_default=True,
    help="For encoder and decoder, an encoder, a decoder, or embeddings alone.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder [runs/RECIPE-OBJECTIVE].")
def pretrain(
    recipe: str,
    overrides: tuple[str, ...],
    texts: tuple[Path, ...],
    licence: str,
    objective: Literal["denoising", "masked", "causal", "skip-gram"],
    out: Path | None,
) -> None:
    """Train RECIPE's model on plain text, for a start where pairs are few; again to go on."""
    from training.pretrain import pretrain as pretrain_recipe

    chosen = read_recipe(recipe, overrides)
    run = out or Path("runs") / f"{chosen.name}-{objective}"
    lines = pretrain_recipe(chosen, texts, licence, objective, run)
    if lines is None:
        click.echo(f"stopped; {run} is saved and the same command continues")
        click.get_current_context().exit(INTERRUPTED)
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("recipes", nargs=-1, required=True)
@_SETTING
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the search.")
@click.option(
    "--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Of each recipe."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of search.")
def tune(
    recipes: tuple[str, ...], overrides: tuple[str, ...], out: Path, trials: int, seed: int
) -> None:
    """Search the ranges RECIPES declare for the best validation BLEU; again to go on.

    Every recipe gets the same number of trials, the first one as it is written.
    """
    from training.tune.search import tune as tune_recipes

    flags = ["--out", str(out), "--trials", str(trials), "--seed", str(seed)]
    flags += chain.from_iterable(("--set", override) for override in overrides)
    command = shlex.join(["seq2serve", "tune", *recipes, *flags])
    chosen = [read_recipe(name, overrides) for name in recipes]
    lines = tune_recipes(chosen, out, trials, seed, command)
    if lines is None:
        click.echo(f"stopped; what was tried is saved in {out}; the same command continues")
        click.get_current_context().exit(INTERRUPTED)
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--split", help="Test set of the recipe's corpus [its first test set].")
@click.option("--beam-size", type=int, default=5, show_default=True, help="1: greedy.")
@click.option("--length-penalty", type=float, help="Alpha [1.0].")
@click.option("--tune-length-penalty", is_flag=True, help="Choose alpha on validation first.")
@click.option("--precision", help="Graphs of a bundle, such as fp32 or int8 [its default].")
@click.option("--lowercase", is_flag=True, help="Also BLEU of lower-cased Moses tokens.")
@click.option("--sentences", type=click.IntRange(min=1), help="Only so many, evenly spread.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--hypotheses", type=click.Path(path_type=Path), help="Write translations here.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write scores here.")
def evaluate(
    models: tuple[Path, ...],
    split: str | None,
    beam_size: int,
    length_penalty: float | None,
    tune_length_penalty: bool,
    precision: str | None,
    lowercase: bool,
    sentences: int | None,
    threads: int,
    hypotheses: Path | None,
    report: Path | None,
) -> None:
    """Score MODELS (a run, a checkpoint or a bundle) on a test set, with signatures.

    Several runs or checkpoints that share a vocabulary are scored as one ensemble.
    """
    from training.scoring import score_system
    from training.system import open_systems

    options = evaluation_search(beam_size, length_penalty, tune_length_penalty)
    for path in filter(None, (hypotheses, report)):
        check_writable(path)
    system = open_systems(models, precision, threads)
    scored = score_system(system, split, options, sentences, lowercase, tune_length_penalty)
    for line in scored.lines():
        click.echo(line)
    if hypotheses is not None:
        write_text(hypotheses, "".join(f"{text}\n" for text in scored.evaluated.hypotheses))
    if report is not None:
        write_text(report, json.dumps(scored.values(), indent=2, ensure_ascii=False) + "\n")


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the pairs.")
@click.option("--recipe", help="Translate this recipe's corpus [the first model's].")
@click.option("--beam-size", type=int, default=5, show_default=True, help="1: greedy.")
@click.option("--length-penalty", type=float, default=1.0, show_default=True, help="Alpha.")
@click.option("--sentences", type=click.IntRange(min=1), help="Only the first so many pairs.")
@click.option("--precision", help="Graphs of bundles, such as fp32 or int8 [their default].")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--max-rows",
    type=click.IntRange(min=1),
    default=160,
    show_default=True,
    help="Live hypotheses searched together.",
)
@click.option(
    "--keep-original/--only-distilled",
    default=True,
    show_default=True,
    help="What OUT/corpus.yaml trains on.",
)
def distill(
    models: tuple[Path, ...],
    out: Path,
    recipe: str | None,
    beam_size: int,
    length_penalty: float,
    sentences: int | None,
    precision: str | None,
    threads: int,
    max_rows: int,
    keep_original: bool,
) -> None:
    """Let MODELS translate the training text, to train on what they write; again to go on.

    Models of the corpus's direction write targets, those of the opposite direction sources.
    """
    from training.distill import distill as distill_corpus

    search = search_options(beam_size=beam_size, length_penalty=length_penalty)
    found = distill_corpus(
        models,
        out,
        read_recipe(recipe).corpus if recipe else None,
        search,
        sentences=sentences,
        precision=precision,
        threads=threads,
        max_rows=max_rows,
        keep_original=keep_original,
    )
    for part in found.models:
        click.echo(part.line())
    alone = "" if keep_original else " --set corpus.keep_original=false"
    click.echo(f"next: seq2serve train RECIPE --set corpus.extra_train={out}{alone}")


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the runs.")
@click.option("--split", help="Test set of the recipe's corpus [its first test set].")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def ablate(plan: Path, out: Path, split: str | None, threads: int) -> None:
    """Train the recipe of PLAN (YAML) once for each change it lists; again to go on."""
    from training.ablation import ablate as ablate_plan
    from training.ablation import read_plan, table

    with resumable(out):
        measured = ablate_plan(read_plan(plan), read_recipe, out, split, threads)
    for line in table(measured):
        click.echo(line)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Results folder.")
@click.option("--split", help="Test set of the recipe's corpus [its first test set].")
@click.option("--beam-size", type=int, default=5, show_default=True, help="1: greedy.")
@click.option("--length-penalty", type=float, help="Alpha [1.0].")
@click.option("--tune-length-penalty", is_flag=True, help="Choose alpha on validation first.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--add", is_flag=True, help="Keep the seeds that the folder has.")
def publish(
    runs: tuple[Path, ...],
    out: Path,
    split: str | None,
    beam_size: int,
    length_penalty: float | None,
    tune_length_penalty: bool,
    threads: int,
    add: bool,
) -> None:
    """Write the evidence of finished RUNS, seeds of one recipe: scores, curves, translations."""
    from training.publish import publish as publish_runs

    options = evaluation_search(beam_size, length_penalty, tune_length_penalty)
    results = publish_runs(runs, out, split, options, tune_length_penalty, threads, add)
    for metric, figures in results["mean"].items():
        deviation = "" if figures["sd"] is None else f" +- {figures['sd']:.2f}"
        click.echo(f"{metric}: {figures['mean']:.2f}{deviation} ({figures['seeds']} seeds)")


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Picture (.svg, .png).")
def plot(results: tuple[Path, ...], out: Path) -> None:
    """Draw BLEU over minutes of training from RESULTS, folders of `seq2serve publish`."""
    from training.pictures import minutes_to_bleu

    minutes_to_bleu(results, out)
    click.echo(out)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Bundle folder.")
@click.option("--name", help="Name that clients ask for [the recipe's].")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    default=("int8", "fp32"),
    show_default=True,
    help="Graphs to write, of int8, fp32 and fp16 (for a GPU); the first is served by default.",
)
@click.option(
    "--max-loss",
    "--max-int8-loss",  # its name before there was fp16
    type=float,
    default=0.3,
    show_default=True,
    help="BLEU that int8 or fp16 may cost.",
)
@click.option("--shortlist", is_flag=True, help="Learn a vocabulary shortlist; its cost is told.")
@click.option("--shortlist-best", type=int, help="Translations listed of a source piece [50].")
@click.option("--shortlist-frequent", type=int, help="Pieces listed for every sentence [200].")
def export(
    model: Path,
    out: Path,
    name: str | None,
    precisions: tuple[str, ...],
    max_loss: float,
    shortlist: bool,
    shortlist_best: int | None,
    shortlist_frequent: int | None,
) -> None:
    """Export MODEL (a run or a checkpoint) to an ONNX bundle, unless parity fails."""
    from training.export import export as export_model

    plan = shortlist_plan(shortlist, best=shortlist_best, frequent=shortlist_frequent)
    bundle = export_model(model, out, precisions, name=name, largest_loss=max_loss, shortlist=plan)
    size = sum(entry.size for entry in bundle.manifest.files.values()) / 2**20
    click.echo(f"{out}: {bundle.manifest.name}, {'+'.join(bundle.manifest.graphs)}, {size:.1f} MiB")
    for cost in bundle.manifest.parity.get("shortlist", []):
        click.echo(
            f"shortlist, {cost['precision']}, beam {cost['beam_size']}: BLEU {cost['bleu']:.2f}, "
            f"{cost['full_bleu']:.2f} without; {cost['step_ms']:.2f} ms a step, "
            f"{cost['full_step_ms']:.2f} without; {cost['listed']:.0f} ids a sentence"
        )
    click.echo(f"next: seq2serve serve {out}")


@click.command()
@click.argument("recipe")
@_SETTING
def corpus(recipe: str, overrides: tuple[str, ...]) -> None:
    """Show the corpus of RECIPE: pairs, words, what cleaning drops and why, licence."""
    from training.corpora.corpus import open_corpus
    from training.corpora.description import describe_lines

    for line in describe_lines(open_corpus(read_recipe(recipe, overrides).corpus)):
        click.echo(line)


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("build/demo"), show_default=True
)
@_SETTING
@click.option("--port", type=int, default=0, help="Port of the demo's server [any free one].")
@click.option("--sentences", type=click.IntRange(min=6), help="Score no more of each test set.")
def demo(out: Path, overrides: tuple[str, ...], port: int, sentences: int | None) -> None:
    """Train, compare, export and serve three small models on the embedded corpus."""
    from training.demo import SYSTEMS, run_demo

    recipes = {system: read_recipe(f"demo-{system}", overrides) for system in SYSTEMS}
    run_demo(out, recipes, port, sentences)
