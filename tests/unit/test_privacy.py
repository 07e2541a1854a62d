"""No text, key or address in logs, metrics or errors: all is marked, sent, and looked for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.stores.api_keys import ApiKeys
from tests.app_client import AppClient, open_app

TEXT, FILE, TERM, ADDRESS = "Geheimnis", "vertraulich", "Verschwiegenes", "203.0.113.77"
DIALECTS = ["libretranslate", "deepl", "google", "opus"]
VISITOR = {
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


@pytest.fixture
def key(tmp_path: Path) -> str:
    keys = ApiKeys(tmp_path)
    made = keys.create(TERM)
    keys.close()
    return made


@pytest.fixture
def client(tmp_path: Path, key: str) -> Iterator[AppClient]:
    settings = {"dialects": DIALECTS, "data_dir": str(tmp_path), "memory": {"suggestions": True}}
    with open_app(**settings) as opened:
        yield opened


def addresses(client: AppClient) -> list[tuple[str, str]]:
    """Each operation of the OpenAPI document, its parameters filled in, and some that are not."""
    found = [("post", f"/{TEXT}"), ("get", f"/v1/{TEXT}?{TEXT}={TEXT}")]
    for path, operations in client.app.openapi()["paths"].items():
        filled = re.sub(r"{[^}]*}", TEXT, path)
        found += [(method, f"{filled}?q={TEXT}&text={TEXT}") for method in operations]
    return found


def test_nothing_of_a_visitor_stays(
    client: AppClient, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = key.rpartition("_")[2]
    refused = []
    for method, address in addresses(client):
        for body in BODIES if method in ("post", "put", "patch") else ({},):
            for shown in (f"Bearer {key}", f"DeepL-Auth-Key {key[:-1]}0", ""):
                headers = VISITOR | body.get("headers", {}) | {"Authorization": shown}
                response = send(client, method, address, body | {"headers": headers})
                if response.status_code >= 400:
                    refused.append(response)
    assert {400, 401, 404, 422} <= {response.status_code for response in refused}
    for response in refused:
        said = response.text + json.dumps(dict(response.headers))
        for private in (TEXT, FILE, TERM, ADDRESS, secret):
            assert private not in said, (response.url.path, response.status_code)
    metrics = client.get("/metrics").text
    log = "".join(capfd.readouterr())
    assert log.count('"event": "request"') > 100
    assert '"event": "bug"' not in log
    for private in (TEXT, FILE, TERM, ADDRESS, secret, "127.0.0.1"):
        assert private not in log
        assert private not in metrics


def send(client: AppClient, method: str, address: str, options: dict[str, Any]) -> httpx.Response:
    return client.runner.run(client.http.request(method, address, **options))
