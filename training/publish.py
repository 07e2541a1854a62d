"""The evidence of finished runs in one folder: scores, curves, and every translation.

`results.json` says what was trained, how and on what, and what came out for each seed: `trained`
names programs and machines that trained it, `revision` and `machine` those that scored. Beside it
stands `seedN.SPLIT.txt` for each seed, one detokenised translation a line, so that anyone can score
them again.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mt.bundle import Score
from mt.errors import CheckpointError
from mt.search_options import SearchOptions
from mt.writing import writing
from training.checkpoint import (
    MILESTONES,
    Checkpoint,
    checkpoint_folders,
    find_checkpoint,
)
from training.console import say
from training.durable_files import write_file
from training.machine import describe_machine, source_revision
from training.precision import choose_device_to_read_on
from training.recipe import SHIPPED, Recipe, changed_settings, to_values
from training.scoring import Scored, score_system
from training.seeds import check_scores, check_seeds, read_published
from training.system import open_system
from training.trained import load_trained

Json = dict[str, Any]
RESULTS = "results.json"


def publish(
    runs: Sequence[Path],
    folder: Path,
    split: str | None = None,
    options: SearchOptions | None = None,
    tune_length_penalty: bool = False,
    threads: int = 2,
    add: bool = False,
) -> Json:
    """Score finished runs, one for each seed of a recipe, and write their evidence; return it.

    tune_length_penalty: choose it for each seed on the validation split first. add: keep the seeds
    that the folder has, which may have been trained on other days and machines.

    Raises:
        CheckpointError: one of them is not finished, or damaged.
        ConfigError: they, or those that are there, are not seeds of one recipe, budget, search and
            test set, or the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    finals = [find_checkpoint(run) for run in runs]
    check_seeds(runs, finals)
    options, seeds = options or SearchOptions(), []
    path = folder / RESULTS
    there = read_published(path, finals, options, tune_length_penalty) if add else {}
    for run, final in zip(runs, finals, strict=True):
        system = open_system(run, threads=threads)
        scored = score_system(
            system,
            split,
            options,
            lowercase=True,
            tune_length_penalty=tune_length_penalty,
        )
        check_scores(path, there, scored)
        seeds.append(_seed_facts(run, final, scored, threads))
        name = f"seed{seeds[-1]['seed']}.{scored.split}.txt"
        text = "".join(f"{line}\n" for line in scored.evaluated.hypotheses)
        write_file(folder / name, text.encode())
        for line in scored.lines():
            say(line)
    seeds = sorted(there.get("seeds", []) + seeds, key=lambda facts: int(facts["seed"]))
    first = {key: there[key] for key in ("commands", "settings") if there}
    common = _run_facts(runs, finals[0], scored) | first
    results = {**common, "mean": _means(seeds), "seeds": seeds}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    write_file(path, text.encode())
    return results


def _score(path: Path, split: str, options: SearchOptions, threads: int) -> Scored:
    return score_system(open_system(path, threads=threads), split, options)


def _run_facts(runs: Sequence[Path], final: Checkpoint, scored: Scored) -> Json:
    """What all seeds have in common."""
    recipe = Recipe.model_validate(final.origin.recipe)
    values = to_values(recipe)
    model = load_trained(runs[0]).model
    named = recipe.name if (SHIPPED / f"{recipe.name}.yaml").is_file() else "RECIPE"
    return {
        "recipe": recipe.name,
        "commands": [
            f"seq2serve train {named} --set seed=N{_settings(recipe)} --out RUN",
            f"seq2serve publish RUN... --split {scored.split}{_search(scored)} --out FOLDER",
        ],
        **_where(recipe),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "tokenizer_sha256": final.origin.tokenizer_sha256,
        "settings": {key: value for key, value in values.items() if key not in ("seed", "tune")},
        "split": scored.split,
    }


def _where(recipe: Recipe) -> Json:
    """By which program, and on what, it is scored."""
    return {
        "revision": source_revision(),
        "machine": describe_machine(choose_device_to_read_on(recipe.training.device)),
    }


def _settings(recipe: Recipe) -> str:
    """What was changed of the shipped recipe, and the budget, which will be changed again."""
    limits = {f"training.{name}": limit for name, limit in recipe.training.limits().items()}
    chosen = changed_settings(recipe) | limits
    chosen.pop("training.threads", None)
    settings = (
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in chosen.items()
    )
    return "".join(f" --set {shlex.quote(setting)}" for setting in settings)


def _search(scored: Scored) -> str:
    """Flags that ask for the search again."""
    beam = f" --beam-size {scored.options.beam_size}"
    if scored.tuned:
        return f"{beam} --tune-length-penalty"
    return f"{beam} --length-penalty {scored.options.length_penalty:g}"


def _seed_facts(run: Path, final: Checkpoint, scored: Scored, threads: int) -> Json:
    state = final.state
    greedy = _score(run, scored.split, SearchOptions(beam_size=1), threads)
    return {
        "seed": final.origin.recipe["seed"],
        **_where(Recipe.model_validate(final.origin.recipe)),
        "trained": [asdict(sitting) for sitting in state.sittings],
        "weights_sha256": final.sha256,
        "updates": state.update,
        "target_tokens": state.target_tokens,
        "epochs": round(state.epochs, 2),
        "minutes": round(state.seconds / 60, 4),
        "processor_minutes": round(state.cpu_seconds / 60, 4),
        "peak_rss_mib": round(state.peak_rss_mib),
        "ended": final.facts["reason"],
        "final_weights_of_updates": final.facts["averaged"],
        "search": scored.options.model_dump(mode="json"),
        **({"tuned_length_penalty": scored.tuned.values()} if scored.tuned else {}),
        "scores": [score.model_dump(mode="json") for score in scored.scores],
        "greedy_BLEU": greedy.scores[0].value,
        "validation": _validation_curve(run),
        "curve": [
            _point(folder, scored, threads) for folder in checkpoint_folders(run / MILESTONES)
        ],
    }


def _validation_curve(run: Path) -> list[Json]:
    """The validation lines of a run's metrics."""
    path = run / "metrics.jsonl"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from None
    lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]  # a kill's half
    keys = ("update", "BLEU", "epoch", "minutes", "cpu_minutes")
    return [
        {key: line[key] for key in keys if key in line}
        for line in lines
        if line["kind"] == "validation"
    ]


def _point(milestone: Path, scored: Scored, threads: int) -> Json:
    """BLEU on the test set at a milestone."""
    found = find_checkpoint(milestone)
    score = _score(milestone, scored.split, scored.options, threads).scores[0]
    return {
        "processor_minutes": round(found.state.cpu_seconds / 60, 4),
        "update": found.state.update,
        "target_tokens": found.state.target_tokens,
        "BLEU": score.value,
    }


def _means(seeds: Sequence[Mapping[str, Any]]) -> Json:
    """Mean and standard deviation over seeds of each metric, and of greedy BLEU."""
    columns: dict[str, list[float]] = {}
    signatures: dict[str, str] = {}
    for facts in seeds:
        for score in map(Score.model_validate, facts["scores"]):
            columns.setdefault(score.metric, []).append(score.value)
            signatures[score.metric] = score.signature
        columns.setdefault("greedy BLEU", []).append(facts["greedy_BLEU"])
    return {
        metric: {
            "mean": mean(values),
            "sd": stdev(values) if len(values) > 1 else None,
            "seeds": len(values),
            **({"signature": signatures[metric]} if metric in signatures else {}),
        }
        for metric, values in columns.items()
    }
