"""Glossaries as clients of DeepL make and use them, in JSON and in forms."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app_client import SENTENCE, AppClient, echo, open_app
from tests.fake_bundle import fake_bundle

V2 = {
    "name": "mine",
    "source_lang": "fr",
    "target_lang": "en",
    "entries": "Jane\tHund\nseptembre\ttest",
    "entries_format": "tsv",
}
PAIR = {"source_lang": "fr", "target_lang": "en"}
TRANSLATE = {"text": [SENTENCE], "source_lang": "FR", "target_lang": "EN-US"}


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de", target_language="en")
    with open_app(echo(fake_bundle()), echo(german)) as opened:
        yield opened


def send(client: AppClient, method: str, path: str, **options: Any) -> httpx.Response:
    return client.runner.run(client.http.request(method, path, **options))


def error_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert all(isinstance(response.json()[key], str) for key in ("message", "detail"))
    return str(response.json()["message"])


def test_the_pairs_are_those_of_the_models(client: AppClient) -> None:
    pairs = client.get("/v2/glossary-language-pairs").json()["supported_languages"]
    assert pairs == [PAIR, {"source_lang": "de", "target_lang": "en"}]


@pytest.mark.parametrize("wire", ["json", "data"])
@pytest.mark.parametrize("prefix", ["", "/deepl"])
def test_the_life_of_a_glossary(client: AppClient, wire: str, prefix: str) -> None:
    created = client.post(f"{prefix}/v2/glossaries", **{wire: V2})
    assert created.status_code == 201, created.text
    found = created.json()
    path = f"{prefix}/v2/glossaries/{found['glossary_id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["creation_time"])
    assert found | {"glossary_id": "", "creation_time": ""} == PAIR | {
        **{"name": "mine", "ready": True, "entry_count": 2},
        **{"glossary_id": "", "creation_time": ""},
    }
    assert client.get(path).json() == found
    assert client.get(f"{prefix}/v2/glossaries").json() == {"glossaries": [found]}
    entries = client.get(f"{path}/entries", headers={"Accept": "text/tab-separated-values"})
    assert entries.text == V2["entries"] + "\n"
    assert entries.headers["content-type"].startswith("text/tab-separated-values")
    use = {"glossary_id": found["glossary_id"]}
    [text] = client.post(f"{prefix}/v2/translate", json=TRANSLATE | use).json()["translations"]
    assert "Hund" in text["text"]
    gone = send(client, "DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert error_of(client.get(path), 404) == "no such glossary"
    assert error_of(client.post("/v2/translate", json=TRANSLATE | use), 404) == "no such glossary"


def test_the_life_of_a_multilingual_glossary(client: AppClient) -> None:
    french = {name: V2[name] for name in (*PAIR, "entries", "entries_format")}
    german = {**french, "source_lang": "DE", "entries": "Hund,dog", "entries_format": "csv"}
    asked = {"name": "ours", "dictionaries": [french, german]}
    created = client.post("/v3/glossaries", json=asked)
    assert created.status_code == 201, created.text
    found = created.json()
    path = f"/v3/glossaries/{found['glossary_id']}"
    german_facts = {"source_lang": "de", "target_lang": "en", "entry_count": 1}
    assert found["dictionaries"] == [german_facts, PAIR | {"entry_count": 2}]
    assert client.get(path).json() == found
    assert client.get("/v3/glossaries").json() == {"glossaries": [found]}
    assert client.get("/v2/glossaries").json() == {"glossaries": []}  # it has no single pair
    entries = client.get(f"{path}/entries", params={"source_lang": "DE", "target_lang": "EN"})
    kept = {"source_lang": "de", "target_lang": "en", "entries": "Hund\tdog\n"}
    assert entries.json() == {"dictionaries": [kept | {"entries_format": "tsv"}]}
    change = {"name": "new", "dictionaries": [german | {"entries": "Park,park"}]}
    changed = send(client, "PATCH", path, json=change).json()
    assert (changed["name"], changed["dictionaries"][0]["entry_count"]) == ("new", 2)
    replaced = send(client, "PUT", f"{path}/dictionaries", json=german)
    assert replaced.json() == german_facts
    use = {"glossary_ids": [found["glossary_id"]]}
    [text] = client.post("/v2/translate", json=TRANSLATE | use).json()["translations"]
    assert "test" in text["text"]
    pair = {"source_lang": "DE", "target_lang": "EN"}
    assert send(client, "DELETE", f"{path}/dictionaries", params=pair).status_code == 204
    assert error_of(send(client, "DELETE", f"{path}/dictionaries", params=pair), 404)
    send(client, "DELETE", f"{path}/dictionaries", params=PAIR)
    empty = client.get(f"/v2/glossaries/{found['glossary_id']}")
    assert error_of(empty, 404) == "the glossary has no dictionary any more"
    assert send(client, "DELETE", path).status_code == 204


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name: "),
        ({"source_lang": "xx"}, "source_lang: not supported"),
        ({"target_lang": "FR"}, "a dictionary needs two languages"),
        ({"entries": "a"}, "entries, line 1: 1 columns"),
        ({"entries": ""}, "a dictionary needs an entry"),
        ({"entries_format": "xml"}, "entries_format: "),
    ],
)
def test_what_is_no_glossary_is_refused(
    client: AppClient, changes: dict[str, Any], message: str
) -> None:
    assert message in error_of(client.post("/v2/glossaries", json=V2 | changes), 400)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"glossary_id": "a", "glossary_ids": ["b"]}, "not together with glossary_id"),
        ({"glossary_ids": list("abcdef")}, "glossary_ids: 6, at most 5"),
        ({"glossary_id": "a", "source_lang": None}, "source_lang: needed"),
    ],
)
def test_what_cannot_be_used_is_refused(
    client: AppClient, changes: dict[str, Any], message: str
) -> None:
    assert message in error_of(client.post("/v2/translate", json=TRANSLATE | changes), 400)
