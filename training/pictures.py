"""Pictures of published results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from mt.errors import ConfigError
from mt.writing import writing
from training.budget import lies_at


def minutes_to_bleu(folders: Sequence[Path], picture: Path) -> None:
    """Draw BLEU on the test set over minutes of one core, a line for each results folder.

    Points are the milestones of `seq2serve publish`, means over seeds where all of them have one,
    on a logarithmic axis; the bars span the seeds. The format follows the picture's ending.

    Raises:
        ConfigError: a folder holds no results, they have no milestones, several test sets or
            beams, or the picture cannot be written.
    """
    lines = [_read(folder) for folder in folders]
    if len(tests := {line.test for line in lines}) > 1:
        raise ConfigError(
            f"one picture shows one test set and beam, not {'; '.join(sorted(tests))}"
        )
    figure = Figure(figsize=(7, 4 + 0.2 * len(lines)), layout="constrained")
    axes = figure.subplots()
    for line in lines:
        points = line.points
        minutes = sorted(points)
        means = [sum(points[at]) / len(points[at]) for at in minutes]
        spans = [
            [mean - min(points[at]) for at, mean in zip(minutes, means, strict=True)],
            [max(points[at]) - mean for at, mean in zip(minutes, means, strict=True)],
        ]
        axes.errorbar(minutes, means, spans, marker="o", capsize=3, label=line.label)
    axes.set_xscale("log")
    axes.set_xticks(ticks := _ticks(axes.get_xlim()), [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("minutes of one core spent on training")
    axes.set_ylabel(f"BLEU on {', '.join(tests)}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize="small", frameon=False)
    _save(figure, picture)


def _save(figure: Figure, picture: Path) -> None:
    """Equal figures give equal files: no dates, and ids that are not random."""
    formats = figure.canvas.get_supported_filetypes()
    if picture.suffix.lstrip(".") not in formats:
        raise ConfigError(f"{picture}: unknown kind of picture; one of .{', .'.join(formats)}")
    with (
        writing(picture),
        mpl.rc_context({"svg.hashsalt": "seq2serve", "svg.fonttype": "none"}),
    ):
        picture.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)


class _Line(NamedTuple):
    """What a results folder gives to the picture."""

    label: str
    test: str
    points: dict[float, list[float]]


def _read(folder: Path) -> _Line:
    path = folder / "results.json"
    try:
        results = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise ConfigError(f"{path} cannot be read; make it with: seq2serve publish") from None
    try:
        line = _Line(_label(results), _test(results), _points(results))
    except (LookupError, TypeError, ValueError):
        raise ConfigError(f"{folder}: not the results of seq2serve publish") from None
    if not line.points:
        raise ConfigError(f"{folder}: no run kept milestones (training.keep_at_minutes)")
    return line


def _points(results: dict[str, Any]) -> dict[float, list[float]]:
    """BLEU of every seed at each milestone, by its minutes as the recipe gives them.

    A run of old that was killed may have passed a milestone twice: the later pass is its own.
    """
    points: dict[float, list[float]] = {}
    for at in results["settings"]["training"]["keep_at_minutes"]:
        for seed in results["seeds"]:
            passed = [
                point["BLEU"]
                for point in seed["curve"]
                if lies_at(at, point["processor_minutes"], point["update"])
            ]
            points.setdefault(at, []).extend(passed[-1:])
    return {at: values for at, values in points.items() if len(values) == len(results["seeds"])}


def _ticks(limits: tuple[float, float]) -> list[float]:
    """5, 10, 20, ... within the axis."""
    ticks = [5 * 2.0**i for i in range(-6, 12)]
    return [tick for tick in ticks if limits[0] <= tick <= limits[1]]


def _label(results: dict[str, Any]) -> str:
    """Recipe, seeds and updates: the same recipe may have been published after more of them."""
    seeds = results["seeds"]
    count = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    updates = [seed["updates"] for seed in seeds]
    fewest, most = min(updates), max(updates)
    span = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{results['recipe']}, {count}, {span} updates"


def _test(results: dict[str, Any]) -> str:
    """Test set and beam, as the axis names them."""
    return f"{results['split']}, beam {results['seeds'][0]['search']['beam_size']}"
