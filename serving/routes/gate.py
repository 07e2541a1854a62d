"""The first thing every route does: find out who is asking, and whether they may."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request

from serving.routes.middleware import Facts
from serving.service import Service
from serving.stores.access import Caller
from serving.stores.api_keys import Scope

KeyFinder = Callable[[Request], Awaitable[str | None]]
"""Where the clients of an interface put their key."""

OPEN: Final = frozenset(
    {
        "/livez",
        "/readyz",
        "/health",
        "/metrics",
        "/frontend/settings",  # tells a page whether a key is needed
        "/languages",
        "/spec",
        "/download_file/{name}",  # an address that nobody can guess
        "/",  # the page, which asks for a key where one is needed
        "/web/facts.json",
        "/web/{name}",
    }
)
"""Routes that need no key."""

SCOPE_BY_WORD: Final[dict[str, Scope]] = {  # the first that is part of a route decides
    "document": "documents",
    "file": "documents",
    "glossar": "glossaries",
    "memor": "memory",
    "suggest": "memory",
    "translate": "translate",
    "detect": "translate",
}


def admit(find_key: KeyFinder) -> Callable[[Request], Awaitable[None]]:
    """A dependency of routes: lets a request in, and notes whose it is.

    It raises KeyRequiredError, KeyRefusedError, ForbiddenError and RateLimitError.
    """

    async def let_in(request: Request) -> None:
        facts: Facts = request.state.facts
        service: Service = request.app.state.service
        route: str = request.scope["route"].path
        if route in OPEN or service.access.is_open:
            return
        facts.caller = await service.access.identify(await find_key(request))
        await service.access.enter(facts.caller)
        if (scope := scope_of(route)) is not None:
            facts.caller.require(scope)

    return let_in


def scope_of(route: str) -> Scope | None:
    """What a key must be for; None: any key will do."""
    if route.endswith(("/languages", "/usage")):
        return None
    return next((scope for word, scope in SCOPE_BY_WORD.items() if word in route), None)


async def header_key(request: Request) -> str | None:
    """`Authorization: Bearer KEY`, another client's word for it, or `X-API-Key: KEY`."""
    word, _, key = request.headers.get("authorization", "").partition(" ")
    if word.lower() in ("bearer", "deepl-auth-key") and key.strip():
        return key.strip()
    return request.headers.get("x-api-key")


def caller_of(request: Request) -> Caller:
    """Whose request it is."""
    facts: Facts = request.state.facts
    return facts.caller


async def asking_caller(request: Request) -> Caller:
    """The same for FastAPI; see `dispatch.asked_service`."""
    return caller_of(request)
