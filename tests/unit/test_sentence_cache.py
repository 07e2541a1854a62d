"""One search for the same sentence: what is shared, who may leave, and what is kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import pytest

from mt.beam_search import SearchOptions
from mt.errors import DeadlineError, EngineError, OverloadedError
from mt.hypothesis import Hypothesis
from mt.tokenizer import EOS_ID
from serving.engine import Engine
from serving.running.cores import LocalCore
from serving.settings import EngineSettings, Limits
from serving.text.sentence_cache import SentenceCache
from tests.app_client import SENTENCE, open_app, over
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper
from tests.gated_stepper import GatedStepper

GREEDY = SearchOptions(beam_size=1)
HERE, THERE = [5, 6, EOS_ID], [7, EOS_ID]
PATIENCE_S = 20.0


@pytest.fixture
def stepper() -> GatedStepper:
    return GatedStepper(poison=[13])


@pytest.fixture
def engine(stepper: GatedStepper) -> Iterator[Engine]:
    with Engine([LocalCore(stepper, 20)], EngineSettings(max_waiting=2, max_rows=1)) as running:
        yield running
        stepper.open()


@pytest.fixture
def cache(engine: Engine) -> SentenceCache:
    return SentenceCache(engine, 100_000)


def ids_of(future: Future[list[Hypothesis]]) -> list[int]:
    return future.result(PATIENCE_S)[0].ids


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def hits(cache: SentenceCache) -> Sequence[int]:
    stats = cache.stats()
    return stats.finished_hits, stats.in_flight_hits, stats.misses


def test_what_is_finished_is_kept(cache: SentenceCache, stepper: GatedStepper) -> None:
    stepper.open()
    assert ids_of(cache.submit(HERE, GREEDY)) == HERE[:-1]
    steps = cache._engine.stats().steps
    again = cache.submit(HERE, GREEDY)
    assert again.done()
    assert ids_of(again) == HERE[:-1]
    assert cache._engine.stats().steps == steps
    assert hits(cache) == (1, 0, 1)


def test_other_options_are_another_search(cache: SentenceCache, stepper: GatedStepper) -> None:
    stepper.open()
    ids_of(cache.submit(HERE, GREEDY))
    ids_of(cache.submit(HERE, SearchOptions(beam_size=1, max_length=1)))
    ids_of(cache.submit(THERE, GREEDY))
    assert hits(cache) == (0, 0, 3)


def test_what_is_under_way_is_searched_once(
    cache: SentenceCache, engine: Engine, stepper: GatedStepper
) -> None:
    first = cache.submit(HERE, GREEDY)
    others = cache.submit_many([HERE, HERE], GREEDY)
    assert engine.stats().running + engine.stats().waiting == 1
    stepper.open()
    for future in (first, *others):
        assert ids_of(future) == HERE[:-1]
    assert hits(cache) == (0, 2, 1)
    assert engine.stats().done == 1


def test_nobody_sees_what_another_one_does_to_the_list(
    cache: SentenceCache, stepper: GatedStepper
) -> None:
    stepper.open()
    cache.submit(HERE, GREEDY).result(PATIENCE_S).clear()
    cache.submit(HERE, GREEDY).result(PATIENCE_S).clear()
    assert ids_of(cache.submit(HERE, GREEDY)) == HERE[:-1]


def test_one_who_leaves_does_not_end_the_search_of_the_others(
    cache: SentenceCache, stepper: GatedStepper
) -> None:
    first, second = cache.submit(HERE, GREEDY), cache.submit(HERE, GREEDY)
    assert first.cancel()
    stepper.open()
    assert ids_of(second) == HERE[:-1]


def test_the_last_one_who_leaves_ends_it(
    cache: SentenceCache, engine: Engine, stepper: GatedStepper
) -> None:
    futures = cache.submit_many([HERE, HERE], GREEDY)
    stepper.wait_until_asked()
    for future in futures:
        future.cancel()
    again = cache.submit(THERE, GREEDY)
    stepper.open()
    assert ids_of(again) == THERE[:-1]
    eventually(lambda: engine.stats().cancelled == 1)
    assert cache.stats().kept == 1


def test_a_new_one_does_not_join_a_search_that_was_left(
    cache: SentenceCache, stepper: GatedStepper
) -> None:
    first = cache.submit(HERE, GREEDY)
    stepper.wait_until_asked()
    first.cancel()
    second = cache.submit(HERE, GREEDY)
    stepper.open()
    assert ids_of(second) == HERE[:-1]
    assert hits(cache) == (0, 0, 2)


def test_a_failure_is_everyones_and_is_not_kept(
    cache: SentenceCache, stepper: GatedStepper
) -> None:
    bad = [13, EOS_ID]
    futures = cache.submit_many([bad, bad], GREEDY)
    stepper.open()
    for future in futures:
        with pytest.raises(EngineError):
            future.result(PATIENCE_S)
    stepper.poison.clear()
    assert ids_of(cache.submit(bad, GREEDY)) == [13]


def test_who_has_more_time_is_searched_for_again(
    cache: SentenceCache, stepper: GatedStepper
) -> None:
    short = cache.submit(HERE, GREEDY, time.monotonic() + 0.01)
    patient = cache.submit(HERE, GREEDY, time.monotonic() + 60)
    time.sleep(0.02)
    stepper.open()
    with pytest.raises(DeadlineError):
        short.result(PATIENCE_S)
    assert ids_of(patient) == HERE[:-1]


def test_all_are_queued_or_none(cache: SentenceCache, engine: Engine) -> None:
    running = cache.submit(HERE, GREEDY)
    eventually(lambda: engine.stats().running == 1)
    with pytest.raises(OverloadedError):
        cache.submit_many([HERE, [8, EOS_ID], [9, EOS_ID], [10, EOS_ID]], GREEDY)
    assert engine.stats().waiting == 0
    assert not running.done()
    joined = cache.submit_many([HERE] * 9, GREEDY)  # more than fit into the queue
    assert len(joined) == 9


def test_what_was_not_asked_for_the_longest_leaves(engine: Engine, stepper: GatedStepper) -> None:
    stepper.open()
    cache = SentenceCache(engine, 8_000)  # two short sentences
    for ids in (HERE, THERE, HERE, [9, EOS_ID]):
        ids_of(cache.submit(ids, GREEDY))
    eventually(lambda: cache.stats().misses == 3)
    assert cache.stats().kept == 2
    assert cache.stats().kept_bytes <= 8_000
    assert cache.submit(HERE, GREEDY).done()
    assert hits(cache) == (2, 0, 3)
    ids_of(cache.submit(THERE, GREEDY))
    assert hits(cache) == (2, 0, 4)


def test_too_large_an_answer_is_not_kept(engine: Engine, stepper: GatedStepper) -> None:
    stepper.open()
    cache = SentenceCache(engine, 1_000)
    ids_of(cache.submit(HERE, GREEDY))
    assert (cache.stats().kept, cache.stats().kept_bytes) == (0, 0)


def test_who_blocks_passes(cache: SentenceCache, stepper: GatedStepper) -> None:
    stepper.open()
    for _ in range(2):
        assert ids_of(cache.submit(HERE, GREEDY, block=True)) == HERE[:-1]
    assert hits(cache) == (0, 0, 0)


def test_a_request_uses_the_cache_and_metrics_tell() -> None:
    bundle = fake_bundle()
    stepper = EchoStepper(bundle.manifest.vocab_size)
    translator = over(bundle, stepper, limits=Limits(), cache_bytes=100_000)
    with open_app(translator) as client:
        answers = [client.translate(text=[SENTENCE, SENTENCE]) for _ in range(2)]
        metrics = client.get("/metrics").text
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["translations"] == [{"text": SENTENCE}] * 2
    assert 'mt_cache_hits_total{kind="finished",model="fake"} 2.0' in metrics
    assert 'mt_cache_hits_total{kind="in_flight",model="fake"} 1.0' in metrics
    assert 'mt_cache_misses_total{model="fake"} 1.0' in metrics
