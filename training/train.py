"""Training, the loop on one page: updates, evaluation, checkpoints, and at the end the average."""

import math
import time
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from mt.errors import ConfigError
from training.batching import UpdateBatches, updates
from training.budget import Evaluation, RunState, progress, stop_reason
from training.checkpoint import CHECKPOINTS, Checkpoint, prune, save_checkpoint
from training.console import Progress, clock, say
from training.cpu_memory import keep_freed_memory
from training.durable_files import write_file
from training.finish import TrainResult, finish, finished_result
from training.interrupts import StopRequest
from training.loss import batch_loss
from training.metrics_log import MetricsLog, Window
from training.models import build_model
from training.models.seq2seq import count_parameters
from training.optimizer import build_optimizer, set_learning_rate
from training.precision import autocast, choose_device, use_threads
from training.prepare import Prepared, prepare
from training.recipe import Recipe, to_yaml
from training.resume import checkpoint_to_continue, locked
from training.schedule import Schedule
from training.tensors import seed_everything
from training.validation import validation_scores


def train(recipe: Recipe, run: Path) -> TrainResult:
    """Train a recipe into the folder `run`, from the start or from where it was stopped.

    Raises:
        ConfigError: the recipe does not fit its corpus or this machine, or training diverged.
        CorpusError: the corpus cannot be used.
        CheckpointError: the run belongs to another recipe, or the disk refuses.
    """
    with locked(run):
        checkpoint = checkpoint_to_continue(recipe, run)
        if result := finished_result(recipe, run):
            return result
        write_file(run / "recipe.yaml", to_yaml(recipe).encode())
        keep_freed_memory()
        use_threads(recipe.training.threads)
        prepared = prepare(recipe, run, checkpoint.origin if checkpoint else None)
        session = Session(recipe, run, prepared, checkpoint)
        reason = fit(session)
        if reason is None:
            return TrainResult(run, session.state, "stopped by a signal")
        return finish(recipe, run, prepared, session.model, session.state, reason)


class Session:
    """All that one sitting of a run works on."""

    def __init__(
        self, recipe: Recipe, run: Path, prepared: Prepared, checkpoint: Checkpoint | None
    ) -> None:
        self.recipe, self.run, self.prepared = recipe, run, prepared
        self.device = choose_device(recipe.training.device)
        seed_everything(recipe.seed)
        self.model = build_model(recipe.model, prepared.tokenizer.vocab_size).to(self.device)
        self.optimizer = build_optimizer(self.model, recipe.optimizer)
        self.state = RunState()
        if checkpoint is not None:
            checkpoint.restore(self.model, self.optimizer)
            self.state = checkpoint.state
        self.schedule = Schedule(recipe.schedule, self.state.plateau)


def fit(s: Session) -> str | None:
    """Update until there is a reason to end, and return it; None where a signal asked for that."""
    state, training = s.state, s.recipe.training
    say(_first_line(s))
    with (
        MetricsLog(s.run, state.update) as log,
        Progress(s.recipe.name, progress(state, training)) as bar,
        StopRequest() as stop,
    ):
        window, began = Window(), time.perf_counter()
        for step in updates(
            s.prepared.dataset, s.recipe.batching, s.recipe.seed, state.epoch, state.position
        ):
            if reason := stop_reason(state, training, s.recipe.evaluation.patience):
                _evaluate(s, log)
                return reason
            if stop:
                _save(s)
                return None
            loss, norm, tokens = update_weights(s, step)
            seconds = time.perf_counter() - began
            state.seconds += seconds
            window.add(loss, norm, tokens, seconds)
            bar.update(progress(state, training), f"{_place(state)}, {window.text()}")
            if state.update % training.log_every == 0:
                log.write("training", state.update, {**window.figures(), **_whereabouts(s)})
                window = Window()
            if _evaluation_is_due(s):
                _evaluate(s, log)
            began = time.perf_counter()
    raise AssertionError("the stream of updates has no end")


def update_weights(s: Session, step: UpdateBatches) -> tuple[float, float, int]:
    """One update of the weights: loss per target token (nats), gradient norm, target tokens."""
    state, optimizer = s.state, s.recipe.optimizer
    factor = s.schedule.factor(state.update + 1, progress(state, s.recipe.training))
    set_learning_rate(s.optimizer, optimizer.learning_rate * factor)
    s.model.train()
    tokens = sum(batch.target_tokens for batch in step.batches)
    total = torch.zeros((), device=s.device)
    for batch in step.batches:
        with autocast(s.recipe.training.precision, s.device):
            loss = batch_loss(s.model, batch.to(s.device), s.recipe.loss.label_smoothing) / tokens
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    norm = float(clip_grad_norm_(s.model.parameters(), optimizer.max_norm))
    _step_if_finite(s, float(total), norm)
    state.update += 1
    state.target_tokens += tokens
    state.epoch, state.position, state.per_epoch = step.epoch, step.position, step.per_epoch
    return float(total), norm, tokens


def _step_if_finite(s: Session, loss: float, norm: float) -> None:
    """Move the weights, unless loss or gradient overflowed; too often in a row is an error."""
    if math.isfinite(loss) and math.isfinite(norm):
        s.optimizer.step()
        s.state.bad_updates = 0
    else:
        s.state.bad_updates += 1
    s.optimizer.zero_grad(set_to_none=True)
    if s.state.bad_updates > s.recipe.training.max_bad_updates:
        raise ConfigError(
            f"{s.recipe.name}: loss or gradient was not finite in {s.state.bad_updates} updates in "
            f"a row, up to update {s.state.update + 1:,}; lower optimizer.learning_rate or raise "
            "schedule.warmup_updates"
        )


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
    scores = validation_scores(s.model, s.prepared, s.recipe.evaluation)
    bleu = scores[0].value
    state.history.append(Evaluation(state.update, bleu))
    state.evaluated_s = state.seconds
    s.schedule.observe(bleu)
    _save(s)
    figures: dict[str, float] = {score.metric: score.value for score in scores}
    log.write("validation", state.update, {**figures, **_whereabouts(s)})
    best = state.best(1)[0]
    say(
        f"{_place(state)}, {clock(state.seconds)} of training: validation BLEU "
        f"{bleu:.2f} (best {best.bleu:.2f} after update {best.update:,}; "
        f"{time.perf_counter() - began:.0f} s)"
    )


def _save(s: Session) -> None:
    """Write a checkpoint, then delete those that neither average nor resuming needs."""
    folder, state, training = s.run / CHECKPOINTS, s.state, s.recipe.training
    save_checkpoint(folder, s.model, s.optimizer, state, s.prepared.origin)
    prune(folder, [e.update for e in state.to_average(training) + state.best(1)])


def _first_line(s: Session) -> str:
    how = f"continuing after update {s.state.update:,}" if s.state.update else "starting"
    return f"{s.recipe.name}: {count_parameters(s.model):,} parameters on {s.device}, {how}"


def _place(state: RunState) -> str:
    return f"update {state.update:,}, epoch {state.epochs:.1f}"


def _whereabouts(s: Session) -> dict[str, float]:
    return {
        "epoch": s.state.epochs,
        "minutes": s.state.seconds / 60,
        "learning_rate": s.optimizer.param_groups[0]["lr"],
    }
