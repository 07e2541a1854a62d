"""The embedded server's connections: what comes too slowly, too large or is never read."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from serving import http_protocol
from tests.app_client import REQUEST, SENTENCE, echo
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper
from tests.loopback import on_loopback

PATIENCE_S = 20
SOON = {"head_timeout_s": 0.2, "body_timeout_s": 0.2}
HEAD = b"GET /livez HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with on_loopback(echo(fake_bundle()), limits=SOON) as address:
        yield address


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), PATIENCE_S) as one:
        yield one


def everything(one: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = b""
    try:
        while data := one.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def is_cut_off(url: str, first: bytes, again: bytes, pause_s: float = 0.0) -> None:
    """Send for ever, and read nothing; the server must break the connection."""
    with connected(url) as one, pytest.raises(OSError, match=r"reset|pipe"):
        send_for_ever(one, first, again, pause_s)


def send_for_ever(one: socket.socket, first: bytes, again: bytes, pause_s: float) -> None:
    one.sendall(first)
    while True:
        one.sendall(again)
        time.sleep(pause_s)


@pytest.mark.parametrize("half", [b"", b"GET", HEAD, HEAD + b"X-Long: ", b"\r\n\r\n"])
def test_half_a_head_is_not_waited_for(url: str, half: bytes) -> None:
    with connected(url) as one:
        one.sendall(half)
        assert everything(one) == b""


def test_half_a_body_is_answered_and_closed(url: str) -> None:
    head = b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with connected(url) as one:
        one.sendall(head + b"Content-Length: 50\r\n\r\n{")
        answer = everything(one)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer


def test_blank_lines_after_an_answer_keep_no_connection_open(url: str) -> None:
    with connected(url) as one:
        one.sendall(HEAD + b"\r\n")
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        one.sendall(b"\r\n")
        assert everything(one) == b""


def test_what_follows_a_refused_body_is_not_swallowed_for_ever(url: str) -> None:
    head = b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"
    with connected(url) as one:
        one.sendall(head)
        assert one.recv(65536).startswith(b"HTTP/1.1 413")
        one.sendall(b" " * 1000)
        assert everything(one) == b""


@pytest.mark.parametrize("line", [b"X: " + b"a" * 50_000 + b"\r\n", b"a" * 50_000])
def test_an_endless_head_is_cut_off(line: bytes) -> None:
    with on_loopback(echo(fake_bundle()), limits={"head_timeout_s": 600}) as url:
        is_cut_off(url, HEAD, line)


def test_a_connection_may_be_used_for_as_long_as_it_is(url: str) -> None:
    with connected(url) as one:
        for _ in range(3):
            one.sendall(HEAD)
            one.sendall(b"\r\n")
            assert one.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_answer_may_take_longer_than_a_head() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    with on_loopback(echo(bundle, stepper=stepper), limits=SOON) as url, connected(url) as one:
        body = json.dumps(REQUEST).encode()
        head = b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        one.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        stepper.wait_until_asked()
        one.settimeout(1.0)
        with pytest.raises(TimeoutError):  # five times as long
            one.recv(1)
        one.settimeout(PATIENCE_S)
        stepper.open()
        assert SENTENCE.encode() in one.recv(65536)


def test_one_connection_cannot_queue_any_number_of_requests(url: str) -> None:
    is_cut_off(url, b"", (HEAD + b"\r\n") * 100)


def test_requests_may_be_sent_ahead(url: str) -> None:
    with connected(url) as one:
        one.sendall((HEAD + b"\r\n") * http_protocol.MAX_AHEAD)
        found = b""
        while found.count(b'"ok"') < http_protocol.MAX_AHEAD:
            found += one.recv(65536)


def test_who_reads_no_answers_is_cut_off(
    url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_S", 0.1)
    monkeypatch.setattr(http_protocol, "MAX_AHEAD", 10**9)
    is_cut_off(url, b"", b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", pause_s=0.005)
    assert '"bug"' not in capfd.readouterr().err


def test_who_reads_slowly_is_served(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_S", 0.2)
    with connected(url) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
        found = 0
        while found < 200_000:
            found += len(one.recv(16384))
    assert found >= 200_000
