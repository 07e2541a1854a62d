"""Budgets, early stopping and the choice of checkpoints."""

import pytest

from mt.config import validate
from mt.errors import ConfigError
from training.budget import (
    Evaluation,
    RunState,
    Sitting,
    Spent,
    TrainingConfig,
    passes_milestone,
    progress,
    stop_reason,
)


def state_with(*scores: float, **fields: float) -> RunState:
    history = [Evaluation(10 * (i + 1), score) for i, score in enumerate(scores)]
    return RunState(history=history, **fields)  # type: ignore[arg-type]


def test_a_budget_is_required() -> None:
    with pytest.raises(ConfigError, match=r"max_updates, .*, max_epochs, max_tokens"):
        validate({}, TrainingConfig, "recipe")


def test_the_first_limit_reached_counts() -> None:
    config = TrainingConfig(max_updates=100, max_minutes=2, max_epochs=4)
    state = RunState(update=10, seconds=30.0, epoch=1, position=5, per_epoch=10)
    assert progress(state, config) == pytest.approx(0.375)  # 1.5 of 4 epochs
    state.seconds = 60.0
    assert progress(state, config) == 0.5  # one of two minutes


def test_the_last_limit_reached_counts_where_asked() -> None:
    config = TrainingConfig(max_tokens=1000, max_cpu_minutes=2, end_at="last")
    state = RunState(target_tokens=1500, cpu_seconds=30.0)
    assert progress(state, config) == 0.25
    state.cpu_seconds = 120.0
    assert progress(state, config) == 1.0


def test_a_milestone_is_passed_once() -> None:
    config = TrainingConfig(max_updates=1, keep_at_minutes=[2], keep_at_tokens=[100])
    before, at, after = Spent(1.9, 99), Spent(1.95, 100), Spent(2.0, 101)
    assert passes_milestone(before, at, config)  # 100 tokens
    assert passes_milestone(at, after, config)  # two minutes
    assert not passes_milestone(after, Spent(2.1, 102), config)


def test_a_sitting_is_noted_where_program_or_machine_change() -> None:
    here: dict[str, str | int] = {"cores": 2}
    there: dict[str, str | int] = {"cores": 4}
    state = RunState()
    for update, revision, machine in ((0, "a", here), (10, "a", here), (20, "b", here)):
        state.update = update
        state.sit(revision, dict(machine))
    state.sit("b", dict(there))
    state.sit("b", dict(there))
    expected = [Sitting(0, "a", here), Sitting(20, "b", here), Sitting(20, "b", there)]
    assert state.sittings == expected


def test_progress_never_passes_one() -> None:
    assert progress(RunState(update=12), TrainingConfig(max_updates=10)) == 1.0


def test_a_spent_budget_stops() -> None:
    config = TrainingConfig(max_updates=10)
    assert stop_reason(RunState(update=9), config, None) is None
    assert stop_reason(RunState(update=10), config, None) == "the budget is spent"


def test_patience_counts_evaluations_since_the_best() -> None:
    config = TrainingConfig(max_updates=1000)
    assert stop_reason(state_with(1.0, 3.0, 2.0), config, 2) is None
    reason = stop_reason(state_with(1.0, 3.0, 2.0, 2.9), config, 2)
    assert reason == "no better validation score in 2 evaluations"
    assert stop_reason(state_with(1.0, 3.0, 2.0, 2.9), config, None) is None
    assert stop_reason(state_with(0.0, 0.0, 0.0), config, 2) is not None  # equal is not better
    assert stop_reason(RunState(), config, 1) is None


def test_best_and_last_checkpoints() -> None:
    state = state_with(1.0, 3.0, 2.0, 3.0, 0.5)
    assert [e.update for e in state.best(3)] == [40, 20, 30]
    best = TrainingConfig(max_updates=1, average="best", average_count=2)
    last = TrainingConfig(max_updates=1, average="last", average_count=2)
    assert [e.update for e in state.to_average(best)] == [40, 20]
    assert [e.update for e in state.to_average(last)] == [40, 50]
