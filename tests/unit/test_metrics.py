"""What is counted, and how the counts of several replicas come into one answer."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from mt.errors import DeadlineError
from mt.search_options import SearchOptions
from mt.tokenizer import EOS_ID
from serving.app import create_app
from serving.board import SILENT_S, Board
from serving.engine import Engine
from serving.metrics import Metrics, exposition
from serving.models import Models
from serving.running.cores import LocalCore
from serving.running.passage import WITNESS, Passage
from serving.settings import EngineSettings
from tests.app_client import SENTENCE, AppClient, echo, open_app, settings_with
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper
from tests.sse import parse


def samples(text: str) -> dict[tuple[str, str], float]:
    """Values by name and labels, these as `key=value,…` in the order of their names."""
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counted(replica: str, value: float) -> list[Metric]:
    family = CounterMetricFamily("mt_x", "X", labels=["model"])
    family.add_metric([replica], value)
    return [family]


def test_a_board_shows_every_replica_and_adds_nothing_up() -> None:
    board = Board()
    board.post("a", counted("m", 1))
    board.post("b", counted("m", 2))
    board.post("a", counted("m", 5))  # instead of its former one
    text = exposition(board.read()).decode()
    assert text.count("# TYPE mt_x_total counter") == 1
    assert samples(text) == {
        ("mt_x_total", "model=m,replica=a"): 5,
        ("mt_x_total", "model=m,replica=b"): 2,
    }


def test_a_board_forgets_who_is_silent() -> None:
    now = 0.0
    board = Board(lambda: now)
    board.post("a", counted("m", 1))
    now = SILENT_S
    board.post("b", counted("m", 1))
    assert len(board.read()[0].samples) == 2
    now = SILENT_S + 1
    assert [one.labels["replica"] for one in board.read()[0].samples] == ["b"]
    now *= 3
    assert board.read() == []


def test_what_one_request_leaves_behind() -> None:
    with open_app() as client:
        client.translate()
        client.translate()
        found = samples(client.get("/metrics").text)
    labels = "model=fake,pair=fr-en,route=/v1/translate,status=200"
    assert found["mt_request_duration_seconds_count", labels] == 2
    assert found["mt_ready", ""] == 1
    assert found["mt_engine_healthy", "model=fake"] == 1
    assert found["mt_sentences_total", "model=fake,outcome=done"] == 2
    assert found["mt_queue_seconds_count", "model=fake"] == 2
    assert found["mt_search_seconds_count", "model=fake"] == 2
    steps = found["mt_batch_size_count", "model=fake"]
    assert 1 <= found["mt_batch_size_sum", "model=fake"] / steps <= 5
    assert found["mt_kv_cache_bytes", "model=fake"] == 0


def test_a_stream_counts_its_first_sentence_once() -> None:
    with open_app() as client:
        body = {"text": f"{SENTENCE} {SENTENCE}", "source": "fr", "target": "en"}
        answer = client.post("/v1/translate/stream", json=body)
        assert [name for name, _ in parse(answer.text)].count("sentence") == 2
        found = samples(client.get("/metrics").text)
    assert found["mt_time_to_first_token_seconds_count", "model=fake,pair=fr-en"] == 1


def test_a_draining_app_is_not_ready() -> None:
    with open_app() as client:
        client.app.state.service.drain()
        assert samples(client.get("/metrics").text)["mt_ready", ""] == 0


def test_a_passage_that_never_ran_only_waited() -> None:
    metrics = Metrics(lambda: None)
    metrics.passed(Passage("m", 1.0, None, 3.0, 4, 5))
    metrics.passed(Passage("m", 1.0, 1.5, 3.0, 4, 5))
    found = samples(exposition(metrics.families()).decode())
    assert found["mt_queue_seconds_sum", "model=m"] == 2.5
    assert found["mt_search_seconds_sum", "model=m"] == 1.5
    assert found["mt_search_seconds_count", "model=m"] == 1


def test_the_engine_tells_a_witness_when_a_sentence_waited_and_ran() -> None:
    seen: list[Passage] = []
    stepper = GatedStepper(fake_bundle().manifest.vocab_size)
    with Engine([LocalCore(stepper, 16)], EngineSettings(max_rows=5), "m") as engine:
        token = WITNESS.set(seen.append)
        first = engine.submit([4, EOS_ID], SearchOptions(beam_size=5))
        stepper.wait_until_asked()
        second = engine.submit([4, 5, EOS_ID], SearchOptions(beam_size=5), deadline=0.0)
        WITNESS.reset(token)
        silent = engine.submit([4, EOS_ID], SearchOptions(beam_size=5))
        stepper.open()
        first.result()
        with pytest.raises(DeadlineError):
            second.result()
        silent.result()
    ran, waited = sorted(seen, key=lambda one: one.source_tokens)
    assert (ran.engine, ran.source_tokens, ran.rows) == ("m", 2, 5)
    assert ran.entered is not None
    assert ran.joined <= ran.entered <= ran.left
    assert waited.entered is None


class SpyPoster:
    """Two replicas' board in one process."""

    def __init__(self, board: Board, replica: str) -> None:
        self.posts = 0
        self._board, self._replica = board, replica

    async def post(self, families: Sequence[Metric]) -> None:
        self.posts += 1
        self._board.post(self._replica, families)

    async def read(self, families: Sequence[Metric]) -> list[Metric]:
        self._board.post(self._replica, families)
        return self._board.read()


def test_an_app_posts_by_itself_and_answers_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.service.POST_S", 0.001)
    board = Board()
    board.post("other", Metrics(lambda: None).families())
    poster = SpyPoster(board, "this")
    settings = settings_with()
    app = create_app(lambda: Models([echo(fake_bundle())]), settings, poster=poster)
    with AppClient(app) as client:
        while poster.posts < 3:
            client.runner.run(asyncio.sleep(0.001))
        client.translate()
        found = samples(client.get("/metrics").text)
    labels = "model=fake,pair=fr-en,replica=this,route=/v1/translate,status=200"
    assert found["mt_requests_total", labels] == 1
    assert {labels for name, labels in found if name == "mt_ready"} == {
        "replica=this",
        "replica=other",
    }
