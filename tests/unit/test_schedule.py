"""Learning-rate factors, worked by hand."""

import pytest

from training.schedule import PlateauState, Schedule, ScheduleConfig


def curve(name: str, **values: float) -> Schedule:
    return Schedule(ScheduleConfig.model_validate({"curve": name, "warmup_updates": 4, **values}))


@pytest.mark.parametrize("name", ["inverse-sqrt", "linear", "cosine", "plateau", "constant"])
def test_every_curve_rises_evenly_to_its_peak(name: str) -> None:
    factors = [curve(name).factor(update, 0.0) for update in (1, 2, 3, 4)]
    assert factors == [0.25, 0.5, 0.75, 1.0]


def test_inverse_square_root_halves_at_four_times_the_warm_up() -> None:
    assert curve("inverse-sqrt").factor(16, 0.9) == 0.5


def test_inverse_square_root_without_warm_up_starts_at_its_peak() -> None:
    schedule = Schedule(ScheduleConfig(curve="inverse-sqrt", warmup_updates=0))
    assert [schedule.factor(update, 0.0) for update in (1, 4)] == [1.0, 0.5]


def test_linear_and_cosine_reach_zero_with_the_budget() -> None:
    assert [curve("linear").factor(9, p) for p in (0.25, 0.5, 1.0)] == [0.75, 0.5, 0.0]
    assert [curve("cosine").factor(9, p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0])


def test_constant_stays() -> None:
    assert curve("constant").factor(1000, 0.99) == 1.0


def test_plateau_cuts_when_patience_is_exceeded() -> None:
    schedule = curve("plateau", plateau_patience=1, plateau_factor=0.5)
    factors = []
    for score in (10.0, 11.0, 10.5, 11.0, 10.9, 12.0):  # the fourth is the second without a better
        schedule.observe(score)
        factors.append(schedule.factor(50, 0.0))
    assert factors == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]


def test_plateau_continues_from_what_a_checkpoint_kept() -> None:
    kept = PlateauState(factor=0.25, best=30.0, bad_evaluations=2)
    schedule = Schedule(ScheduleConfig(curve="plateau", warmup_updates=0), kept)
    schedule.observe(29.0)
    assert schedule.factor(1, 0.0) == 0.125
    assert schedule.plateau.best == 30.0
