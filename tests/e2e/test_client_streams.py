"""Streams of both clients go on where the connection was cut, and nothing comes twice."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.client import Client, Done, Retries, Sentence, UnreachableError
from tests.app_client import echo
from tests.cutting_proxy import cutting
from tests.echo_bundle import write_echo_bundle
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback
from tests.server_process import Server
from tests.unit.test_client import Waiting

TEXTS = [
    " ".join(f"Jane visite l'Afrique en {i} {j}." for j in range(4)) for i in range(6)
]  # 24 sentences, some 200 bytes of answer each
PATIENT = Retries(attempts=4, first_wait_s=0.01, chance=lambda: 0.0)
TO_ENGLISH: dict[str, Any] = {"source": "fr", "target": "en"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with on_loopback(echo(fake_bundle())) as url:
        yield url


def texts_of(events: list[Any]) -> list[str]:
    """What the events put together, after checking that each piece came once."""
    pieces = [one for one in events if isinstance(one, Sentence)]
    numbers = [(one.item, one.sentence) for one in pieces]
    assert numbers == sorted(set(numbers))
    assert isinstance(events[-1], Done)
    return [
        "".join(one.before + one.text + one.after for one in pieces if one.item == item)
        for item in range(len(TEXTS))
    ]


@pytest.mark.parametrize("kind", [Client, Waiting])
@pytest.mark.parametrize("reset", [False, True])
def test_a_stream_goes_on_where_it_was_cut(server: str, kind: Any, reset: bool) -> None:
    cuts = [random.Random(seed).randint(300, 2500) for seed in range(3)]
    with cutting(server, cuts, reset) as proxy, kind(proxy.address, retries=PATIENT) as client:
        events = list(client.translate_stream(TEXTS, **TO_ENGLISH))
        assert texts_of(events) == TEXTS
        assert proxy.connections == 4


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_other_calls_are_made_again(server: str, kind: Any) -> None:
    with cutting(server, [20, 100], reset=True) as proxy:
        with kind(proxy.address, retries=PATIENT) as client:
            answer = client.translate(TEXTS, **TO_ENGLISH)
        assert [one.text for one in answer.translations] == TEXTS
        assert proxy.connections == 3


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_a_stream_that_gets_nowhere_is_given_up(server: str, kind: Any) -> None:
    with (
        cutting(server, [250] * 10) as proxy,
        kind(proxy.address, retries=PATIENT) as client,
        pytest.raises(UnreachableError, match="broke off"),
    ):
        list(client.translate_stream(TEXTS, **TO_ENGLISH))
    assert proxy.connections == PATIENT.attempts


def test_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    bundle = str(write_echo_bundle(tmp_path / "echo").folder)
    patient = Retries(timeout_s=300, attempts=100, first_wait_s=0.05, longest_wait_s=0.5)
    with Server(bundle) as first:
        port = first.port
        with Client(first.url, retries=patient) as client:
            events = client.translate_stream(TEXTS * 5, **TO_ENGLISH)
            found: list[Any] = [next(events)]
            first.process.kill()
            first.process.wait()
            with Server(bundle, port=port):
                found += events
    assert texts_of(found) == TEXTS
    assert len({one.item for one in found[:-1]}) == 5 * len(TEXTS)
