"""Whatever comes, a dialect answers or refuses in its own shape; it never fails."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app_client import AppClient, open_app

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and controls too
WORDS = st.text("Jane visite l'Afrique. \n😀<&>", max_size=40)
CODES = st.sampled_from(["fr", "FR", "en", "EN-US", "auto", "de", "zh-Hans", "", "x-"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "q": WORDS | st.lists(WORDS, max_size=4) | JSON | ANY_TEXT,
    "text": WORDS | st.lists(WORDS, max_size=4) | JSON | ANY_TEXT,
    "source": CODES | JSON,
    "target": CODES | JSON,
    "source_lang": CODES | JSON,
    "target_lang": CODES | JSON,
    "format": st.sampled_from(["text", "html"]) | JSON,
    "alternatives": st.integers(-1, 20) | JSON,
    "api_key": JSON,
    "type": st.sampled_from(["source", "target"]) | JSON,
    "split_sentences": st.sampled_from(["0", "1", "nonewlines", 1, False]) | JSON,
    "tag_handling": st.sampled_from(["html", "xml"]) | JSON,
    "ignore_tags": st.just("a,b") | JSON,
    "model_type": st.just("latency_optimized") | JSON,
    "formality": st.sampled_from(["default", "more", "prefer_more"]) | JSON,
    "preserve_formatting": st.booleans() | JSON,
    "document_key": st.just("0") | JSON,
    "file": JSON,
    "filename": st.just("a.txt") | JSON,
}
SOUND = {"source": st.sampled_from(["fr", "auto"]), "target": st.just("en")}
SOUND |= {"q": FIELDS["q"], "text": FIELDS["text"], "target_lang": st.just("en")}
REST = {name: values for name, values in FIELDS.items() if name not in SOUND}
VALUES = st.fixed_dictionaries(SOUND, optional=REST) | st.fixed_dictionaries({}, optional=FIELDS)
LIBRETRANSLATE = ["/translate", "/detect", "/languages", "/frontend/settings", "/suggest"]
LIBRETRANSLATE += ["/translate_file", "/download_file/x", "/health", "/spec"]
DEEPL = ["/v2/translate", "/v2/languages", "/v2/usage", "/v2/document", "/v2/document/x"]
DEEPL += ["/v2/document/x/result", "/v2/glossaries", "/v3/glossaries/x", "/deepl/v2/translate"]
METHODS = st.sampled_from(["POST", "POST", "GET", "PUT", "DELETE"])
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    with open_app() as opened:
        yield opened


def check(client: AppClient, method: str, path: str, **how: Any) -> None:
    sent = client.runner.run(client.http.request(method, path, **how))
    if sent.status_code < 400:
        assert sent.status_code == 200
        return
    assert sent.status_code < 500, sent.text
    keys = {"error"} if path in LIBRETRANSLATE else {"message", "detail"}
    assert sent.json().keys() == keys
    assert all(isinstance(value, str) for value in sent.json().values())
    assert len(sent.content) < 2048


QUICKLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATHS = st.sampled_from(LIBRETRANSLATE + DEEPL)


@QUICKLY
@given(method=METHODS, path=PATHS, values=VALUES)
def test_any_json(client: AppClient, method: str, path: str, values: object) -> None:
    content = json.dumps(values)
    check(client, method, path, content=content, headers={"Content-Type": "application/json"})


@QUICKLY
@given(method=METHODS, path=PATHS, values=VALUES, in_query=st.booleans())
def test_any_form(
    client: AppClient, method: str, path: str, values: dict[str, Any], in_query: bool
) -> None:
    spelt = {name: _form_values(value) for name, value in values.items()}
    encoded = str(httpx.QueryParams(spelt))
    if in_query:
        check(client, method, path, params=encoded)
    else:
        check(client, method, path, content=encoded, headers={"Content-Type": FORM})


@QUICKLY
@given(
    path=PATHS,
    body=st.binary(max_size=100),
    kind=st.sampled_from(["application/json", FORM, "multipart/form-data; boundary=a", "", "x"]),
)
def test_any_bytes(client: AppClient, path: str, body: bytes, kind: str) -> None:
    check(client, "POST", path, content=body, headers={"Content-Type": kind})


@QUICKLY
@given(
    path=st.sampled_from(["/translate_file", "/v2/document", "/translate", "/v2/translate"]),
    name=st.text(max_size=8) | st.just("a.txt"),
    content=st.binary(max_size=60) | WORDS.map(str.encode),
)
def test_any_file(client: AppClient, path: str, name: str, content: bytes) -> None:
    fields = {"source": "fr", "target": "en", "target_lang": "en"}
    check(client, "POST", path, files={"file": (name, content)}, data=fields)


def _form_values(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    return [str(one).encode(errors="replace").decode() for one in given]
