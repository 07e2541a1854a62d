"""How fast an engine gets on, and whom it refuses because of it."""

import time

import pytest

from mt.errors import OverloadedError
from mt.search_options import SearchOptions
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running.cores import LocalCore
from serving.running.pace import Pace
from serving.settings import EngineSettings
from tests.gated_stepper import GatedStepper

SRC = [5, 6, 7, EOS_ID]
GREEDY = SearchOptions(beam_size=1)


def test_the_pace_by_hand() -> None:
    pace = Pace()
    assert pace.run_s == 0.0  # nothing known yet
    assert pace.wait_s(100, rows_at_once=4) == 0.0
    pace.observe(2.0)
    assert pace.run_s == 2.0
    assert pace.wait_s(8, rows_at_once=4) == 4.0  # two waves
    for _ in range(2_000):
        pace.observe(1.0)
    assert abs(pace.run_s - 1.0) < 1e-6  # what was long ago is forgotten


def test_what_would_come_too_late_is_refused_at_the_door() -> None:
    stepper = GatedStepper()
    settings = EngineSettings(max_rows=1, max_waiting=50)
    with Engine([LocalCore(stepper, 10)], settings) as engine:
        engine._floor.pace.observe(10.0)
        engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        in_a_minute = time.monotonic() + 60.0
        inside = [engine.submit(SRC, GREEDY, in_a_minute) for _ in range(4)]  # 10, 20, 30, 40 s
        with pytest.raises(OverloadedError, match=r"4 sentences wait already, for about 40 s"):
            engine.submit(SRC, GREEDY, in_a_minute)
        assert engine.stats().refused == 1
        patient = engine.submit(SRC, GREEDY)  # any time will do
        stepper.open()
        assert all(future.result(20)[0].ids == [5, 6, 7] for future in [*inside, patient])


def test_a_deadline_refuses_nobody_where_nobody_waits() -> None:
    with Engine([LocalCore(GatedStepper(open_gate=True), 10)], EngineSettings()) as engine:
        engine._floor.pace.observe(1000.0)
        future = engine.submit(SRC, GREEDY, time.monotonic() + 20.0)
        assert future.result(20)[0].ids == [5, 6, 7]
        assert engine._floor.pace.run_s < 1000.0  # and it learns better
