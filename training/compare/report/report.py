"""All files of a report, in one folder."""

from pathlib import Path

from training.compare.explain.explain import explanations_of
from training.compare.outcome import Comparison
from training.compare.report.drawing import draw
from training.compare.report.markdown import summarise
from training.compare.report.page import render
from training.compare.report.sections import sections
from training.durable_files import write_file

PAGE, SUMMARY, PICTURES = "report.html", "summary.md", "pictures"


def write_report(comparison: Comparison, folder: Path, out: Path) -> list[Path]:
    """Write the page, the summary, and every picture as SVG, PNG and CSV; returns all paths.

    folder: where comparison.json and the texts it names are; what is found out about them is kept
    there as explanations.json and used again.

    Raises:
        ConfigError: a text is missing or damaged, or a library is not installed.
        CheckpointError: a file cannot be written.
    """
    explanations = explanations_of(comparison, folder)
    parts = sections(comparison, explanations)
    svgs: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for picture in (one for part in parts for one in (*part.pictures, *part.small_pictures)):
        svgs[picture.name], png = draw(picture)
        files[f"{PICTURES}/{picture.name}.svg"] = svgs[picture.name].encode()
        files[f"{PICTURES}/{picture.name}.png"] = png
        files[f"{PICTURES}/{picture.name}.csv"] = picture.csv().encode()
    files[SUMMARY] = summarise(comparison, explanations, parts).encode()
    files[PAGE] = render(comparison, explanations, parts, svgs).encode()
    for name, data in files.items():
        write_file(out / name, data)
    return [out / name for name in files]
