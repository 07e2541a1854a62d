"""Counters in a real Redis: several machines count together, and an outage turns nobody away."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mt.errors import QuotaError, RateLimitError
from serving.settings import Allowance
from serving.stores import counters
from serving.stores.api_keys import ApiKeys
from serving.stores.counters import open_counters
from serving.stores.meter import Meter
from tests.app_client import REQUEST
from tests.echo_bundle import write_echo_bundle
from tests.redis_server import free_port, needs_redis, redis_server
from tests.server_process import Server

ALLOWED = Allowance(
    requests_per_minute=3, characters_per_minute=1_000_000, characters_per_month=100
)


@contextmanager
def machines(address: str) -> Iterator[tuple[Meter, Meter]]:
    """Two that count at the same place."""
    first, second = (Meter(open_counters(None, address)) for _ in range(2))
    try:
        yield first, second
    finally:
        first.close()
        second.close()


@needs_redis
def test_machines_count_together(tmp_path: Path) -> None:
    with redis_server(free_port(), tmp_path) as address, machines(address) as (one, other):
        for meter in (one, other, one):
            meter.enter("a", ALLOWED)
        with pytest.raises(RateLimitError) as refused:
            other.enter("a", ALLOWED)
        assert 0 < refused.value.retry_after_s <= 120
        other.enter("b", ALLOWED)
        one.charge("a", ALLOWED, 60)
        with pytest.raises(QuotaError, match="40 of 100 are left"):
            other.charge("a", ALLOWED, 41)
        one.refund("a", 10)
        assert other.used("a", ALLOWED).characters == 50
        headers = other.headers("a", ALLOWED)
        assert '"requests";r=0;' in headers["RateLimit"]
        assert '"month";r=50;' in headers["RateLimit"]


@needs_redis
def test_an_outage_turns_nobody_away_and_counting_together_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counters, "RETRY_S", 0.0)
    port = free_port()
    with redis_server(port, tmp_path) as address, machines(address) as (one, other):
        one.charge("a", ALLOWED, 90)
    with machines(address) as (one, other):  # opened where nothing listens
        one.charge("a", ALLOWED, 90)
        other.charge("a", ALLOWED, 90)
        with pytest.raises(QuotaError):  # its own count
            one.charge("a", ALLOWED, 90)
        assert '"event": "counters_unreachable"' in capsys.readouterr().err
        with redis_server(port, tmp_path):
            one.charge("a", ALLOWED, 60)  # the new Redis is empty
            with pytest.raises(QuotaError):
                other.charge("a", ALLOWED, 60)


@pytest.mark.timeout(120)  # it would wait for ever
def test_a_redis_that_says_nothing_is_one_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with machines(address) as (one, _):
            one.enter("a", ALLOWED)
            assert one.used("a", ALLOWED).characters == 0


@needs_redis
def test_two_servers_share_the_limit_of_a_key(tmp_path: Path) -> None:
    bundle = str(write_echo_bundle(tmp_path / "echo").folder)
    with redis_server(free_port(), tmp_path) as address:
        keys = ApiKeys(tmp_path / "data")
        secret = keys.create("two", allowance=Allowance(requests_per_minute=2))
        keys.close()
        settings = tmp_path / "serve.yaml"
        told = {"data_dir": str(tmp_path / "data"), "keys": {"counters": address}}
        settings.write_text(json.dumps({"bundles": [{"path": bundle}], **told}))
        flags = ("--settings", str(settings))
        with Server(*flags) as first, Server(*flags) as second:
            headers = {"Authorization": f"Bearer {secret}"}
            found = [
                httpx.post(f"{one.url}/v1/translate", json=REQUEST, headers=headers, timeout=60)
                for one in (first, second, first)
            ]
        assert [one.status_code for one in found] == [200, 200, 429]
        assert int(found[-1].headers["retry-after"]) > 0
