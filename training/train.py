"""Training, the loop on one page: updates, evaluation, checkpoints, and at the end the average."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from training.batching import Share, UpdateBatches, updates
from training.budget import Evaluation, RunState, passes_milestone, progress, stop_reason
from training.checkpoint import CHECKPOINTS, MILESTONES, prune, save_checkpoint
from training.console import Progress, clock, say
from training.cpu_memory import keep_freed_memory
from training.crew import ALONE, GATHER, Crew
from training.crowding import Crowding
from training.durable_files import write_file
from training.finish import TrainResult, finish, finished_result
from training.interrupts import StopRequest
from training.metrics_log import MetricsLog, Window
from training.models.seq2seq import count_parameters
from training.precision import use_threads
from training.prefetch import prepared_ahead
from training.prepare import prepare, prepared_by
from training.recipe import Recipe, to_yaml
from training.resume import checkpoint_to_continue, locked
from training.session import Session
from training.stopwatch import Stopwatch
from training.update import BadUpdates, move_weights, update_weights
from training.validation import validation_scores


def train(
    recipe: Recipe,
    run: Path,
    on_evaluation: Callable[[RunState], None] | None = None,
    crew: Crew = ALONE,
) -> TrainResult:
    """Train a recipe into the folder `run`, from the start or from where it was stopped.

    `on_evaluation` is told where the run stands after each evaluation, which is saved by then;
    what it raises ends the sitting. `crew`: the first of several workers calls this, the others
    `follow`.

    Raises:
        ConfigError: the recipe does not fit its corpus or this machine, or training diverged.
        CorpusError: the corpus cannot be used.
        CheckpointError: the run belongs to another recipe, or the disk refuses.
    """
    with locked(run, crew.lock_s):
        checkpoint = checkpoint_to_continue(recipe, run)
        if result := finished_result(recipe, run):
            return result
        write_file(run / "recipe.yaml", to_yaml(recipe).encode())
        keep_freed_memory()
        use_threads(recipe.training.threads or crew.threads)
        prepared = prepare(recipe, run, checkpoint.origin if checkpoint else None)
        crew.told((prepared.origin, checkpoint))
        session = Session(recipe, run, prepared, checkpoint, on_evaluation, crew)
        reason = fit(session)
        crew.end()
        if reason is None:
            return TrainResult(run, session.state, "stopped by a signal")
        with session.evaluated() as model:
            return finish(recipe, run, prepared, model, session.state, reason)


def fit(s: Session) -> str | None:
    """Update until there is a reason to end, and return it; None where a signal asked for that."""
    state, training = s.state, s.recipe.training
    say(_first_line(s))
    with (
        MetricsLog(s.run, state.update) as log,
        Progress(s.recipe.name, progress(state, training)) as bar,
        StopRequest() as stop,
        prepared_ahead(_updates(s), s.device) as steps,
    ):
        window, bad = Window(), BadUpdates(s)
        watch, crowding = Stopwatch(), Crowding(s.device)
        for step in steps:
            if reason := stop_reason(state, training, s.recipe.evaluation.patience):
                bad.read()
                _evaluate(s, log)
                return reason
            if stop or s.crew.is_stopped(s.run):
                bad.read()
                _save(s)
                return None
            before, updated = state.spent, update_weights(s, step)
            bad.add(updated)
            told = s.device.type == "cpu" or bar.is_due()
            logged, scored = state.update % training.log_every == 0, _evaluation_is_due(s)
            if told or logged or scored:
                bad.read()  # waits for the device, which is at work on updates until then
            seconds = watch.lap(state)
            if passes_milestone(before, state.spent, training):
                _write(s, MILESTONES)
            window.add(updated.loss, updated.norm, updated.tokens, seconds)
            if told:
                bar.update(progress(state, training), f"{_place(state)}, {window.text()}")
            if logged:
                log.write("training", state.update, {**window.figures(), **_whereabouts(s)})
                crowding.check()
                window = Window()
            if scored:
                _evaluate(s, log)
            watch.restart()
    raise AssertionError("the stream of updates has no end")


def follow(recipe: Recipe, run: Path, crew: Crew) -> None:
    """What all workers of a crew do but the first: their share of every update, as it says."""
    use_threads(recipe.training.threads or crew.threads)
    keep_freed_memory()
    origin, checkpoint = crew.told(None)
    s = Session(recipe, run, prepared_by(origin, recipe, run, crew.rank), checkpoint, crew=crew)
    with prepared_ahead(_updates(s), s.device) as steps:
        for step in steps:
            while (factor := crew.told(None)) == GATHER:
                _gather(s)
            if math.isnan(factor):
                return
            move_weights(s, step, factor)


def _gather(s: Session) -> None:
    if s.shards:
        s.shards.gather(s.state.update)


def _updates(s: Session) -> Iterator[UpdateBatches]:
    share = Share(s.crew.rank, s.crew.size, by_rows=s.shards is not None)
    seed, state = s.recipe.seed, s.state
    return updates(s.prepared.dataset, s.recipe.batching, seed, state.epoch, state.position, share)


def _evaluation_is_due(s: Session) -> bool:
    """After so many updates or minutes; where the recipe says neither, after every epoch."""
    state, evaluation = s.state, s.recipe.evaluation
    if evaluation.every_updates is None and evaluation.every_minutes is None:
        return state.position == state.per_epoch
    minutes = (state.seconds - state.evaluated_s) / 60
    return bool(
        (evaluation.every_updates and state.update % evaluation.every_updates == 0)
        or (evaluation.every_minutes and minutes >= evaluation.every_minutes)
    )


def _evaluate(s: Session, log: MetricsLog) -> None:
    """Score the validation split, once for each update, and save."""
    state = s.state
    if state.history and state.history[-1].update == state.update:
        return
    began = time.perf_counter()
    with s.evaluated() as model:
        scores = validation_scores(model, s.prepared, s.recipe)
    score = scores[0]
    state.history.append(Evaluation(state.update, score.value))
    state.evaluated_s = state.seconds
    s.schedule.observe(score.value)
    figures: dict[str, float] = {score.metric: score.value for score in scores}
    log.write("validation", state.update, {**figures, **_whereabouts(s)})
    _save(s)  # after its line: lines that no checkpoint stands behind are written again
    best = state.best(1)[0]
    say(
        f"{_place(state)}, {clock(state.seconds)} of training: validation {score.metric} "
        f"{score.value:.2f} (best {best.bleu:.2f} after update {best.update:,}; "
        f"{time.perf_counter() - began:.0f} s)"
    )
    if s.on_evaluation is not None:
        s.on_evaluation(state)


def _save(s: Session) -> None:
    """Write a checkpoint, then delete those that neither average nor resuming needs."""
    _write(s, CHECKPOINTS)
    state = s.state
    kept = [e.update for e in state.to_average(s.recipe.training) + state.best(1)]
    prune(s.run / CHECKPOINTS, kept)


def _write(s: Session, folder: str) -> None:
    model, optimizer = s.whole()
    save_checkpoint(s.run / folder, model, optimizer, s.state, s.prepared.origin, s.averaged)


def _first_line(s: Session) -> str:
    how = f"continuing after update {s.state.update:,}" if s.state.update else "starting"
    return f"{s.recipe.name}: {count_parameters(s.model):,} parameters on {s.device}, {how}"


def _place(state: RunState) -> str:
    return f"update {state.update:,}, epoch {state.epochs:.1f}"


def _whereabouts(s: Session) -> dict[str, float]:
    return {
        "epoch": s.state.epochs,
        "minutes": s.state.seconds / 60,
        "cpu_minutes": s.state.cpu_seconds / 60,
        "target_tokens": s.state.target_tokens,
        "learning_rate": s.optimizer.param_groups[0]["lr"],
    }
