"""Runs that share one mean: seeds of one recipe, trained for as long and scored alike."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mt.errors import ConfigError
from mt.search_options import SearchOptions
from training.checkpoint import Checkpoint, update_beyond
from training.recipe import differing_choices, differing_keys, with_defaults
from training.scoring import Scored
from training.trained import read_final

Json = dict[str, Any]
_PENALTY = "search.length_penalty"


def check_seeds(runs: Sequence[Path], finals: Sequence[Checkpoint]) -> None:
    """Refuse runs that differ in more than their seeds.

    Raises:
        ConfigError: says in what; or one of them is not finished.
    """
    for run in runs:
        final = read_final(run)
        if final is None or update_beyond(run, final):
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


def read_published(
    path: Path, finals: Sequence[Checkpoint], options: SearchOptions, tuned: bool
) -> Json:
    """What was published of other seeds before, whom these may join; empty where nothing was.

    options and tuned: how these will be searched, and whether each chooses its length penalty.

    Raises:
        ConfigError: it is no such file, or they differ in more than their seeds.
    """
    if not path.is_file():
        return {}
    try:
        results: Json = json.loads(path.read_text(encoding="utf-8"))
        seeds = {facts["seed"] for facts in results["seeds"]}
        pieces = results.get("tokenizer_sha256")
        same_pieces = pieces == finals[0].origin.tokenizer_sha256
        differing = _differences(results["settings"], finals[0].origin.recipe, same_pieces)
        differing += ["subwords"] if pieces is not None and not same_pieces else []
        differing += _other_search(results["seeds"][0], options, tuned)
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigError(f"{path} is not what `publish` writes; name another folder") from None
    if differing:
        raise ConfigError(f"{path} and the runs differ in {', '.join(differing)}")
    if again := seeds & {final.origin.recipe["seed"] for final in finals}:
        raise ConfigError(f"{path} has seed {', '.join(map(str, sorted(again)))} already")
    where = {name: results.get(name) for name in ("revision", "machine")}
    return {**results, "seeds": [where | facts for facts in results["seeds"]]}


def check_scores(path: Path, there: Json, scored: Scored) -> None:
    """Refuse scores of another test set, or by another sacreBLEU, than those that are there.

    Raises:
        ConfigError: says which.
    """
    if not there:
        return
    if scored.split != there["split"]:
        raise ConfigError(f"{path} has scores of {there['split']}, not of {scored.split}")
    for score in scored.scores:
        signature = there["mean"][score.metric]["signature"]
        if score.signature != signature:
            raise ConfigError(
                f"{path} has {score.metric} by {signature}, this program by {score.signature}; "
                "publish all seeds anew"
            )


def _differences(mine: Json, its: Json, same_pieces: bool = False) -> list[str]:
    """Dotted keys, seeds aside, in which two recipes' values differ that share one mean."""
    mine, its = with_defaults(mine), with_defaults(its)
    differing = differing_keys(mine, its, same_pieces) + differing_choices(mine, its)
    return [key for key in differing if key != "seed"]


def _other_search(facts: Json, options: SearchOptions, tuned: bool) -> list[str]:
    """In what a published seed was searched differently."""
    before = SearchOptions.model_validate(facts["search"]).model_dump()
    keys = [f"search.{key}" for key, value in options.model_dump().items() if value != before[key]]
    if tuned != ("tuned_length_penalty" in facts):
        return [*(key for key in keys if key != _PENALTY), "--tune-length-penalty"]
    return [key for key in keys if not (tuned and key == _PENALTY)]
