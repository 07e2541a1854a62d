"""`seq2serve backtranslate`: plain text and a model's translations of it, as pairs to train on."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mt.config import validate
from mt.writing import writing

if TYPE_CHECKING:
    from serving.bulk.shards import Order
    from serving.commands.file_jobs import FileJob

PROVENANCE = "synthetic.json"  # read by training.corpora.extra, too
PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=PATH)
@click.argument("files", nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="folder of the pairs")
@click.option(
    "--forward", is_flag=True, help="FILES are source text; the model writes their targets"
)
@click.option("--tag", default="<BT>", show_default=True, help="before a source the model wrote")
@click.option("--field", default="text", show_default=True, help="of JSON lines and Parquet")
@click.option("--beam-size", type=int, help="1 is greedy  [5]")
@click.option("--samples", type=int, help="1: draw translations instead (Edunov et al. 2018)")
@click.option("--top-k", type=int, help="of samples: draw among so many best pieces  [all]")
@click.option("--seed", type=int, help="of samples: another one draws anew  [0]")
@click.option("--precision", help="graphs to run  [the bundle's default]")
@click.option("--threads", type=int, default=1, show_default=True, help="of one model step")
@click.option("--ray", is_flag=True, help="by Ray Data, on RAY_ADDRESS or this machine")
@click.option("--actors", type=click.IntRange(1), help="of --ray  [as many as cores allow]")
def backtranslate(
    bundle: Path,
    files: Sequence[str],
    out: Path,
    forward: bool,
    tag: str,
    field: str,
    precision: str | None,
    threads: int,
    ray: bool,
    actors: int | None,
    **search: int | None,
) -> None:
    """Translate monolingual FILES by BUNDLE into pairs that a recipe adds to its training text.

    Back-translation (Sennrich et al. 2016): FILES are text in a recipe's target language, BUNDLE
    translates it into its source language, and each source so written begins with a tag (Caswell
    et al. 2019). With --forward it is the other way round, without a tag: sequence-level
    distillation (Kim and Rush 2016). FILES are lines, JSON lines or Parquet (patterns and folders
    too); the same command again goes on where it stopped.
    """
    from mt.search_options import SearchOptions
    from serving.bulk import bulk, tables
    from serving.bulk.shards import Order, Pairs
    from serving.commands import file_jobs
    from serving.commands.file_jobs import FileJob
    from serving.settings import EngineSettings

    given = {name: value for name, value in search.items() if value is not None}
    order = Order(
        bundle.resolve(),
        validate({"precision": precision, "threads": threads}, EngineSettings, "backtranslate"),
        validate(given, SearchOptions, where="backtranslate"),
        field,
        Pairs("source") if forward else Pairs("target", tag or None),
    )
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    planned = file_jobs.plan(files, out, tables.ENDINGS)
    jobs = [FileJob(job.source, _named(job.target)) for job in planned]
    bulk.run(jobs, order, bulk.workers(ray, actors))
    with writing(out):
        _write_provenance(out, jobs, order)
    tags = "" if forward or not tag else f" --set 'subwords.tags=[{tag}]'"
    click.echo(f"next: seq2serve train RECIPE --set corpus.extra_train={out}{tags}")


def _named(target: Path) -> Path:
    return target if target.suffix == ".jsonl" else target.with_name(f"{target.name}.jsonl")


def _write_provenance(out: Path, jobs: "Sequence[FileJob]", order: "Order") -> None:
    """What the pairs are, for `corpus.extra_train`."""
    manifest = json.loads((order.bundle / "manifest.json").read_bytes())
    languages = [manifest["source_language"], manifest["target_language"]]
    pairs = order.facts()["pairs"]
    if pairs["given"] == "target":
        languages.reverse()
    names = [str(job.target.relative_to(out)) for job in jobs]
    values = {
        "source": languages[0],
        "target": languages[1],
        "tag": pairs["tag"],
        "model": manifest["name"],
        "licence": manifest["data"]["licence"],
        "search": order.options.model_dump(mode="json"),
        "files": {name: _checksum(out / name) for name in names},
    }
    aside = out / f".{PROVENANCE}.tmp"
    aside.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(out / PROVENANCE)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
