"""`seq2serve report`: the page of a comparison, made again from what lies in its folder."""

from pathlib import Path

import click

FOLDER = "report"


@click.command()
@click.argument("comparison", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder [COMPARISON/report].")
@click.option("--length-bands", metavar="BANDS", help="Of source words: 1-8,9-11,12-15,16+.")
@click.option("--again", is_flag=True, help="Look at everything anew, attention too.")
def report(comparison: Path, out: Path | None, length_bands: str | None, again: bool) -> None:
    """Write the report of a COMPARISON: a page, a summary, and pictures as SVG, PNG and CSV.

    COMPARISON is the folder that `seq2serve compare` wrote. What takes long is kept there.
    """
    from training.compare.explain.explain import explain
    from training.compare.explain.explanations import write_explanations
    from training.compare.explain.length_bands import parse_bands
    from training.compare.outcome import read_comparison
    from training.compare.report.report import write_report

    bands = parse_bands(length_bands) if length_bands else None
    found = read_comparison(comparison)
    folder = comparison if comparison.is_dir() else comparison.parent
    if again or bands:
        write_explanations(folder, explain(found, folder, bands))
    paths = write_report(found, folder, out or folder / FOLDER)
    click.echo(f"{len(paths)} files; read {paths[-1]}")
