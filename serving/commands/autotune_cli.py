"""`seq2serve autotune`: what this machine translates most with, written down for `serve`."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from serving.commands.autotune import Trial

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=PATH)
@click.option("--out", type=PATH, help="new settings file for `seq2serve serve --settings`")
@click.option("--text", type=click.File(encoding="utf-8"), help="sentences  [made-up ones]")
@click.option("--cores", type=click.IntRange(1), help="to use  [all]")
@click.option("--precision", help="graphs to run  [the bundle's default]")
@click.option("--beam-size", type=click.IntRange(1, 64), default=5, show_default=True)
def autotune(
    bundle: Path,
    out: Path | None,
    text: TextIO | None,
    cores: int | None,
    precision: str | None,
    beam_size: int,
) -> None:
    """Find how BUNDLE uses the cores of this machine best: batches side by side, or threads."""
    from serving.commands import autotune as tuning  # with ONNX Runtime

    texts = text.read().splitlines() if text is not None else []
    with tuning.reserve(out) if out else nullcontext() as file:
        try:
            trials = tuning.autotune(bundle, precision, beam_size, cores, texts, _say)
        except BaseException:
            if out:
                out.unlink()
            raise
        _show(trials)
        if file:
            file.write(tuning.settings_of(bundle, trials[0], precision))
            click.echo(f"next: seq2serve serve --settings {out}")


def _show(trials: "Sequence[Trial]") -> None:
    click.echo("workers  threads  tokens/s  ms for one sentence alone")
    for one in trials:
        alone = f"{1000 * one.alone_s:.1f}"
        click.echo(f"{one.workers:7}  {one.threads:7}  {one.tokens_per_s:8.0f}  {alone:>25}")


def _say(line: str) -> None:
    click.echo(line, err=True)
