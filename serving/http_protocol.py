"""What the embedded server does with clients that come too slowly, or too large, before any route.

uvicorn by itself waits for ever for the rest of a request's head and for a client that does not
read its answer, takes heads of any size, and queues as many requests as one connection sends ahead.
The body has its deadline in `routes.middleware`.
"""

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 65_536
MAX_AHEAD = 32  # requests sent before the answer to the one under way; few clients send any
STALLED_S = 30.0  # without a byte read of an answer


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's, with limits; `head_timeout_s` is set in a subclass, see `patience`."""

    head_timeout_s: float

    _deadline: asyncio.TimerHandle | None = None
    _reader_watch: asyncio.TimerHandle | None = None
    _started: RequestResponseCycle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head of a first request is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._forget_deadline()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a head, or of a body; between requests nobody may send for ever."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_answering:
            self._forget_deadline()
        elif self._deadline is None:
            self._await_head()
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._cut_off()

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The last byte of a head."""
        self._in_head = False
        super().on_headers_complete()
        if len(self.pipeline) > MAX_AHEAD:
            self._cut_off()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: see that it reads at all."""
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does."""
        self._stop_watching()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._started = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_timeout_s, self._cut_off)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut_off(self) -> None:
        """Without an answer: who behaves like this reads none."""
        if self._started is not None:
            self._started.disconnected = True  # or it would write to what is closed
        self.pipeline.clear()
        self.transport.abort()

    def _watch_reader(self, unread: int) -> None:
        self._reader_watch = self.loop.call_later(STALLED_S, self._check_reader, unread)

    def _stop_watching(self) -> None:
        if self._reader_watch is not None:
            self._reader_watch.cancel()
            self._reader_watch = None

    def _check_reader(self, unread: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= unread:
            self._cut_off()
        else:
            self._watch_reader(left)


def patience(head_timeout_s: float) -> type[PatientProtocol]:
    """The protocol of connections whose heads must come within so many seconds."""
    return type("PatientProtocol", (PatientProtocol,), {"head_timeout_s": head_timeout_s})
