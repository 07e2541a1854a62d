"""A response of server-sent events, as browsers and others read them (WHATWG HTML, 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.dispatch import unless_disconnected
from serving.routes.middleware import CLIENT_LEFT

GATHER_S = 0.02  # after a chunk, so that quick events share the next: each costs Ray's proxy a hop
HEARTBEAT = b":\n\n"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}

Opening = Callable[[], AbstractAsyncContextManager[AsyncIterator["Event"]]]
Queue = asyncio.Queue["Event | None"]


@dataclass(frozen=True)
class Event:
    """One event: its name, and what its data says in JSON."""

    name: str
    body: BaseModel

    def encode(self) -> bytes:
        """As it is sent; JSON has no line breaks of its own."""
        return (
            f"event: {self.name}\ndata: {self.body.model_dump_json(exclude_none=True)}\n\n".encode()
        )


class EventStream(Response):
    """Sends events as they come, and a comment where none came for `heartbeat_s`.

    `opening` gives them; what it raises on entering is answered as any error is, since nothing has
    been sent yet. It is left as soon as the client is gone.
    """

    media_type = "text/event-stream"

    def __init__(self, opening: Opening, heartbeat_s: float) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._opening = opening
        self._heartbeat_s = heartbeat_s
        self._began = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose body has been read."""
        request = Request(scope, receive)
        try:
            await unless_disconnected(request, self._send_all(send))
        except ClientDisconnect:
            if not self._began:
                raise
            request.state.facts.status = CLIENT_LEFT

    async def _send_all(self, send: Send) -> None:
        async with self._opening() as events:
            self._began = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            queue: Queue = asyncio.Queue()
            reading = asyncio.create_task(_read(events, queue))
            try:
                await self._send_chunks(queue, send)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_chunks(self, queue: Queue, send: Send) -> None:
        more = True
        while more:
            found = await self._ready(queue)
            more = None not in found
            chunk = b"".join(event.encode() for event in found if event) if found else HEARTBEAT
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(GATHER_S * more)

    async def _ready(self, queue: Queue) -> list[Event | None]:
        """All events that are there, at least one; none where it takes too long."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                found = [await queue.get()]
        except TimeoutError:
            return []
        while not queue.empty():
            found.append(queue.get_nowait())
        return found


async def _read(events: AsyncIterator[Event], queue: Queue) -> None:
    """Move events into a queue, and None after the last."""
    try:
        async for event in events:
            queue.put_nowait(event)
    finally:
        queue.put_nowait(None)
