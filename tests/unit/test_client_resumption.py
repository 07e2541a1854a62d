"""What is asked for again after a stream broke off, and what is passed over then."""

from typing import Any

import pytest

from serving.client import Done, OverloadedError, Retries, Sentence, UnreachableError
from serving.client.answers import Event
from serving.client.exchange import Reply, Send, Wait
from serving.client.resumption import ResumedStream

RETRIES = Retries(attempts=3, first_wait_s=1.0, chance=lambda: 0.0)
DONE = (
    b'event: done\ndata: {"model":"m","usage":{"source_tokens":1,"output_tokens":1,'
    b'"characters":1}}\n\n'
)
DRAINED = b'event: error\ndata: {"type":"a:unavailable","status":503,"detail":"stopping"}\n\n'


def piece(item: int, sentence: int, text: str) -> bytes:
    data = f'{{"item":{item},"sentence":{sentence},"before":"","text":"{text}","after":""}}'
    return f"event: sentence\ndata: {data}\n\n".encode()


def stream(*texts: str) -> ResumedStream:
    return ResumedStream(texts, "en", "fr", {"model": "m"}, RETRIES)


def opened(stream: ResumedStream) -> tuple[list[Any], list[float]]:
    """The texts that are asked for, and the waits before."""
    steps, waits = stream.open(), []
    effect = next(steps)
    while isinstance(effect, Wait):
        waits.append(effect.seconds)
        effect = steps.send(None)
    assert isinstance(effect, Send)
    assert effect.call.body is not None
    with pytest.raises(StopIteration):
        steps.send(Reply(200, {}, opened=object()))
    body = dict(effect.call.body)
    asked: Any = body.pop("text")
    assert body == {"source": "fr", "target": "en", "model": "m"}
    return asked, waits


def said(events: list[Event]) -> list[Any]:
    return [
        (one.item, one.text) if isinstance(one, Sentence) else type(one).__name__ for one in events
    ]


def test_what_is_left_is_asked_for_and_what_is_known_passed_over() -> None:
    one = stream("a", "b", "c")
    assert opened(one) == (["a", "b", "c"], [])
    found = list(one.feed(piece(0, 0, "A") + piece(1, 0, "B") + piece(1, 1, "B2") + b"event: se"))
    assert opened(one) == (["b", "c"], [1.0])
    found += one.feed(piece(0, 0, "B") + piece(0, 1, "B2"))
    assert not one.is_done
    assert opened(one) == (["b", "c"], [2.0])  # nothing new came: a longer wait
    found += one.feed(piece(0, 0, "B") + piece(0, 1, "B2") + piece(0, 2, "B3") + piece(1, 0, "C"))
    assert opened(one) == (["c"], [1.0])
    found += one.feed(piece(0, 0, "C") + DONE)
    assert one.is_done
    assert said(found) == [(0, "A"), (1, "B"), (1, "B2"), (1, "B3"), (2, "C"), "Done"]
    assert isinstance(found[-1], Done)


def test_a_server_that_says_something_else_now() -> None:
    one = stream("a")
    opened(one)
    assert len(list(one.feed(piece(0, 0, "A")))) == 1
    opened(one)
    with pytest.raises(UnreachableError, match="goes otherwise"):
        list(one.feed(piece(0, 0, "B")))


def test_after_all_tries_the_last_problem_is_told() -> None:
    one = stream("a")
    for _ in range(RETRIES.attempts):
        opened(one)
        assert list(one.feed(b"")) == []
    with pytest.raises(UnreachableError, match="broke off"):
        next(one.open())
    one = stream("a")
    for _ in range(RETRIES.attempts):
        opened(one)
        assert list(one.feed(DRAINED)) == []
    with pytest.raises(OverloadedError, match="stopping"):
        next(one.open())
