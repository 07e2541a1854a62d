"""Whatever JSON comes, the service answers it or refuses it; it never fails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app_client import REQUEST, AppClient, open_app, problem_of

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and controls too
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": JSON | ANY_TEXT | st.lists(ANY_TEXT, max_size=4),
    "source": JSON | st.sampled_from(["fr", "FR", "de", "auto"]),
    "target": JSON | st.sampled_from(["en", "fr"]),
    "model": JSON | st.just("fake"),
    "beam_size": JSON | st.integers(0, 20),
    "n_best": JSON | st.integers(0, 20),
    "length_penalty": JSON | st.floats(0, 5),
    "format": JSON | st.sampled_from(["text", "html", "xml"]),
    "split_sentences": JSON | st.sampled_from(["newlines", "punctuation", "off"]),
    "do_not_translate": JSON | st.lists(ANY_TEXT, max_size=3),
    "ignore_tags": JSON | st.lists(ANY_TEXT, max_size=3),
    "return_scores": JSON,
    "return_alignments": JSON,
}
CHANGES = st.fixed_dictionaries({}, optional=FIELDS)


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    with open_app() as opened:
        yield opened


def check(client: AppClient, content: str | bytes) -> None:
    response = client.post(content=content, headers={"Content-Type": "application/json"})
    if response.status_code == 200:
        assert response.json()["translations"]
    else:
        assert 400 <= response.status_code < 500
        problem_of(response, response.status_code)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=CHANGES)
def test_any_fields(client: AppClient, changes: dict[str, Any]) -> None:
    check(client, json.dumps(REQUEST | changes))


@settings(max_examples=60, deadline=None)
@given(value=JSON)
def test_any_json(client: AppClient, value: object) -> None:
    check(client, json.dumps(value))


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=100))
def test_any_bytes(client: AppClient, body: bytes) -> None:
    check(client, body)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(ANY_TEXT.filter(str.isprintable), min_size=1, max_size=4))
def test_as_many_answers_as_texts(client: AppClient, texts: list[str]) -> None:
    response = client.translate(text=texts)
    if response.status_code == 200:
        assert len(response.json()["translations"]) == len(texts)
