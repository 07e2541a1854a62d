"""The evidence of finished runs in one folder: scores, curves, and every translation.

`results.json` says what was trained, how and on what, and what came out for each seed: `trained`
names programs and machines that trained it, `revision` and `machine` those that scored. Beside it
stands `seedN.SPLIT.txt` for each seed, one detokenised translation a line, so that anyone can score
them again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mt.bundle import Score
from mt.errors import CheckpointError, ConfigError
from mt.search_options import SearchOptions
from training.checkpoint import (
    MILESTONES,
    Checkpoint,
    checkpoint_folders,
    find_checkpoint,
)
from training.console import say
from training.durable_files import write_file
from training.machine import describe_machine, source_revision
from training.precision import choose_device
from training.recipe import Recipe, changed_settings, differing_keys, to_values, with_defaults
from training.scoring import Scored, score_system
from training.system import open_system
from training.trained import load_trained, read_final

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
        ConfigError: they, or those that are there, are not seeds of one recipe and test set, or the
            folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror})") from None
    finals = [find_checkpoint(run) for run in runs]
    _check_one_recipe(runs, finals)
    options, seeds = options or SearchOptions(), []
    there = _already_there(folder / RESULTS, finals) if add else {}
    for run, final in zip(runs, finals, strict=True):
        system = open_system(run, threads=threads)
        scored = score_system(
            system,
            split,
            options,
            lowercase=True,
            tune_length_penalty=tune_length_penalty,
        )
        if scored.split != there.get("split", scored.split):
            raise ConfigError(f"{folder} has scores of {there['split']}, not of {scored.split}")
        seeds.append(_seed_facts(run, final, scored, threads))
        name = f"seed{seeds[-1]['seed']}.{scored.split}.txt"
        text = "".join(f"{line}\n" for line in scored.evaluated.hypotheses)
        write_file(folder / name, text.encode())
        for line in scored.lines():
            say(line)
    seeds = sorted(there.get("seeds", []) + seeds, key=lambda facts: int(facts["seed"]))
    results = {**_run_facts(runs, finals[0], scored), "mean": _means(seeds), "seeds": seeds}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    write_file(folder / RESULTS, text.encode())
    return results


def _already_there(path: Path, finals: Sequence[Checkpoint]) -> Json:
    """What an earlier call wrote of other seeds; empty where it wrote nothing."""
    if not path.is_file():
        return {}
    try:
        results: Json = json.loads(path.read_text(encoding="utf-8"))
        seeds = {facts["seed"] for facts in results["seeds"]}
        differing = _differences(results["settings"], finals[0].origin.recipe)
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} is not what `publish` writes; name another folder") from None
    if differing:
        raise ConfigError(f"{path} and the runs differ in {', '.join(differing)}")
    if again := seeds & {final.origin.recipe["seed"] for final in finals}:
        raise ConfigError(f"{path} has seed {', '.join(map(str, sorted(again)))} already")
    where = {name: results.get(name) for name in ("revision", "machine")}
    return {**results, "seeds": [where | facts for facts in results["seeds"]]}


def _check_one_recipe(runs: Sequence[Path], finals: Sequence[Checkpoint]) -> None:
    """Seeds differ, and nothing else that makes a model does."""
    for run in runs:
        if read_final(run) is None:
            raise ConfigError(f"{run} is not finished; train it to its end before you publish it")
    seeds = [final.origin.recipe["seed"] for final in finals]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"two runs have the same seed: {', '.join(map(str, seeds))}")
    first = finals[0].origin
    for run, other in zip(runs[1:], (final.origin for final in finals[1:]), strict=True):
        differing = _differences(first.recipe, other.recipe, same_pieces=True)
        if first.tokenizer_sha256 != other.tokenizer_sha256:
            differing.append("subwords")
        if differing:
            raise ConfigError(f"{runs[0]} and {run} differ in {', '.join(differing)}")


def _differences(mine: Json, its: Json, same_pieces: bool = False) -> list[str]:
    """Dotted keys, seeds aside, in which two recipes' values differ that share one mean."""
    mine, its = with_defaults(mine), with_defaults(its)
    differing = differing_keys(mine, its, same_pieces)
    if mine["training"]["precision"] != its["training"]["precision"]:
        differing.append("training.precision")
    return [key for key in differing if key != "seed"]


def _score(path: Path, split: str, options: SearchOptions, threads: int) -> Scored:
    return score_system(open_system(path, threads=threads), split, options)


def _run_facts(runs: Sequence[Path], final: Checkpoint, scored: Scored) -> Json:
    """What all seeds have in common."""
    recipe = Recipe.model_validate(final.origin.recipe)
    values = to_values(recipe)
    model = load_trained(runs[0]).model
    return {
        "recipe": recipe.name,
        "commands": [
            f"seq2serve train {recipe.name} --set seed=N{_settings(recipe)} --out RUN",
            f"seq2serve publish RUN... --split {scored.split}{_penalty(scored)} --out FOLDER",
        ],
        **_where(recipe),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "settings": {key: value for key, value in values.items() if key not in ("seed", "tune")},
        "split": scored.split,
    }


def _where(recipe: Recipe) -> Json:
    """By which program, and on what, it is scored."""
    return {
        "revision": source_revision(),
        "machine": describe_machine(choose_device(recipe.training.device)),
    }


def _settings(recipe: Recipe) -> str:
    """What was changed of the shipped recipe, and the budget, which will be changed again."""
    limits = {f"training.{name}": limit for name, limit in recipe.training.limits().items()}
    chosen = changed_settings(recipe) | limits
    chosen.pop("training.threads", None)
    return "".join(f" --set {key}={json.dumps(value)}" for key, value in chosen.items())


def _penalty(scored: Scored) -> str:
    if scored.tuned:
        return " --tune-length-penalty"
    return f" --length-penalty {scored.options.length_penalty:g}"


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
    lines = [json.loads(line) for line in text.splitlines()]
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
