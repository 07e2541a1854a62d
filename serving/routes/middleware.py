"""What happens to every HTTP request before and after its route, as plain ASGI."""

import asyncio
import re
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry.trace import Span
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt import log
from serving import http_errors
from serving.http_errors import ErrorWriter, Failure, Kind
from serving.running.passage import WITNESS
from serving.service import Service
from serving.stores.access import ANYBODY, Caller
from serving.tracing import NO_TRACING, describe, trace_id

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = frozenset({"/livez", "/readyz", "/metrics", "/health"})  # asked by machines, all the time
CLIENT_LEFT = 499  # nginx's number for an answer that nobody waited for

ENCODED = Kind(415, "encoded", "The body is encoded")
TOO_LARGE = Kind(413, "too-large", "The body is too large")
TOO_SLOW = Kind(408, "too-slow", "The body came too slowly")


@dataclass
class Facts:
    """What is known about a request beside its text. Metrics and the log learn no caller."""

    request_id: str
    model: str = ""
    pair: str = ""
    write_error: ErrorWriter = http_errors.problem
    caller: Caller = ANYBODY
    status: int = CLIENT_LEFT
    started: float = field(default_factory=time.perf_counter)
    has_begun: bool = False
    """Whether a first sentence of a stream has been given."""

    @property
    def age_s(self) -> float:
        """Since the first byte of the request."""
        return time.perf_counter() - self.started


class Observe:
    """Give each request an id, count it, log it, and answer what nobody foresaw."""

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        echo_request_id: bool,
        writer_at: Callable[[str], ErrorWriter],
    ) -> None:
        """`writer_at` knows who writes the errors of a path."""
        self._app = app
        self._service = service
        self._writer_at = writer_at
        self._echo_request_id = echo_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        tracing = NO_TRACING if scope["path"] in QUIET else self._service.tracing
        facts = Facts(_request_id(headers), write_error=self._writer_at(scope["path"]))
        scope.setdefault("state", {})["facts"] = facts
        with tracing.request(scope["method"], headers.get("traceparent")) as span:
            witnessing = WITNESS.set(tracing.witness(span, self._service.metrics.passed))
            try:
                await self._answer(facts, scope, receive, send)
            finally:
                WITNESS.reset(witnessing)
                self._record(scope, facts, span)

    async def _answer(self, facts: Facts, scope: Scope, receive: Receive, send: Send) -> None:
        counted = not self._service.draining  # later ones are refused and must not delay the end
        self._service.in_flight += counted
        send = self._noting(facts, send)
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            log.event("bug", request_id=facts.request_id, **where(error))
            if facts.status == CLIENT_LEFT:  # nothing was answered yet
                answer = http_errors.from_bug(facts.request_id, facts.write_error)
                await answer(scope, receive, send)
        finally:
            self._service.in_flight -= counted

    def _noting(self, facts: Facts, send: Send) -> Send:
        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(await self._service.access.headers(facts.caller))
                if self._echo_request_id:
                    headers["X-Request-ID"] = facts.request_id
            await send(message)

        return send_noted

    def _record(self, scope: Scope, facts: Facts, span: Span) -> None:
        route = getattr(scope.get("route"), "path", "other")
        seconds = facts.age_s
        self._service.metrics.observe(facts.model, facts.pair, route, facts.status, seconds)
        known = {"request_id": facts.request_id, "model": facts.model}
        describe(span, scope["method"], route, facts.status, **known, pair=facts.pair)
        if route not in QUIET:
            if found := trace_id(span):
                known["trace_id"] = found
            log.event(
                "request", **known, route=route, status=facts.status, seconds=round(seconds, 4)
            )


class ReadBody:
    """Read the whole body before anyone parses it, within a size and a time."""

    def __init__(self, app: ASGIApp, max_bytes_at: Callable[[str], int], timeout_s: float) -> None:
        """`max_bytes_at` knows how large the body for a path may be."""
        self._app = app
        self._max_bytes_at = max_bytes_at
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body in one piece, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, most = Headers(scope=scope), self._max_bytes_at(scope["path"])
        if headers.get("content-encoding", "identity") != "identity":
            await self._refuse(ENCODED, "send it as it is, not compressed", scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._read(headers, receive, most)
        except _TooLargeError:
            detail = f"at most {most} bytes; send the texts in several requests"
            await self._refuse(TOO_LARGE, detail, scope, receive, send)
        except TimeoutError:
            detail = f"the whole body must arrive within {self._timeout_s:g} seconds"
            await self._refuse(TOO_SLOW, detail, scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive, most: int) -> bytes | None:
        """The body, or None where the client left before its end."""
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > most:
            raise _TooLargeError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise _TooLargeError
            if not message.get("more_body", False):
                return bytes(body)

    async def _refuse(
        self, kind: Kind, detail: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        facts: Facts = scope["state"]["facts"]
        # A large body is left to the server to discard: closing now would reset the connection
        # before a client that is still sending has read the answer.
        headers = {"Connection": "close"} if kind is TOO_SLOW else None
        answer = facts.write_error(Failure(kind, detail, facts.request_id, headers=headers))
        await answer(scope, receive, send)


class _TooLargeError(Exception):
    pass


def _request_id(headers: Headers) -> str:
    """The client's id where it is harmless, else a new one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, then what the server has to say (a disconnect)."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def where(error: Exception) -> dict[str, object]:
    """Type and place of an exception, without its message, which may quote the text."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
