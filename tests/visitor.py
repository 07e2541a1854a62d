"""A visitor whose every text, file, name and address is marked, so that each can be looked for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

TEXT, FILE, TERM, ADDRESS = "Geheimnis", "vertraulich", "Verschwiegenes", "203.0.113.77"
MARKS = (TEXT, FILE, TERM, ADDRESS)
HEADERS = {
    "X-Forwarded-For": ADDRESS,
    "Forwarded": f"for={ADDRESS}",
    "X-Real-IP": ADDRESS,
    "User-Agent": TEXT,
    "Referer": f"https://{TEXT}.example/",
    "Cookie": f"a={TEXT}",
    "traceparent": TEXT,
    "X-Request-ID": f"{TEXT} !",
}
BODIES: tuple[dict[str, Any], ...] = (
    {"json": {"text": TEXT, "q": TEXT, "source": "fr", "target": "en", "target_lang": "EN-GB"}},
    {"json": {"text": [TEXT], "q": [TEXT, TEXT], "source": "auto", "target": "en", "to": "en"}},
    {"json": {"text": [f"{TEXT}\0"], "q": f"{TEXT}\0", "source": "fr", "target": "en"}},
    {"json": {"name": TERM, "source": TEXT, "target": TEXT, "entries": {TERM: TEXT}}},
    {"json": {TEXT: TEXT, "source": TEXT, "target": [TEXT], "beam_size": TEXT}},
    {"content": f'{{"text": "{TEXT}'.encode(), "headers": {"Content-Type": "application/json"}},
    {"data": {"q": TEXT, "text": TEXT, "source": "fr", "target": "en", "target_lang": "EN-GB"}},
    {"data": {"source": "fr", "target": "en"}, "files": {"file": (f"{FILE}.txt", TEXT.encode())}},
    {"data": {TEXT: TEXT}, "files": {"file": (f"{FILE}.docx", TEXT.encode())}},
    {"content": TEXT.encode(), "headers": {"Content-Type": TEXT}},
)


def addresses(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each operation of an OpenAPI document's paths, its parameters filled in, and two unknown."""
    yield from (("post", f"/{TEXT}"), ("get", f"/v1/{TEXT}?{TEXT}={TEXT}"))
    for path, operations in paths.items():
        filled = re.sub(r"{[^}]*}", TEXT, path)
        yield from ((method, f"{filled}?q={TEXT}&text={TEXT}") for method in operations)


def visits(
    paths: Mapping[str, Mapping[str, Any]], credentials: tuple[str, ...]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and what httpx is to send, for every operation, body and `Authorization`."""
    for method, address in addresses(paths):
        for body in BODIES if method in ("post", "put", "patch") else ({},):
            for shown in credentials:
                headers = HEADERS | body.get("headers", {}) | {"Authorization": shown}
                yield method, address, body | {"headers": headers}


def visit(url: str, timeout_s: float, echoed: str = "") -> None:
    """Send all this to a server; no answer that refuses tells a mark back, but for one header."""
    with httpx.Client(base_url=url, timeout=timeout_s) as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert len(paths) > 10
        for method, address, sent in visits(paths, ("",)):
            response = client.request(method, address, **sent)
            if response.status_code >= 400:
                response.headers.pop(echoed, None)
                said = response.text + str(response.headers)
                assert not [mark for mark in MARKS if mark in said], (method, address)


def left_behind(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names of the texts that hold a mark, with it."""
    return [(name, mark) for name, text in texts.items() for mark in MARKS if mark in text]
