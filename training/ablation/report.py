"""What an ablation found: a table for people, ablation.json for programs."""

import json
from collections.abc import Sequence
from pathlib import Path

from mt.bundle import Score
from mt.config import Strict
from mt.search_options import SearchOptions
from training.ablation.plan import BASE, Plan
from training.budget import Sitting
from training.durable_files import write_file
from training.machine import describe_machine
from training.precision import choose_device_to_read_on
from training.recipe import Recipe
from training.significance import Difference


class Measured(Strict):
    """A row's BLEU on the test set, its difference from another row's, and what it cost.

    Minutes are those of one processor, of all models of the row together; decoding takes in what
    choosing the length penalty took. trained: by which revisions and on what the row's models were,
    one after the other.
    """

    name: str
    settings: tuple[str, ...]
    search: SearchOptions
    together_with: tuple[str, ...]
    bleu: Score
    against: str | None
    difference: Difference | None
    training_minutes: float
    decoding_minutes: float
    target_tokens: int
    trained: tuple[Sitting, ...]
    weights_sha256: tuple[str, ...]

    @property
    def speed(self) -> float:
        """Target tokens per second of one core, in training."""
        return self.target_tokens / (60 * self.training_minutes)


def table(rows: Sequence[Measured]) -> list[str]:
    """Lines of a Markdown table."""
    base = rows[0]
    lines = [
        "| change | BLEU | difference (95 %) | target tokens/s, one core | minutes of training "
        "| of decoding |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        found = row.difference
        text = ""
        if found is not None:
            text = f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
        text += f" against {row.against}" if row.against not in (None, BASE) else ""
        lines.append(
            f"| {row.name} | {row.bleu.value:.2f} | {text} | {row.speed:,.0f} "
            f"({row.speed / base.speed:.2f}x) | {row.training_minutes:.1f} "
            f"| {row.decoding_minutes:.1f} |"
        )
    return lines


def write_report(plan: Plan, base: Recipe, folder: Path, rows: Sequence[Measured]) -> None:
    """Write what is measured so far to ablation.json.

    Raises:
        CheckpointError: the disk refuses.
    """
    report = {
        "plan": plan.model_dump(mode="json"),
        "machine": describe_machine(choose_device_to_read_on(base.training.device)),
        "interval": "paired bootstrap over sentences, 1,000 samples; one seed",
        "rows": [row.model_dump(mode="json") for row in rows],
    }
    write_file(folder / "ablation.json", (json.dumps(report, indent=1) + "\n").encode())
