"""A core in a process of its own: the same answers, and nothing is lost where it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mt.beam_search import Hypothesis, SearchOptions
from mt.bundle import Bundle
from mt.errors import BundleError, EngineError, InputError
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running import process_core
from serving.running.cores import local_cores
from serving.running.process_core import ProcessCore, process_cores
from serving.settings import EngineSettings
from tests import poisoned_core_process
from tests.echo_bundle import write_echo_bundle
from tests.poisoned_core_process import BREAKS, DIES, HANGS, SLOW
from tests.tiny_bundle import VOCAB_SIZE, random_sources, write_tiny_bundle
from tests.tiny_models import sharpened, tiny_transformer

GREEDY = SearchOptions(beam_size=1)
PATIENCE_S = 60.0
MIXED = (
    GREEDY,
    SearchOptions(beam_size=5, n_best=5, attention=True),
    SearchOptions(beam_size=3, min_length=4, no_repeat_ngram=2, coverage_penalty=0.2),
    SearchOptions(beam_size=2, prefix=(5, 6)),
    SearchOptions(beam_size=1, samples=3, seed=7),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = sharpened(tiny_transformer(vocab_size=VOCAB_SIZE))
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle", model)


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle whose core's process is `tests.poisoned_core_process`."""
    monkeypatch.setattr(process_core, "MODULE", poisoned_core_process.MODULE)
    return write_echo_bundle(tmp_path / "bundle")


@contextmanager
def running(bundle: Bundle, **settings: object) -> Iterator[tuple[Engine, list[ProcessCore]]]:
    """An engine on processes that leaves none behind."""
    chosen = EngineSettings.model_validate(settings)
    cores = process_cores(bundle, chosen)
    pids = [pid_of(core) for core in cores]
    with Engine(cores, chosen, "test") as engine:
        yield engine, cores
        pids += [pid_of(core) for core in cores]
    assert not any(alive(pid) for pid in pids)


def pid_of(core: ProcessCore) -> int:
    return core._process.pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it never happened"
        time.sleep(0.01)


def ids(found: list[Hypothesis]) -> list[int]:
    return found[0].ids


def test_answers_are_those_of_a_core_of_this_process_to_the_last_bit(tiny: Bundle) -> None:
    sources = random_sources(3, 60)
    settings = EngineSettings(max_rows=24, workers=2)
    answers = []
    for cores in (local_cores(tiny, settings), process_cores(tiny, settings)):
        with Engine(cores, settings, "test") as engine:
            futures = [
                engine.submit(source, MIXED[i % len(MIXED)]) for i, source in enumerate(sources)
            ]
            answers.append([future.result(PATIENCE_S) for future in futures])
            assert engine.stats().done == len(sources)
    for here, there in zip(*answers, strict=True):
        assert [(h.ids, h.score, h.token_log_probs) for h in here] == [
            (h.ids, h.score, h.token_log_probs) for h in there
        ]
        for ours, theirs in zip(here, there, strict=True):
            assert (ours.attention is None) == (theirs.attention is None)
            if ours.attention is not None and theirs.attention is not None:
                assert np.array_equal(ours.attention, theirs.attention)


def test_what_a_dead_process_had_is_searched_again(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, [core]):
        before = pid_of(core)
        innocent = [engine.submit([20 + i, 21, 22, EOS_ID], GREEDY) for i in range(5)]
        guilty = engine.submit([DIES, 21, EOS_ID], GREEDY)
        with pytest.raises(EngineError, match="ended on this text"):
            guilty.result(PATIENCE_S)
        assert [ids(one.result(PATIENCE_S)) for one in innocent] == [
            [20 + i, 21, 22] for i in range(5)
        ]
        assert pid_of(core) != before
        assert engine.healthy()


def test_a_process_that_dies_idle_is_missed_by_nobody(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, [core]):
        assert ids(engine.submit([20, EOS_ID], GREEDY).result(PATIENCE_S)) == [20]
        os.kill(pid_of(core), signal.SIGKILL)
        core._process.wait()
        assert ids(engine.submit([21, EOS_ID], GREEDY).result(PATIENCE_S)) == [21]
        assert engine.stats().failed == 0


def test_whoever_was_alone_when_a_process_was_killed_is_searched_again(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, [core]):
        alone = engine.submit([SLOW, 21, 22, EOS_ID], GREEDY)
        eventually(lambda: engine.stats().running == 1)
        os.kill(pid_of(core), signal.SIGKILL)
        assert ids(alone.result(PATIENCE_S)) == [SLOW, 21, 22]
        assert engine.stats().failed == 0


def test_a_failing_step_costs_only_the_sentence_that_makes_it_fail(
    poisoned: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(poisoned) as (engine, [core]):
        before = pid_of(core)
        futures = [engine.submit([20 + i, EOS_ID], GREEDY) for i in range(5)]
        guilty = engine.submit([BREAKS, EOS_ID], GREEDY)
        with pytest.raises(EngineError, match="the model failed on this text"):
            guilty.result(PATIENCE_S)
        assert [ids(one.result(PATIENCE_S)) for one in futures] == [[20 + i] for i in range(5)]
        assert pid_of(core) == before
    said = capfd.readouterr().err
    assert "RuntimeError at poisoned_core_process.py:" in said
    assert "secret" not in said


def test_a_sentence_that_is_cancelled_leaves_the_process_too(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, _):
        long = engine.submit([SLOW, *[20] * 37, EOS_ID], SearchOptions(beam_size=4))
        eventually(lambda: engine.stats().running == 1)
        long.cancel()
        eventually(lambda: engine.stats().running == 0)
        assert ids(engine.submit([21, EOS_ID], GREEDY).result(PATIENCE_S)) == [21]
        assert engine.drain(PATIENCE_S)


def test_a_step_that_hangs_costs_only_the_sentence_that_makes_it_hang(poisoned: Bundle) -> None:
    with running(poisoned, heartbeat_limit_s=1.0) as (engine, [core]):
        before = pid_of(core)
        futures = [engine.submit([20 + i, EOS_ID], GREEDY) for i in range(3)]
        guilty = engine.submit([HANGS, EOS_ID], GREEDY)
        with pytest.raises(EngineError, match="ended on this text"):
            guilty.result(PATIENCE_S)
        assert [ids(one.result(PATIENCE_S)) for one in futures] == [[20 + i] for i in range(3)]
        assert pid_of(core) != before
        eventually(engine.healthy)


def test_an_engine_whose_step_hangs_can_be_closed(
    poisoned: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_core, "PATIENCE_S", 0.1)
    with running(poisoned, close_timeout_s=0.1) as (engine, [core]):
        hanging = engine.submit([HANGS, EOS_ID], GREEDY)
        eventually(lambda: engine.stats().running == 1)
        engine.close()
        assert hanging.done()
        assert not alive(pid_of(core))


def test_what_no_batch_would_admit_is_refused_before_it_is_sent(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, _), pytest.raises(InputError, match="no tokens"):
        engine.submit([], GREEDY)


def test_a_bundle_that_cannot_be_opened_is_told_as_in_this_process(tiny: Bundle) -> None:
    with pytest.raises(BundleError, match="no int8 graphs, only fp32"):
        process_cores(tiny, EngineSettings(precision="int8", workers=2))


def test_a_process_that_dies_while_it_opens_is_told(poisoned: Bundle) -> None:
    (poisoned.folder.parent / "deadly").touch()
    with pytest.raises(EngineError, match="ended") as told:
        process_cores(poisoned, EngineSettings())
    assert told.value.__notes__ == ["a model's process ended with exit status -9"]


def test_signals_for_the_whole_group_are_left_to_the_server(poisoned: Bundle) -> None:
    with running(poisoned) as (engine, [core]):
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid_of(core), number)
        assert ids(engine.submit([20, EOS_ID], GREEDY).result(PATIENCE_S)) == [20]


def test_it_ends_with_the_process_that_began_it(tiny: Bundle) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from mt import bundle\n"
        "from serving.running.process_core import process_cores\n"
        "from serving.settings import EngineSettings\n"
        "[core] = process_cores(bundle.open(Path(sys.argv[1])), EngineSettings())\n"
        "print(core._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(tiny.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    eventually(lambda: not alive(int(done.stdout)))
