"""The decisions of the client: when it tries again, how long it waits, what an answer means."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from mt.errors import ConfigError
from serving.client import (
    FailedError,
    ForbiddenError,
    KeyRefusedError,
    NotFoundError,
    OverloadedError,
    ProblemError,
    QuotaError,
    RefusedError,
    Retries,
    TimedOutError,
    UnreachableError,
)
from serving.client.calls import Connection
from serving.client.events import EventReader
from serving.client.exchange import Call, Lost, Reply, Send, Wait, exchange, retry_after_s

PURE = Call("POST", "/v1/translate")
ONCE = Call("POST", "/v1/documents", resend=False)
OK = Reply(200, {}, b"{}")
PROBLEM = {"content-type": "application/problem+json"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(call: Call, outcomes: Sequence[Reply | Lost], **retries: Any) -> tuple[Reply, list[float]]:
    """The answer, and the seconds waited before each further try; chance is the longest wait."""
    clock, waits = Clock(), []
    given: Any = {"clock": clock, "chance": lambda: 0.0} | retries
    steps = exchange(call, Retries(**given))
    remaining, outcome = iter(outcomes), None
    try:
        while True:
            effect = steps.send(outcome)
            if isinstance(effect, Wait):
                waits.append(effect.seconds)
                clock.now += effect.seconds
                outcome = None
            else:
                assert isinstance(effect, Send)
                outcome = next(remaining)
    except StopIteration as end:
        assert next(remaining, None) is None
        return end.value, waits


def problem(status: int, kind: str = "", **headers: str) -> Reply:
    body = f'{{"type":"urn:seq2serve:problem:{kind}","detail":"no","request_id":"r1"}}'
    return Reply(status, PROBLEM | headers, body.encode())


def test_waits_double_up_to_the_longest() -> None:
    answer, waits = run(PURE, [problem(503)] * 5 + [OK], attempts=6, longest_wait_s=3)
    assert answer is OK
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_chance_takes_up_to_half_a_wait() -> None:
    assert Retries(chance=lambda: 1.0).wait_s(3, None) == 1.0
    assert Retries(chance=lambda: 1.0).wait_s(1, 10.0) == 11.0


@pytest.mark.parametrize(
    ("outcome", "resent"),
    [
        (problem(429, "overloaded"), "always"),
        (problem(503, "unavailable"), "always"),
        (Lost(sent=False), "always"),
        (Reply(503, {}), "harmless"),
        (Lost(sent=True), "harmless"),
        (Lost(sent=True, timed_out=True), "harmless"),
        *((problem(status), "harmless") for status in (408, 500, 504)),
        *((Reply(status, {}), "harmless") for status in (404, 408, 500, 502, 504)),
        *((problem(status), "never") for status in (400, 401, 403, 404, 409, 413, 415, 422)),
        (Reply(302, {}), "never"),
        (Reply(501, {}), "never"),
    ],
)
@pytest.mark.parametrize("call", [PURE, ONCE], ids=["pure", "once"])
def test_what_is_sent_again(call: Call, outcome: Reply | Lost, resent: str) -> None:
    if resent == "always" or (resent == "harmless" and call.resend):
        assert run(call, [outcome, OK])[0] is OK
    else:
        with pytest.raises((ProblemError, UnreachableError, TimedOutError)):
            run(call, [outcome])


def test_the_server_says_when() -> None:
    late = problem(429, "overloaded", **{"retry-after": "7"})
    assert run(PURE, [late, OK])[1] == [7.0]


def test_a_date_may_say_when() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    date = {"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}
    assert retry_after_s(date, now) == 30.0
    assert retry_after_s({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, now) == 0.0
    assert retry_after_s({"retry-after": "soon"}, now) is None
    assert retry_after_s({"retry-after": "-3"}, now) is None
    assert retry_after_s({}, now) is None


def test_what_would_come_too_late_is_not_waited_for() -> None:
    late = problem(429, "quota", **{"retry-after": "86400"})
    with pytest.raises(QuotaError) as raised:
        run(PURE, [late])
    assert raised.value.retry_after_s == 86400


def test_the_last_try_says_what_is_wrong() -> None:
    with pytest.raises(UnreachableError):
        run(PURE, [problem(500), Lost(sent=False)], attempts=2)
    with pytest.raises(TimedOutError, match="no answer in time"):
        run(PURE, [Lost(sent=True, timed_out=True)], attempts=1)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "broken-json", RefusedError),
        (422, "invalid", RefusedError),
        (401, "key-required", KeyRefusedError),
        (403, "forbidden", ForbiddenError),
        (404, "unknown-model", NotFoundError),
        (429, "quota", QuotaError),
        (429, "overloaded", OverloadedError),
        (503, "unavailable", OverloadedError),
        (500, "engine", FailedError),
        (504, "deadline", FailedError),
    ],
)
def test_a_problem_becomes_an_error(status: int, kind: str, error: type[ProblemError]) -> None:
    with pytest.raises(error) as raised:
        run(PURE, [problem(status, kind)], attempts=1)
    found = raised.value
    assert (found.status, found.kind, found.request_id) == (status, kind, "r1")
    assert str(found) == f"no (HTTP {status}, request r1)"


def test_wrong_fields_are_named() -> None:
    body = b'{"type":"x:invalid","detail":"1 wrong field","request_id":"r","errors":' \
        b'[{"pointer":"/beam_size","message":"too large"}]}'  # fmt: skip
    with pytest.raises(RefusedError, match="1 wrong field; /beam_size: too large") as raised:
        run(PURE, [Reply(422, PROBLEM, body)])
    assert raised.value.errors[0].pointer == "/beam_size"


@pytest.mark.parametrize("content", [b"<html>", b"[1]", b'{"errors": 3}'])
def test_an_answer_of_another_server_is_an_error_too(content: bytes) -> None:
    with pytest.raises(RefusedError, match=r"HTTP 422"):
        run(PURE, [Reply(422, PROBLEM, content)])
    with pytest.raises(FailedError, match=r"Not Implemented \(HTTP 501"):
        run(PURE, [Reply(501, {}, content)])


def test_a_call_keeps_its_id_and_the_time_that_is_left() -> None:
    clock = Clock()
    steps = exchange(PURE, Retries(timeout_s=10, clock=clock, chance=lambda: 0.0))
    first = next(steps)
    clock.now = 4.0
    steps.send(problem(503))
    second = steps.send(None)
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert first.request_id == second.request_id
    assert (first.timeout_s, second.timeout_s) == (10.0, 6.0)


def test_who_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SERVE_SERVER", raising=False)
    monkeypatch.setenv("SEQ2SERVE_API_KEY", "secret")
    with pytest.raises(ConfigError, match="SEQ2SERVE_SERVER"):
        Connection.of(None, None, Retries())
    monkeypatch.setenv("SEQ2SERVE_SERVER", "http://here:1/")
    found = Connection.of(None, None, Retries())
    assert (found.server, found.headers) == ("http://here:1", {"Authorization": "Bearer secret"})
    other = Connection.of("https://there", "mine", Retries())
    assert (other.server, other.headers["Authorization"]) == ("https://there", "Bearer mine")


def test_events_in_chunks_of_any_size() -> None:
    stream = (
        ':\n\nevent: sentence\ndata: {"item":0,"sentence":0,"before":"","text":"é\u2028a",'
        '"after":"\\n"}\n\nevent: news\ndata: 1\n\nevent: warnings\ndata: {"item":0,'
        '"warnings":["odd"],"later":1}\n\nevent: done\ndata: {"model":"m","usage":'
        '{"source_tokens":1,"output_tokens":1,"characters":3}}\n\n'
    ).encode()
    whole = list(EventReader().feed(stream))
    reader = EventReader()
    assert [one for i in range(len(stream)) for one in reader.feed(stream[i : i + 1])] == whole
    assert [type(one).__name__ for one in whole] == ["Sentence", "Warnings", "Done"]
    assert whole[0].text == "é\u2028a"  # type: ignore[union-attr]


def test_events_before_an_error_are_read() -> None:
    warnings = b'event: warnings\ndata: {"item":0,"warnings":["odd"]}\n\n'
    error = b'event: error\ndata: {"type":"a:engine","status":500,"detail":"no"}\n\n'
    events = EventReader().feed(warnings + error)
    assert type(next(events)).__name__ == "Warnings"
    with pytest.raises(FailedError, match="no"):
        next(events)
