"""A proxy on loopback that cuts connections after so many bytes of an answer."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: leave nothing behind, not even a farewell


@dataclass
class CuttingProxy:
    """cuts: for each connection in turn, bytes of answers until it ends; then nothing is cut.

    reset: end it as a killed machine does, rather than as a stopped process.
    """

    server: str
    cuts: list[int] = field(default_factory=list)
    reset: bool = False
    connections: int = 0
    address: str = ""

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            left = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self._pass_on, args=(client, left), daemon=True).start()

    def _pass_on(self, client: socket.socket, left: int | None) -> None:
        to = urlsplit(self.server)
        with socket.create_connection((to.hostname or "", to.port or 0)) as server:
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            with suppress(OSError):
                while data := server.recv(1 << 16):
                    if left is not None and len(data) > left:
                        client.sendall(data[:left])
                        break
                    left = None if left is None else left - len(data)
                    client.sendall(data)
        if self.reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RD) if self.reset else client.shutdown(socket.SHUT_RDWR)
        client.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


@contextmanager
def cutting(server: str, cuts: list[int], reset: bool = False) -> Iterator[CuttingProxy]:
    """Run until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = CuttingProxy(server, cuts, reset)
        proxy.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=proxy.serve, args=(listening,))
        thread.start()
        try:
            yield proxy
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
