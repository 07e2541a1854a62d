"""The end of a run: average the best or last checkpoints, score the result, write RUN/final."""

from dataclasses import dataclass
from pathlib import Path

from mt.bundle import Score
from mt.errors import CheckpointError
from training.budget import RunState
from training.checkpoint import (
    CHECKPOINTS,
    Checkpoint,
    average,
    checkpoint_folder,
    read_checkpoint,
)
from training.console import say
from training.corpora.corpus import open_corpus
from training.models.seq2seq import Seq2Seq
from training.prepare import Prepared
from training.recipe import Recipe, to_values, with_defaults
from training.tensors import Tensors, load_model_tensors
from training.trained import read_final, write_final
from training.validation import validation_scores


@dataclass(frozen=True)
class TrainResult:
    """How a call of `train` ended; where a signal stopped it, it is not `finished`.

    final is RUN/final, sha256 that of its weights, scores those on the validation split.
    """

    run: Path
    state: RunState
    reason: str
    final: Path | None = None
    sha256: str = ""
    scores: tuple[Score, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether RUN/final is written."""
        return self.final is not None

    def summary(self) -> str:
        """How it ended and what to type next, on one line."""
        return (
            f"{self.outcome()}; next: seq2serve evaluate {self.run}"
            if self.final
            else self.outcome()
        )

    def outcome(self) -> str:
        """How it ended."""
        if not self.finished:
            return (
                f"stopped after update {self.state.update:,}, which is saved in {self.run}; "
                "the same command continues"
            )
        scores = ", ".join(f"{s.metric} {s.value:.2f} on {s.test_set}" for s in self.scores)
        return (
            f"{scores}: {self.final}, after {self.state.update:,} updates, {self.reason}; "
            f"peak memory {self.state.peak_rss_mib:,.0f} MiB"
        )


def finished_result(recipe: Recipe, run: Path) -> TrainResult | None:
    """The result of a run that ended with this very recipe, or None.

    Warns where its text has changed since: it may be a test set only. Text that is gone is not
    missed.
    """
    final = read_final(run)
    if final is None or with_defaults(final.origin.recipe) != to_values(recipe):
        return None
    say(f"{run} is already finished: {final.facts['reason']}")
    if changed := open_corpus(recipe.corpus).changed_since(final.origin.corpus_sha256):
        say(
            f"warning: {', '.join(changed)}: changed since; to learn from that, "
            "train into another folder"
        )
    return _result(run, final)


def finish(
    recipe: Recipe, run: Path, prepared: Prepared, model: Seq2Seq, state: RunState, reason: str
) -> TrainResult:
    """Put the average, or the single best checkpoint where that scores higher, into RUN/final.

    Raises:
        CheckpointError: none of the checkpoints can be read, or the disk refuses.
    """
    chosen = _readable(run, [e.update for e in state.to_average(recipe.training)])
    best = _readable(run, [e.update for e in state.best(1)])
    weights, scores = _score(recipe, prepared, model, chosen)
    if best != chosen and scores[0].value < state.best(1)[0].bleu:
        chosen = best
        weights, scores = _score(recipe, prepared, model, chosen)
    updates = sorted(checkpoint.state.update for checkpoint in chosen)
    say(f"{recipe.name}: {reason}; final weights are of update {_and(updates)}")
    final = write_final(
        run, weights, recipe, prepared.tokenizer, state, prepared.origin, reason, updates, scores
    )
    return _result(run, final)


def _readable(run: Path, updates: list[int]) -> list[Checkpoint]:
    """Those of these checkpoints that are there and whole, at least one."""
    found, problems = [], []
    for update in updates:
        try:
            found.append(read_checkpoint(checkpoint_folder(run / CHECKPOINTS, update)))
        except CheckpointError as error:
            problems.append(str(error))
    if not found:
        raise CheckpointError(f"{run} has no checkpoint to finish with: {'; '.join(problems)}")
    for problem in problems:
        say(f"warning: left out of the average: {problem}")
    return found


def _score(
    recipe: Recipe, prepared: Prepared, model: Seq2Seq, checkpoints: list[Checkpoint]
) -> tuple[Tensors, list[Score]]:
    """The mean weights of checkpoints and their scores on the validation split."""
    weights = average(checkpoints)
    load_model_tensors(model, weights, "the average")
    return weights, validation_scores(model, prepared, recipe)


def _result(run: Path, final: Checkpoint) -> TrainResult:
    scores = tuple(Score.model_validate(score) for score in final.facts["scores"])
    return TrainResult(run, final.state, final.facts["reason"], final.folder, final.sha256, scores)


def _and(updates: list[int]) -> str:
    return " and ".join(filter(None, [", ".join(map(str, updates[:-1])), str(updates[-1])]))
