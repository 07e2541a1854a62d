"""The one JSON file of the GPU benchmark, written again with every result."""

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.gpu_workers import Message

GOALS = (39.5, 41.0)


class GPUReport:
    """What was found so far, and the file it goes to."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self.values: dict[str, Any] = {**facts, "parts": {}, "speed": [], "runs": {}, "failed": []}

    def receive(self, part: str, message: Message) -> None:
        """Put a worker's result where it belongs."""
        result = dict(message)
        name = result.pop("name")
        if "device" in result:
            self.values["device"] = result["device"]
        elif "speed" in result:
            row = {"part": part, **result["speed"]}
            self.values["speed"].append(self._with_utilisation(row))
        elif "failed" in result:
            self.values["failed"].append({"part": part, "name": name, **result})
        else:
            self._add_to_run(self.values["runs"].setdefault(name, {"part": part}), result)
        self.write()

    def part(self, name: str, **facts: Any) -> None:
        """What became of a part."""
        self.values["parts"][name] = facts
        self.write()

    def summary(self) -> str:
        """What there is, on one line."""
        counts = {name: len(self.values[name]) for name in ("speed", "runs", "failed")}
        cut = [name for name, facts in self.values["parts"].items() if facts["cut"]]
        return f"{counts['speed']} speeds, {counts['runs']} runs, {counts['failed']} failures" + (
            f"; cut short: {', '.join(cut)}" if cut else ""
        )

    def write(self) -> None:
        """The whole file again."""
        runs = self.values["runs"]
        summary = {
            "bleu": bleu_of_seeds(runs),
            "gain_of_sharing": gain_of_sharing(self.values["speed"]),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self.values, "summary": summary}, indent=1) + "\n"
        self.path.write_text(text, encoding="utf-8")

    def _add_to_run(self, run: dict[str, Any], result: Message) -> None:
        if "evaluation" in result:
            run.setdefault("curve", []).append(result.pop("evaluation"))
            run["minutes_to"] = minutes_to_goals(run["curve"])
        run.update(result)

    def _with_utilisation(self, row: dict[str, Any]) -> dict[str, Any]:
        device = self.values["device"]
        peak = device["datasheet_flops"] or device["measured_matmul_flops"]
        return {**row, "model_flops_utilisation": round(row["useful_flops_per_s"] / peak, 4)}


def minutes_to_goals(curve: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """For validation and test: minutes of training at the first evaluation that reached a goal."""
    found: dict[str, dict[str, float | None]] = {}
    for split in ("validation", "test"):
        points = [point for point in curve if split in point]
        if points:
            found[split] = {
                f"{goal:g}": min((p["minutes"] for p in points if p[split] >= goal), default=None)
                for goal in GOALS
            }
    return found


def bleu_of_seeds(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the seeds of each recipe, by metric."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs.values():
        if "scored" in run and run["part"].startswith("seeds"):
            for score in run["scored"]["scores"]:
                values[run["run"]["recipe"], score["metric"]].append(score["value"])
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (recipe, metric), several in values.items():
        found[recipe]["seeds"] = len(several)
        found[recipe][metric] = round(statistics.mean(several), 2)
        if len(several) > 1:
            found[recipe][f"{metric} sd"] = round(statistics.stdev(several), 2)
    return found


def gain_of_sharing(speed: Sequence[Mapping[str, Any]]) -> float | None:
    """Tokens per second of several processes at once over those of one, in the same work."""
    together = [row for row in speed if row["part"] == "sharing"]
    alone = [
        row["tokens_per_s"]
        for row in speed
        if row["part"] == "speed" and together and _work(row) == _work(together[0])
    ]
    if not alone:
        return None
    return round(float(sum(row["tokens_per_s"] for row in together) / alone[0]), 2)


def _work(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in ("recipe", "max_tokens", "compiled", "whole_logits"))
