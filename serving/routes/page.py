"""The page for people at /: its files, and the policy under which a browser may run them."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from serving.dispatch import asked_service
from serving.file_formats import ENDINGS
from serving.schemas import Body
from serving.service import Service

FRONT = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # text can never become markup
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # ask each time; the ETag makes that cheap
}

router = APIRouter(include_in_schema=False)


class PageFacts(Body):
    """What the page must know of this server before it can help."""

    max_text_chars: int
    max_candidates: int
    max_file_bytes: int
    file_endings: list[str]


@router.api_route("/", methods=["GET", "HEAD"])
async def front(request: Request) -> Response:
    """The page."""
    return _file(FRONT, request)


@router.get("/web/facts.json")
async def facts(service: Annotated[Service, Depends(asked_service)]) -> PageFacts:
    """Limits of this server."""
    settings = service.settings
    return PageFacts(
        max_text_chars=settings.limits.max_text_chars,
        max_candidates=min(settings.limits.max_n_best, settings.limits.max_beam_size),
        max_file_bytes=settings.documents.max_bytes,
        file_endings=list(ENDINGS),
    )


@router.api_route("/web/{name}", methods=["GET", "HEAD"])
async def asset(name: str, request: Request) -> Response:
    """A file that the page needs."""
    return _file(name, request)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Content and ETag of each file, by name."""
    found = {}
    for one in (files("serving") / "web").iterdir():
        if PurePath(one.name).suffix in MEDIA_TYPES:
            content = one.read_bytes()
            found[one.name] = content, f'"{sha256(content).hexdigest()[:32]}"'
    return found


def _file(name: str, request: Request) -> Response:
    if name not in _files():
        raise HTTPException(404, "Not Found")
    content, etag = _files()[name]
    headers = HEADERS | {"ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[PurePath(name).suffix])
