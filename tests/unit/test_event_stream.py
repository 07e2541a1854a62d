"""Events as they are sent: gathered where they are quick, replaced by a comment where slow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from serving.routes import event_stream
from serving.routes.event_stream import Event, EventStream
from serving.routes.middleware import CLIENT_LEFT, Facts

PATIENCE_S = 60.0


class Said(BaseModel):
    text: str
    more: str | None = None


class Wire:
    """A connection: what is sent on it, and a client that leaves when told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.leave = asyncio.Event()
        self.facts = Facts("id")
        self.scope: Scope = {"type": "http", "state": {"facts": self.facts}}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def receive(self) -> Message:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    @property
    def chunks(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]


def answered(events: AsyncIterator[Event], heartbeat_s: float, leave: bool = False) -> Wire:
    async def answer() -> Wire:
        @asynccontextmanager
        async def opening() -> AsyncIterator[AsyncIterator[Event]]:
            yield events

        wire = Wire()
        task = asyncio.create_task(
            EventStream(opening, heartbeat_s)(wire.scope, wire.receive, wire.send)
        )
        if leave:
            while not wire.sent:
                await asyncio.sleep(0)
            wire.leave.set()
        await asyncio.wait_for(task, PATIENCE_S)
        return wire

    return asyncio.run(answer())


async def saying(texts: Sequence[str], pause_s: float = 0) -> AsyncIterator[Event]:
    for text in texts:
        await asyncio.sleep(pause_s)
        yield Event("said", Said(text=text))


def test_an_event_is_two_lines_and_a_blank_one() -> None:
    encoded = Event("said", Said(text="one\r\ntwo\u2028é")).encode()
    assert encoded == 'event: said\ndata: {"text":"one\\r\\ntwo\u2028é"}\n\n'.encode()


def test_what_is_quick_shares_a_chunk() -> None:
    wire = answered(saying(["a", "b", "c"]), PATIENCE_S)
    first, *_ = wire.chunks
    assert b"".join(wire.chunks) == b"".join(
        Event("said", Said(text=text)).encode() for text in "abc"
    )
    assert len(wire.chunks) <= 3
    assert wire.sent[-1]["more_body"] is False
    assert all(message["more_body"] for message in wire.sent[1:-1])
    assert b"a" in first


def test_silence_is_broken_by_comments() -> None:
    wire = answered(saying(["late"], pause_s=0.2), heartbeat_s=0.02)
    assert wire.chunks[0] == b":\n\n"
    assert b"late" in b"".join(wire.chunks)


def test_a_client_that_leaves_ends_it() -> None:
    wire = answered(saying(["never"], pause_s=10 * PATIENCE_S), PATIENCE_S, leave=True)
    assert wire.facts.status == CLIENT_LEFT
    assert wire.chunks == []


def test_what_is_raised_on_opening_is_raised() -> None:
    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncIterator[Event]]:
        raise KeyError("refused")
        yield saying([])

    async def answer() -> list[Message]:
        wire = Wire()
        with pytest.raises(KeyError):
            await EventStream(opening, 1)(wire.scope, wire.receive, wire.send)
        return wire.sent

    assert asyncio.run(answer()) == []


def test_who_leaves_before_it_begins_is_told_nothing() -> None:
    @asynccontextmanager
    async def opening() -> AsyncIterator[AsyncIterator[Event]]:
        await asyncio.sleep(PATIENCE_S)
        yield saying([])

    async def answer() -> None:
        wire = Wire()
        wire.leave.set()
        with pytest.raises(ClientDisconnect):
            await EventStream(opening, 1)(wire.scope, wire.receive, wire.send)

    asyncio.run(answer())


def test_gathering_waits_less_than_anybody_sees() -> None:
    assert event_stream.GATHER_S <= 0.05
