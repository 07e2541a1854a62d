"""Glossaries over the native interface: kept, changed, forgotten, used."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app_client import SENTENCE, AppClient, echo, open_app, problem_of
from tests.fake_bundle import fake_bundle

PATH = "/v1/glossaries"
ENTRIES = {"Jane": "Hund", "septembre": "test"}
NEW = {
    "name": "mine",
    "dictionaries": [{"source": "fr", "target": "en", "entries": ENTRIES}],
}
GERMAN = {"source": "de", "target": "en-GB", "entries": {"Hund": "dog"}}


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    with open_app(echo(fake_bundle()), echo(german)) as opened:
        yield opened


def send(client: AppClient, method: str, path: str, **options: Any) -> httpx.Response:
    return client.runner.run(client.http.request(method, path, **options))


@pytest.fixture
def made(client: AppClient) -> Iterator[str]:
    response = client.post(PATH, json=NEW)
    assert response.status_code == 201, response.text
    yield f"{PATH}/{response.json()['id']}"
    send(client, "DELETE", f"{PATH}/{response.json()['id']}")


def test_a_glossary_is_kept_until_it_is_deleted(client: AppClient, made: str) -> None:
    body = client.get(made).json()
    assert body.pop("id") == made.rpartition("/")[2]
    assert body.pop("created").endswith("Z")
    facts = {"source": "fr", "target": "en", "entry_count": 2}
    assert body == {"name": "mine", "dictionaries": [facts]}
    assert [one["name"] for one in client.get(PATH).json()["glossaries"]] == ["mine"]
    assert client.get(f"{made}/dictionaries").json()["dictionaries"] == NEW["dictionaries"]
    assert send(client, "DELETE", made).status_code == 204
    problem_of(client.get(made), 404)
    problem_of(send(client, "DELETE", made), 404)
    assert client.get(PATH).json() == {"glossaries": []}


def test_its_name_and_dictionaries_change(client: AppClient, made: str) -> None:
    change = {"name": "ours", "dictionaries": [GERMAN]}
    body = send(client, "PATCH", made, json=change).json()
    assert (body["name"], len(body["dictionaries"])) == ("ours", 2)
    wanted = {"source": "de", "target": "en"}
    found = client.get(f"{made}/dictionaries", params=wanted).json()["dictionaries"]
    assert found == [wanted | {"entries": {"Hund": "dog"}}]
    other = GERMAN | {"entries": {"Park": "park"}}
    assert send(client, "PUT", f"{made}/dictionaries", json=other).status_code == 200
    found = client.get(f"{made}/dictionaries", params=wanted).json()["dictionaries"]
    assert found[0]["entries"] == {"Park": "park"}
    for status in (204, 404):
        gone = send(client, "DELETE", f"{made}/dictionaries", params=wanted)
        assert gone.status_code == status
    problem_of(client.get(f"{made}/dictionaries", params=wanted), 404)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"dictionaries": []}, "1 wrong field; see errors"),
        ({"name": ""}, "1 wrong field; see errors"),
        ({"dictionaries": [GERMAN | {"target": "de"}]}, "a dictionary needs two languages"),
        ({"dictionaries": [GERMAN | {"entries": {"a": " "}}]}, "entry 1: a term is empty"),
    ],
)
def test_what_is_no_glossary_is_refused(
    client: AppClient, changes: dict[str, Any], detail: str
) -> None:
    assert problem_of(client.post(PATH, json=NEW | changes), 422)["detail"] == detail


def test_a_translation_holds_its_terms(client: AppClient, made: str) -> None:
    for glossary in ({"id": made.rpartition("/")[2]}, {"entries": ENTRIES}):
        [found] = client.translate(glossary=glossary).json()["translations"]
        assert "Hund" in found["text"]
        assert "test" in found["text"]
        assert "warnings" not in found
    [plain] = client.translate().json()["translations"]
    assert plain["text"] == SENTENCE


def test_a_term_that_the_model_cannot_write_is_put_in(client: AppClient) -> None:
    [found] = client.translate(glossary={"entries": {"Jane": "日本"}}).json()["translations"]
    assert found == {"text": SENTENCE.replace("Jane", "日本")}


def test_preferred_terms_may_be_left_out(client: AppClient) -> None:
    preferred = {"entries": ENTRIES, "required": False}
    [found] = client.translate(glossary=preferred).json()["translations"]
    assert found == {"text": SENTENCE, "warnings": ["sentence 1 lacks a term of the glossary"]}


@pytest.mark.parametrize(
    ("glossary", "status", "detail"),
    [
        ({}, 422, "1 wrong field; see errors"),
        ({"id": "x", "entries": ENTRIES}, 422, "1 wrong field; see errors"),
        ({"id": "x"}, 404, "no such glossary"),
        ({"entries": {}}, 422, "a dictionary needs an entry"),
        ({"entries": {"a": "\n"}}, 422, "entry 1: a term is empty"),
    ],
)
def test_what_cannot_be_used_is_refused(
    client: AppClient, glossary: dict[str, Any], status: int, detail: str
) -> None:
    assert problem_of(client.translate(glossary=glossary), status)["detail"] == detail


def test_a_glossary_must_fit_the_languages_and_the_search(client: AppClient, made: str) -> None:
    use = {"id": made.rpartition("/")[2]}
    found = problem_of(client.translate(glossary=use, source="de"), 422)
    assert found["detail"] == "no dictionary of the glossary is for this pair of languages"
    found = problem_of(client.translate(glossary=use, samples=2), 422)
    assert "leave the glossary out" in found["detail"]
