"""The engine: sentences join, leave, wait, are refused, fail alone, and never wait for ever."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest

from mt.beam_search import Hypothesis, SearchOptions, search
from mt.errors import (
    DeadlineError,
    EngineError,
    InputError,
    OverloadedError,
    UnavailableError,
)
from mt.stepper import Footprint, Rows, StepOutput, Stepper
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running.cores import LocalCore
from serving.settings import EngineSettings
from tests.fakes import EchoStepper, TableStepper
from tests.gated_stepper import PATIENCE_S, GatedStepper

GREEDY = SearchOptions(beam_size=1)
BEAM = SearchOptions(beam_size=4, n_best=2)
SRC = [5, 6, 7, EOS_ID]


@contextmanager
def running(stepper: Stepper, **settings: object) -> Iterator[Engine]:
    """An engine that leaves no thread behind."""
    engine = Engine([LocalCore(stepper, 40)], EngineSettings.model_validate(settings), "test")
    try:
        yield engine
    finally:
        if isinstance(stepper, GatedStepper):
            stepper.open()
        engine.close()
        assert "engine test" not in {thread.name for thread in threading.enumerate()}


def ids_of(future: Future[list[Hypothesis]]) -> list[int]:
    return future.result(PATIENCE_S)[0].ids


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for another thread to make it true."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it never happened"
        time.sleep(0.001)


def test_a_sentence_is_answered() -> None:
    with running(EchoStepper(40)) as engine:
        future = engine.submit(SRC, BEAM)
        assert ids_of(future) == [5, 6, 7]
        assert len(future.result()) == 2


def test_concurrent_submits_equal_the_offline_search() -> None:
    """200 sentences of mixed options from 8 threads, against the search on the same stepper."""
    mixed = [
        GREEDY,
        BEAM,
        SearchOptions(beam_size=3, length_norm="average", min_length=4),
        SearchOptions(beam_size=5, n_best=5, max_length=6, attention=True),
        SearchOptions(beam_size=2, no_repeat_ngram=2, coverage_penalty=0.2),
    ]
    sources = [[4 + (i * j) % 7 for j in range(1 + i % 9)] + [EOS_ID] for i in range(200)]
    stepper = TableStepper(seed=1, vocab_size=12, eos_bias=3.0)
    with running(stepper, max_rows=24) as engine, ThreadPoolExecutor(8) as pool:
        futures = list(
            pool.map(lambda i: engine.submit(sources[i], mixed[i % 5]), range(len(sources)))
        )
        served = [future.result(PATIENCE_S) for future in futures]
        assert engine.stats().done == 200
    assert stepper.most_rows <= 24
    reference = TableStepper(seed=1, vocab_size=12, eos_bias=3.0)
    for kind, options in enumerate(mixed):
        offline = search(reference, sources[kind::5], options, max_target_tokens=40)
        for ours, theirs in zip(served[kind::5], offline, strict=True):
            assert [(h.ids, h.score) for h in ours] == [(h.ids, h.score) for h in theirs]


def test_a_sentence_joins_a_batch_that_is_running() -> None:
    stepper = GatedStepper()
    with running(stepper) as engine:
        first = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        second = engine.submit([8, EOS_ID], GREEDY)
        stepper.allow(3)
        assert ids_of(second) == [8]
        assert not first.done()
        stepper.open()
        assert ids_of(first) == [5, 6, 7]


def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1, max_waiting=2) as engine:
        running_one = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        waiting = engine.submit_many([SRC, SRC], GREEDY)
        with pytest.raises(OverloadedError, match="2 sentences wait already") as refused:
            engine.submit(SRC, GREEDY)
        assert 1.0 <= refused.value.retry_after_s <= 60.0
        assert (engine.stats().refused, engine.stats().waiting) == (1, 2)
        stepper.open()
        assert all(ids_of(future) == [5, 6, 7] for future in [running_one, *waiting])


def test_several_sentences_are_queued_all_or_none() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1, max_waiting=2) as engine:
        engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        engine.submit(SRC, GREEDY)
        with pytest.raises(OverloadedError):
            engine.submit_many([SRC, SRC], GREEDY)
        assert engine.stats().waiting == 1


def test_a_blocking_submit_waits_for_room() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1, max_waiting=1) as engine, ThreadPoolExecutor(1) as pool:
        engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        engine.submit(SRC, GREEDY)
        blocked = pool.submit(engine.submit, [9, EOS_ID], GREEDY, None, True)
        assert not wait([blocked], 0.02).done
        stepper.open()
        assert ids_of(blocked.result(PATIENCE_S)) == [9]
        assert engine.stats().refused == 0


def test_a_blocking_submit_ends_with_its_deadline() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1, max_waiting=1) as engine:
        engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        engine.submit(SRC, GREEDY)
        with pytest.raises(DeadlineError):
            engine.submit(SRC, GREEDY, time.monotonic() + 0.01, block=True)


def test_a_blocking_submit_ends_when_the_engine_is_closed() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1, max_waiting=1) as engine, ThreadPoolExecutor(1) as pool:
        engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        engine.submit(SRC, GREEDY)
        blocked = pool.submit(engine.submit, SRC, GREEDY, None, True)
        assert not wait([blocked], 0.02).done
        stepper.open()
        engine.close()
        with pytest.raises(UnavailableError):
            blocked.result(PATIENCE_S)


def test_a_search_wider_than_the_budget_runs_alone() -> None:
    stepper = TableStepper(seed=3, vocab_size=12)
    with running(stepper, max_rows=4) as engine:
        wide = SearchOptions(beam_size=8)
        futures = [engine.submit(SRC, options) for options in (BEAM, wide, BEAM)]
        answers = [future.result(PATIENCE_S)[0].ids for future in futures]
    reference = TableStepper(seed=3, vocab_size=12)
    assert answers[1] == search(reference, [SRC], wide, max_target_tokens=40)[0][0].ids
    assert answers[0] == answers[2]


def test_a_waiting_sentence_expires() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1) as engine:
        first = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        late = engine.submit(SRC, GREEDY, deadline=time.monotonic() - 1.0)
        stepper.allow()
        with pytest.raises(DeadlineError, match="deadline passed"):
            late.result(PATIENCE_S)
        stepper.open()
        assert ids_of(first) == [5, 6, 7]
        eventually(lambda: engine.stats().expired == 1)


def test_a_running_sentence_expires_and_frees_its_rows() -> None:
    stepper = GatedStepper()
    with running(stepper) as engine:
        late = engine.submit(SRC, BEAM, deadline=time.monotonic() + 0.05)
        stepper.wait_until_asked()
        time.sleep(0.06)
        stepper.allow()
        with pytest.raises(DeadlineError):
            late.result(PATIENCE_S)
        assert stepper.running == {}
        assert engine.stats().rows == 0


def test_a_cancelled_waiting_sentence_never_runs() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1) as engine:
        first = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        second = engine.submit([9, EOS_ID], GREEDY)
        assert second.cancel()
        stepper.open()
        assert ids_of(first) == [5, 6, 7]
        assert engine.drain(PATIENCE_S)
        assert stepper.admitted == 1
        assert engine.stats().cancelled == 1


def test_cancelling_a_running_sentence_frees_its_rows_in_one_step() -> None:
    stepper = GatedStepper()
    with running(stepper) as engine:
        kept, dropped = engine.submit_many([SRC, [8, 9, 10, EOS_ID]], BEAM)
        stepper.wait_until_asked()
        assert dropped.cancel()
        stepper.allow()
        stepper.wait_until_asked()
        assert list(stepper.running.values()) == [tuple(SRC)]
        with pytest.raises(CancelledError):
            dropped.result()
        stepper.open()
        assert ids_of(kept) == [5, 6, 7]
        assert engine.stats().cancelled == 1


def test_waiting_for_a_cancelled_future_ends() -> None:
    """`concurrent.futures.wait` needs to be told, beyond the cancelling itself."""
    stepper = GatedStepper()
    with running(stepper) as engine:
        future = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        future.cancel()
        stepper.open()
        assert wait([future], PATIENCE_S).done == {future}


@pytest.mark.parametrize("poison_at", ["admit", "step"])
def test_only_the_guilty_sentence_fails(poison_at: str) -> None:
    stepper = GatedStepper(open_gate=True, poison=[13], poison_at=poison_at)
    sources = [[i, i + 1, EOS_ID] for i in range(4, 30, 3)]  # 13 is in one of them
    with running(stepper) as engine:
        futures = engine.submit_many(sources, BEAM)
        for source, future in zip(sources, futures, strict=True):
            if 13 in source:
                with pytest.raises(EngineError, match="the model failed on this text") as failed:
                    future.result(PATIENCE_S)
                assert isinstance(failed.value.__cause__, RuntimeError)
            else:
                assert ids_of(future) == source[:-1]
        assert engine.drain(PATIENCE_S)
        assert (engine.stats().failed, engine.stats().done) == (1, len(sources) - 1)
        assert engine.healthy()
        assert stepper.running == {}


def test_a_failure_is_logged_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    stepper = GatedStepper(open_gate=True, poison=[13])
    with running(stepper) as engine:
        future = engine.submit([13, EOS_ID], GREEDY)
        assert isinstance(future.exception(PATIENCE_S), EngineError)
    [line] = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["engine"], logged["sentences"]) == ("engine_failure", "test", 1)
    assert re.fullmatch(r"RuntimeError at gated_stepper\.py:\d+", logged["error"])


def test_those_who_wait_survive_a_failure() -> None:
    stepper = GatedStepper(poison=[13])
    with running(stepper, max_rows=2) as engine:
        poisoned = engine.submit([13, EOS_ID], GREEDY)
        stepper.wait_until_asked()
        others = engine.submit_many([SRC] * 5, GREEDY)
        stepper.open()
        with pytest.raises(EngineError):
            poisoned.result(PATIENCE_S)
        assert all(ids_of(future) == [5, 6, 7] for future in others)


def test_failing_again_and_again_is_unhealthy_until_a_success() -> None:
    stepper = GatedStepper(open_gate=True, poison=[13])
    with running(stepper, failure_limit=2) as engine:
        for expected in (True, False):
            with pytest.raises(EngineError):
                engine.submit([13, EOS_ID], GREEDY).result(PATIENCE_S)
            assert engine.healthy() is expected
        assert not engine.stats().ready
        assert ids_of(engine.submit(SRC, GREEDY)) == [5, 6, 7]
        assert engine.healthy()


def test_a_failing_model_that_cannot_even_retire_keeps_the_engine_up() -> None:
    class Broken(GatedStepper):
        def retire(self, slots: Sequence[int]) -> None:
            if self.poison:
                raise RuntimeError("cannot retire")
            super().retire(slots)

    stepper = Broken(open_gate=True, poison=[13])
    with running(stepper) as engine:
        with pytest.raises(EngineError):
            engine.submit([13, EOS_ID], GREEDY).result(PATIENCE_S)
        stepper.poison, stepper.running = set(), {}
        assert ids_of(engine.submit(SRC, GREEDY)) == [5, 6, 7]


def test_our_own_errors_reach_the_caller_as_they_are() -> None:
    class Refusing(EchoStepper):
        def admit(
            self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
        ) -> list[int]:
            raise InputError("too odd for this model")

    with running(Refusing(40)) as engine, pytest.raises(InputError, match="too odd"):
        engine.submit(SRC, GREEDY).result(PATIENCE_S)


def test_what_the_search_would_refuse_is_refused_at_once() -> None:
    with running(EchoStepper(40)) as engine:
        with pytest.raises(InputError):
            engine.submit([], GREEDY)
        with pytest.raises(InputError, match="prefix"):
            engine.submit(SRC, SearchOptions(beam_size=1, prefix=(999,)))


def test_a_step_that_hangs_is_unhealthy() -> None:
    stepper = GatedStepper()
    with running(stepper, heartbeat_limit_s=0.02) as engine:
        assert engine.healthy()
        future = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        eventually(lambda: not engine.healthy())
        assert engine.stats().age_s > 0.02
        stepper.open()
        assert ids_of(future) == [5, 6, 7]
        eventually(engine.healthy)
        assert engine.drain(PATIENCE_S)
        assert engine.stats().age_s == 0.0


def test_a_dead_thread_leaves_nobody_waiting() -> None:
    class Deadly(EchoStepper):
        def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
            raise SystemExit

    with running(Deadly(40)) as engine:
        with pytest.raises(UnavailableError):
            engine.submit(SRC, GREEDY).result(PATIENCE_S)
        eventually(lambda: not engine.healthy())
        with pytest.raises(UnavailableError):
            engine.submit(SRC, GREEDY)


def test_draining_finishes_what_is_inside_and_refuses_the_rest() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1) as engine:
        futures = engine.submit_many([SRC, SRC], GREEDY)
        stepper.wait_until_asked()
        assert not engine.drain(timeout_s=0.01)
        assert not engine.stats().ready
        with pytest.raises(UnavailableError, match="stopping"):
            engine.submit(SRC, GREEDY)
        stepper.open()
        assert engine.drain(PATIENCE_S)
        assert all(future.done() for future in futures)


def test_closing_fails_what_is_inside() -> None:
    stepper = GatedStepper()
    with running(stepper, max_rows=1) as engine, ThreadPoolExecutor(1) as pool:
        futures = engine.submit_many([SRC, SRC], GREEDY)
        stepper.wait_until_asked()
        closing = pool.submit(engine.close)
        for future in futures:
            with pytest.raises(UnavailableError, match="closed"):
                future.result(PATIENCE_S)
        stepper.open()
        closing.result(PATIENCE_S)
        with pytest.raises(UnavailableError, match="closed"):
            engine.submit(SRC, GREEDY)
        assert not engine.healthy()
        engine.close()


def test_closing_in_the_middle_of_a_failure_fails_everyone() -> None:
    class Failing(GatedStepper):
        def retire(self, slots: Sequence[int]) -> None:
            self.retiring.set()
            assert self.closed.wait(PATIENCE_S)

        retiring, closed = threading.Event(), threading.Event()

    stepper = Failing(open_gate=True, poison=[13])
    with running(stepper, close_timeout_s=0.02) as engine:
        futures = engine.submit_many([SRC, [13, EOS_ID]], GREEDY)
        assert stepper.retiring.wait(PATIENCE_S)
        engine.close()
        stepper.closed.set()
        for future in futures:
            with pytest.raises(UnavailableError):
                future.result(PATIENCE_S)


def test_closing_does_not_wait_for_a_step_that_hangs() -> None:
    stepper = GatedStepper()
    with running(stepper, close_timeout_s=0.02) as engine:
        future = engine.submit(SRC, GREEDY)
        stepper.wait_until_asked()
        engine.close()
        with pytest.raises(UnavailableError):
            future.result(0)
        stepper.open()
        eventually(lambda: not any(t.name == "engine test" for t in threading.enumerate()))


def test_callbacks_may_submit_and_close() -> None:
    """They run on the engine's own thread."""
    with running(EchoStepper(40)) as engine:
        second: Future[Future[list[Hypothesis]]] = Future()

        def submit_again(_: Future[list[Hypothesis]]) -> None:
            second.set_result(engine.submit([9, EOS_ID], GREEDY))

        engine.submit(SRC, GREEDY).add_done_callback(submit_again)
        assert ids_of(second.result(PATIENCE_S)) == [9]
        engine.submit(SRC, GREEDY).add_done_callback(lambda _: engine.close())
        eventually(lambda: not engine.healthy())


def test_an_event_loop_can_wait_for_and_cancel_sentences() -> None:
    stepper = GatedStepper()

    async def serve(engine: Engine) -> list[int]:
        kept, dropped = (
            asyncio.ensure_future(asyncio.wrap_future(future))
            for future in engine.submit_many([SRC, [8, EOS_ID]], GREEDY)
        )
        await asyncio.to_thread(stepper.wait_until_asked)
        dropped.cancel()
        stepper.open()
        return (await kept)[0].ids

    with running(stepper) as engine:
        assert asyncio.run(serve(engine)) == [5, 6, 7]
        assert engine.drain(PATIENCE_S)
        assert engine.stats().cancelled == 1


def test_statistics_count_rows_and_steps() -> None:
    stepper = GatedStepper()
    with running(stepper) as engine:
        assert engine.stats().ready
        futures = engine.submit_many([SRC, SRC], GREEDY)
        stepper.wait_until_asked()
        busy = engine.stats()
        assert (busy.running, busy.waiting, busy.rows, busy.done) == (2, 0, 2, 0)
        stepper.open()
        wait(futures, PATIENCE_S)
        assert engine.drain(PATIENCE_S)
        idle = engine.stats()
        assert (idle.running, idle.rows, idle.done, idle.steps) == (0, 0, 2, 4)
        assert idle.mean_rows == 2.0


def test_several_workers_share_the_line() -> None:
    """Both run at once, and a line that is short is shared fairly."""
    steppers = [GatedStepper(), GatedStepper()]
    cores = [LocalCore(one, 40) for one in steppers]
    engine = Engine(cores, EngineSettings(workers=2), "test")
    with engine:
        futures = engine.submit_many([SRC] * 4, BEAM)
        for stepper in steppers:
            stepper.wait_until_asked()
        assert [len(stepper.running) for stepper in steppers] == [2, 2]
        assert engine.stats().running == 4
        steppers[0].open()
        eventually(lambda: engine.stats().done == 2)
        more = engine.submit_many([SRC] * 3, BEAM)
        assert all(ids_of(future) == [5, 6, 7] for future in more), "a busy one keeps none waiting"
        steppers[1].open()
        assert all(ids_of(future) == [5, 6, 7] for future in futures)


def test_one_worker_fails_and_the_other_goes_on() -> None:
    steppers = [GatedStepper(open_gate=True, poison=[13]), GatedStepper(open_gate=True)]
    with Engine(
        [LocalCore(one, 40) for one in steppers], EngineSettings(workers=2), "test"
    ) as engine:
        futures = engine.submit_many([SRC, [13, EOS_ID]] * 10, GREEDY)
        for i, future in enumerate(futures):
            error = future.exception(PATIENCE_S)
            assert error is None or (i % 2 and isinstance(error, EngineError))
        assert engine.drain(PATIENCE_S)
        stats = engine.stats()
        assert stats.done + stats.failed == 20
        assert (stats.running, stats.waiting, stats.rows) == (0, 0, 0)


def test_sentences_wait_for_bytes() -> None:
    class Heavy(GatedStepper):
        @property
        def footprint(self) -> Footprint:
            return Footprint(entry=1)

    stepper = Heavy()
    options = SearchOptions(beam_size=2, max_length=10)  # 20 entries
    with running(stepper, max_cache_bytes=45) as engine:
        futures = engine.submit_many([SRC] * 3, options)
        stepper.wait_until_asked()
        assert len(stepper.running) == 2
        stepper.open()
        assert all(ids_of(future) == [5, 6, 7] for future in futures)
