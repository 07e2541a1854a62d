"""Sockets that send half a request, or read no answer, and never the rest: they are cut off."""

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread
from typing import Any, cast

from tests.e2e.faults import load
from tests.e2e.faults.load import Tally, milliseconds
from tests.e2e.faults.served import Resources, echo_server

HALVES = (
    b"",
    b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b'Content-Length: 500\r\n\r\n{"text": "Je',
    b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n\r\n",  # a whole one, and the beginning of another
)
DRIP_S = 1.0


@dataclass(frozen=True)
class SlowLoris:
    """What was seen."""

    closed_after: Sequence[float]
    """Seconds until each socket was closed by the server; infinite where it was not."""
    alone: Tally
    """Healthy clients before the slow ones came."""
    beside: Tally
    """And beside them."""
    before: Resources
    after: Resources

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "sockets": len(self.closed_after),
            "closed_after_at_most_s": round(max(self.closed_after), 2),
            "alone_p99_ms": milliseconds(self.alone.answered, 99),
            "beside": self.beside.report(),
            "before": self.before.report(),
            "after": self.after.report(),
        }


def slow_loris(sockets: int, patience_s: float, load_s: float, **limits: Any) -> SlowLoris:
    """Hold so many sockets until the server closes them, while healthy clients ask for a while."""
    with echo_server(busy=100, limits=limits) as server, ExitStack() as stack:
        load.run(server.url, lambda crowd: crowd.closed(2, 1.0))  # warm
        alone = load.run(server.url, lambda crowd: crowd.closed(2, load_s))
        before = Resources.of(server.process.pid)
        opened = [stack.enter_context(_half(server.port, n)) for n in range(sockets)]
        waits: list[float] = []
        waiter = Thread(target=lambda: waits.extend(_until_closed(opened, patience_s)))
        waiter.start()
        beside = load.run(server.url, lambda crowd: crowd.closed(2, load_s))
        waiter.join()
        return SlowLoris(waits, alone, beside, before, Resources.after(server.process.pid, before))


def _half(port: int, number: int) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=30)
    one.sendall(HALVES[number % len(HALVES)])
    one.setblocking(False)
    return one


def _until_closed(sockets: Sequence[socket.socket], patience_s: float) -> list[float]:
    """Seconds until each was closed. A byte now and then keeps them looking alive until then."""
    began = dripped = time.perf_counter()
    waits = dict.fromkeys(sockets, float("inf"))
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map() and time.perf_counter() - began < patience_s:
            for key, _ in selector.select(DRIP_S):
                one = cast(socket.socket, key.fileobj)
                if _is_closed(one):
                    selector.unregister(one)
                    waits[one] = time.perf_counter() - began
            if time.perf_counter() - dripped > DRIP_S:
                dripped = time.perf_counter()
                for key in selector.get_map().values():
                    with contextlib.suppress(OSError):  # the next turn sees that it was closed
                        cast(socket.socket, key.fileobj).send(b"a")
    return list(waits.values())


def _is_closed(one: socket.socket) -> bool:
    try:
        return one.recv(65536) == b""
    except OSError:
        return True
