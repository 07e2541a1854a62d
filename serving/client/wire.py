"""Calls and answers as httpx has them, for both clients."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from serving.client.calls import Connection
from serving.client.exchange import Lost, Reply, Send

CONNECT_S = 10.0
SILENCE_S = 60.0  # of a stream; the server gives a sign of life every ten seconds


def settings(connection: Connection) -> dict[str, Any]:
    """Arguments of httpx's clients."""
    return {
        "base_url": connection.server,
        "headers": connection.headers,
        "timeout": SILENCE_S,
        "follow_redirects": False,
    }


def request(effect: Send) -> dict[str, Any]:
    """Arguments of `build_request`."""
    call, seconds = effect.call, max(effect.timeout_s, 0.001)
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_S, seconds))
    return {
        "method": call.method,
        "url": call.path,
        "json": call.body,
        "data": dict(call.form) or None,
        "files": {"file": call.file} if call.file else None,
        "params": dict(call.query) or None,
        "headers": {"X-Request-ID": effect.request_id},
        "timeout": timeout,
    }


def before(until: float, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks of an answer, as long as time is left: httpx limits the wait for each only.

    Raises:
        httpx.ReadTimeout: the time is over.
    """
    for chunk in chunks:
        if time.monotonic() > until:
            raise httpx.ReadTimeout("late")
        yield chunk


def lost(error: httpx.TransportError) -> Lost:
    """What a broken exchange means."""
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Lost(sent=not unsent, timed_out=isinstance(error, httpx.TimeoutException))


def is_opened(effect: Send, response: httpx.Response) -> bool:
    """Whether the body is a stream that its caller will read."""
    return effect.call.stream and response.is_success


def reply(response: httpx.Response, content: bytes) -> Reply:
    """An answer that has been read."""
    return Reply(response.status_code, response.headers, content)


def opened(response: httpx.Response) -> Reply:
    """An answer whose body is still to be read."""
    return Reply(response.status_code, response.headers, opened=response)
