"""The load generator of the serving benchmark: what it sends, counts and calls a failure."""

from typing import Any

import pytest

from mt.bundle import Bundle
from tests.app_client import echo
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback

load = pytest.importorskip("tests.benchmarks.load", reason="aiohttp is not installed")

TEXTS = ["Jane visite l'Afrique.", "Il ne mange pas.", "Un chat dort."]


def target(url: str, source: str = "fr") -> Any:
    return load.Target(
        f"{url}/translate",
        lambda text: {"q": text, "source": source, "target": "en"},
        lambda answer: str(answer["translatedText"]),
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return fake_bundle()


def test_clients_wait_for_each_answer(bundle: Bundle) -> None:
    with on_loopback(echo(bundle)) as url:
        outcome = load.closed_loop(target(url), TEXTS, clients=3, seconds=0.3)
    assert outcome.failures == []
    assert outcome.answers.keys() <= set(TEXTS)
    assert all(len(found) == 1 and all(found) for found in outcome.answers.values())
    assert outcome.per_second == len(outcome.latencies) / outcome.seconds
    assert 0 < outcome.percentile(50) <= outcome.percentile(99) <= max(outcome.latencies)


def test_arrivals_wait_for_nobody(bundle: Bundle) -> None:
    with on_loopback(echo(bundle)) as url:
        outcome = load.open_loop(target(url), TEXTS, rate=50.0, seconds=0.5)
    assert 5 < len(outcome.latencies) < 100
    assert outcome.failures == []


def test_what_is_refused_is_counted_as_such(bundle: Bundle) -> None:
    with on_loopback(echo(bundle)) as url:
        outcome = load.closed_loop(target(url, source="xx"), TEXTS, clients=1, seconds=0.1)
    assert set(outcome.failures) == {"400"}
    assert outcome.latencies == []
    assert outcome.percentile(99) == 0.0
