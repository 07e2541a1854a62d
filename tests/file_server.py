"""A web server of files on loopback that can misbehave in all the ways downloads must survive."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What to serve and how to misbehave; lists are used up, one entry for each request."""

    files: dict[str, bytes] = field(default_factory=dict)
    address: str = ""
    understands_ranges: bool = True
    refuses_ranges: bool = False  # with 416
    resumes_at: int | None = None  # at this byte, whatever was asked for
    statuses: list[int] = field(default_factory=list)  # errors before it works
    cut_after: list[int] = field(default_factory=list)  # bytes of the body, then hang up
    stall_after: list[int] = field(default_factory=list)  # bytes of the body, then silence
    ranges: list[str | None] = field(default_factory=list)  # what was asked for
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Run until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, server)

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{httpd.server_port}/"
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, server: FileServer) -> None:
    asked = handler.headers.get("Range")
    server.ranges.append(asked)
    data = server.files.get(handler.path.removeprefix("/"))
    if server.statuses or data is None or (asked and server.refuses_ranges):
        status = server.statuses.pop(0) if server.statuses else 404 if data is None else 416
        handler.send_error(status)
        return
    start = 0
    if asked and server.understands_ranges:
        start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1))  # type: ignore[union-attr]
        start = start if server.resumes_at is None else server.resumes_at
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    else:
        handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) - start))
    handler.end_headers()
    send(handler, server, data[start:])


def send(handler: BaseHTTPRequestHandler, server: FileServer, body: bytes) -> None:
    if server.cut_after:
        body = body[: server.cut_after.pop(0)]
    if server.stall_after:
        handler.wfile.write(body[: server.stall_after.pop(0)])
        handler.wfile.flush()
        server.released.wait(20)  # until the test is over: the client must give up before
        return
    handler.wfile.write(body)
