"""What a dialect is: routes, the addresses it owns, and how it writes an error."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http_errors import ErrorWriter, Kind
from serving.routes.gate import KeyFinder, header_key


def plain_status(kind: Kind) -> int:
    """400 for every request that is wrong in itself: other services make no finer difference."""
    return 400 if kind.slug in ("input", "invalid", "unknown-model") else kind.status


@dataclass(frozen=True)
class Dialect:
    """One interface beside the native one.

    owns: whether an address is this dialect's, its errors too; parameters: what its routes read by
    themselves, for OpenAPI; takes_files: addresses whose bodies may be larger than others';
    find_key: where its clients put their API key; open_to_browsers: pages of other origins may
    call it (CORS).
    """

    router: APIRouter
    owns: Callable[[str], bool]
    write_error: ErrorWriter
    parameters: tuple[type[BaseModel], ...]
    takes_files: tuple[str, ...] = ()
    find_key: KeyFinder = header_key
    open_to_browsers: bool = False


class OpenToBrowsers:
    """Cross-origin requests to some addresses are answered, preflights too; no cookies."""

    def __init__(self, app: ASGIApp, owns: Callable[[str], bool]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"]
        )
        self._owns = owns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, through the policy where the address is a dialect's."""
        owned = scope["type"] == "http" and self._owns(scope["path"])
        await (self._open if owned else self._app)(scope, receive, send)
