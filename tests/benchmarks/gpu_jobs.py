"""What one process of the GPU benchmark does: jobs come in on standard input, results go out.

    python -m tests.benchmarks.gpu_jobs FOLDER

A job is one line of JSON, `{"name": ..., "kind": "device" | "prepare" | "speed" | "train", ...}`;
each result is a line, and after the last one comes `{"name": ..., "done": true}`.
"""

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mt.search_options import SearchOptions
from tests.benchmarks.gpu_speed import device_facts, steady_speed
from training.budget import RunState
from training.checkpoint import CHECKPOINTS, checkpoint_folder
from training.cpu_memory import keep_freed_memory
from training.precision import choose_device, use_threads
from training.prepare import DATA, TOKENIZER, Prepared, prepare
from training.recipe import Recipe, read_recipe
from training.scoring import score_system
from training.session import Session
from training.system import open_system
from training.train import train

Job = dict[str, Any]
Emit = Callable[[dict[str, Any]], None]


def main() -> None:
    folder = Path(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no result
    for line in sys.stdin:
        job = json.loads(line)

        def emit(result: dict[str, Any], name: str = job["name"]) -> None:
            out.write(json.dumps({"name": name, **result}) + "\n")
            out.flush()

        try:
            KINDS[job["kind"]](folder, job, emit)
        except Exception as error:  # one job's failure must not cost the others
            emit({"failed": f"{type(error).__name__}: {error}"[:500]})
        emit({"done": True})


def tell_device(folder: Path, job: Job, emit: Emit) -> None:
    """Facts about the device."""
    emit({"device": device_facts(choose_device(job["device"]))})


def prepare_corpus(folder: Path, job: Job, emit: Emit) -> None:
    """Subwords and ids of a recipe's corpus, made once for all its runs."""
    began, recipe = time.perf_counter(), _recipe(job)
    _prepared(folder, recipe)
    emit({"prepared": _corpus_name(recipe), "seconds": round(time.perf_counter() - began, 1)})


def measure_speed(folder: Path, job: Job, emit: Emit) -> None:
    """Tokens per second of steady updates."""
    recipe = _recipe(job)
    use_threads(recipe.training.threads)
    keep_freed_memory()
    torch._dynamo.reset()  # what was compiled for another model counts against this one
    session = Session(recipe, folder / "speed", _prepared(folder, recipe), None)
    found = steady_speed(session, job["seconds"], job["whole_logits"])
    emit({"speed": {**_facts(job, recipe), "whole_logits": job["whole_logits"], **found}})


def train_run(folder: Path, job: Job, emit: Emit) -> None:
    """One run from the first update to the score on the test set, its validation curve on the way.

    Minutes are those spent on updates; seconds since the start count everything.
    """
    began, recipe, run = time.perf_counter(), _recipe(job), folder / "runs" / job["name"]
    _bring_data(folder, recipe, run)

    def tell(state: RunState) -> None:
        point = {"update": state.update, "minutes": round(state.seconds / 60, 3)}
        point |= {"since_start_s": round(time.perf_counter() - began, 1)}
        point |= {"validation": round(state.history[-1].bleu, 2)}
        if job["follow_test"]:
            at = checkpoint_folder(run / CHECKPOINTS, state.update)
            greedy = SearchOptions(beam_size=1)
            found = score_system(open_system(at), options=greedy, sentences=job["sentences"])
            point |= {"test": round(found.scores[0].value, 2)}
        emit({"evaluation": point})

    result = train(recipe, run, tell)
    state = result.state
    facts = {**_facts(job, recipe), "seed": recipe.seed, "updates": state.update}
    facts |= {"epochs": round(state.epochs, 1), "minutes": round(state.seconds / 60, 3)}
    facts |= {"target_tokens": state.target_tokens, "weights_sha256": result.sha256}
    facts |= {"tokens_per_s": round(state.target_tokens / max(state.seconds, 1e-9))}
    emit({"run": facts})
    lowercase = importlib.util.find_spec("sacremoses") is not None
    scored = score_system(open_system(run), sentences=job["sentences"], lowercase=lowercase)
    path = folder / "hypotheses" / f"{job['name']}.{scored.split}.txt"
    path.parent.mkdir(exist_ok=True)
    texts = "".join(f"{text}\n" for text in scored.evaluated.hypotheses)
    path.write_text(texts, encoding="utf-8")
    emit({"scored": scored.values(), "total_s": round(time.perf_counter() - began, 1)})


KINDS: dict[str, Callable[[Path, Job, Emit], None]] = {
    "device": tell_device,
    "prepare": prepare_corpus,
    "speed": measure_speed,
    "train": train_run,
}


def _recipe(job: Job) -> Recipe:
    return read_recipe(job["recipe"], tuple(job["overrides"]))


def _facts(job: Job, recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": job["recipe"],
        "overrides": job["overrides"],
        "max_tokens": recipe.batching.max_tokens,
        "compiled": recipe.training.compile,
    }


def _corpus_name(recipe: Recipe) -> str:
    corpus = recipe.corpus
    return f"{corpus.name}-{corpus.source}-{corpus.target}"


def _prepared(folder: Path, recipe: Recipe) -> Prepared:
    """Reused where it is there."""
    place = folder / "prepared" / _corpus_name(recipe)
    place.mkdir(parents=True, exist_ok=True)
    return prepare(recipe, place, None)


def _bring_data(folder: Path, recipe: Recipe, run: Path) -> None:
    """Give a run the subwords and ids that are there already; it makes its own where not."""
    place = folder / "prepared" / _corpus_name(recipe)
    if run.exists() or not (place / DATA / "dataset.json").is_file():
        return
    run.mkdir(parents=True)
    shutil.copy(place / TOKENIZER, run / TOKENIZER)
    shutil.copytree(place / DATA, run / DATA)


if __name__ == "__main__":
    main()
