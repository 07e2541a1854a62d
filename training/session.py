"""All that one sitting of a run works on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mt.errors import CheckpointError
from training.budget import RunState
from training.checkpoint import Checkpoint, find_checkpoint
from training.compilation import compile_for_training
from training.console import say
from training.crew import ALONE, GATHER, Crew
from training.embeddings import load_embeddings
from training.machine import describe_machine, source_revision
from training.models import build_model
from training.models.seq2seq import Seq2Seq
from training.moving_average import MovingAverage
from training.objective import build_objective
from training.optimizer import build_optimizer, freeze
from training.precision import choose_device
from training.prepare import Prepared
from training.recipe import Recipe, scored_alike
from training.schedule import PlateauState, Schedule
from training.sharding import Shards
from training.tensors import load_model_tensors, seed_everything


class Session:
    """Model, optimizer, schedule and state, from the start or from a checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        run: Path,
        prepared: Prepared,
        checkpoint: Checkpoint | None,
        on_evaluation: Callable[[RunState], None] | None = None,
        crew: Crew = ALONE,
    ) -> None:
        self.recipe, self.run, self.prepared = recipe, run, prepared
        self.on_evaluation, self.crew = on_evaluation, crew
        self.device = choose_device(recipe.training.device)
        seed_everything(recipe.seed)
        self.model = build_model(recipe.model, prepared.tokenizer.vocab_size)
        if recipe.initialise_from is not None and checkpoint is None:
            _start_from(self.model, recipe.initialise_from, prepared)
        if recipe.initialise_embeddings and checkpoint is None:
            load_embeddings(self.model, prepared.tokenizer, recipe.initialise_embeddings)
        freeze(self.model, recipe.optimizer.frozen)
        self.model.to(self.device)
        self.objective = build_objective(recipe.loss, prepared.tokenizer)
        self.optimizer = build_optimizer(self.model, recipe.optimizer)
        self.average = (
            MovingAverage(self.model, recipe.optimizer.ema_decay)
            if recipe.optimizer.ema_decay
            else None
        )
        if recipe.training.compile:
            compile_for_training(self.model)
        self.state = RunState()
        if checkpoint is not None:
            checkpoint.restore(self.model, self.optimizer, self.averaged)
            self.state = checkpoint.state
            if not scored_alike(checkpoint.origin.recipe, recipe):
                say(
                    "evaluation was changed: scores from before are not compared with those to come"
                )
                self.state.history = []
                self.state.plateau = PlateauState(self.state.plateau.factor)
        self.state.sit(source_revision(), describe_machine(self.device))
        self.shards: Shards | None = None
        if recipe.training.sharded and crew.size > 1:
            update = self.state.update
            self.shards = Shards(self.model, self.optimizer, recipe.optimizer, update)
            self.optimizer = self.shards.optimizer
        self.schedule = Schedule(recipe.schedule, self.state.plateau)

    def whole(self) -> tuple[Seq2Seq, torch.optim.Optimizer]:
        """Model and optimizer to save; shards are brought together, with the other workers."""
        if self.shards is None:
            return self.model, self.optimizer
        if self.shards.gathered_at != self.state.update:
            self.crew.told(GATHER)
            self.shards.gather(self.state.update)
        return self.shards.whole

    @property
    def averaged(self) -> Seq2Seq | None:
        """The model that holds the moving average of the weights, where there is one."""
        return self.average.model if self.average else None

    @contextmanager
    def evaluated(self) -> Iterator[Seq2Seq]:
        """The model that is scored and kept: the moving average where there is one."""
        if self.shards is None:
            yield self.averaged or self.model
        else:
            self.whole()
            with self.shards.on_device() as model:
                yield model


def _start_from(model: Seq2Seq, run: str, prepared: Prepared) -> None:
    """Take the weights of another run, whose pieces must mean the same."""
    found = find_checkpoint(Path(run))
    if found.origin.tokenizer_sha256 != prepared.origin.tokenizer_sha256:
        raise CheckpointError(
            f"initialise_from: {run} has another vocabulary; set subwords.model: {run} as well"
        )
    load_model_tensors(model, found.model_tensors(), run)
