"""Google's interface, version 2, as its own client and plain HTTP use it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app_client import AppClient, echo, open_app, problem_of
from tests.fake_bundle import fake_bundle

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
GERMAN = "Der Hund läuft im Park, nicht wahr?"
PATH = "/language/translate/v2"
REQUEST = {"q": [FRENCH], "source": "fr", "target": "en", "format": "text"}
SECRET = "Geheimnis"


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    with open_app(echo(fake_bundle()), echo(german), dialects=["google"]) as opened:
        yield opened


def translations(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["data"]["translations"]


def error_of(response: httpx.Response, code: int) -> Any:
    assert response.status_code == code, response.text
    assert SECRET not in response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert error["errors"][0]["message"] == error["message"]
    return error


@pytest.mark.parametrize(
    "how",
    [
        {"json": REQUEST},
        {"json": REQUEST | {"cid": [], "model": None, "key": "any"}},
        {"data": REQUEST},
        {"params": REQUEST | {"key": "any", "prettyPrint": "false"}},
    ],
)
def test_parameters_come_in_every_style(client: AppClient, how: dict[str, Any]) -> None:
    assert translations(client.post(PATH, **how)) == [{"translatedText": FRENCH}]


def test_as_its_own_client_asks(client: AppClient) -> None:
    body = {"target": "en", "q": [FRENCH, GERMAN], "cid": [], "format": None, "source": None}
    found = translations(client.post(f"{PATH}?prettyPrint=false", json=body | {"model": "nmt"}))
    assert found == [
        {"translatedText": FRENCH, "detectedSourceLanguage": "fr", "model": "nmt"},
        {"translatedText": GERMAN, "detectedSourceLanguage": "de", "model": "nmt"},
    ]


def test_markup_is_the_default(client: AppClient) -> None:
    page = "<b>Jane</b> visite<br>"
    (found,) = translations(client.post(PATH, json={"q": page, "target": "en", "source": "fr"}))
    assert found["translatedText"].count("<br>") == 1
    assert found["translatedText"].count("</b>") == 1


def test_get_and_our_own_models(client: AppClient) -> None:
    query = REQUEST | {"q": [FRENCH, "Jane"], "model": "fake"}
    assert [one["model"] for one in translations(client.get(PATH, params=query))] == ["fake"] * 2


def test_detect(client: AppClient) -> None:
    for how in ({"json": {"q": [GERMAN, "12"]}}, {"data": {"q": [GERMAN, "12"]}}):
        ((best,), (nothing,)) = client.post(f"{PATH}/detect", **how).json()["data"]["detections"]
        assert best["language"] == "de"
        assert 0.8 < best["confidence"] <= 1
        assert (nothing["language"], nothing["confidence"]) == ("und", 0)


def test_languages(client: AppClient) -> None:
    codes = client.get(f"{PATH}/languages").json()["data"]["languages"]
    assert codes == [{"language": "fr"}, {"language": "en"}, {"language": "de"}]
    named = client.get(f"{PATH}/languages", params={"target": "en"}).json()
    assert named["data"]["languages"][0] == {"language": "fr", "name": "French"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": []}, "q: "),
        ({"q": [5]}, "q.0: "),
        ({"q": [f"{SECRET}\0"]}, "control character"),
        ({"target": SECRET}, "target: not supported; the languages are fr, en, de"),
        ({"target": "de"}, "no model of this language pair"),
        ({"source": SECRET}, "source: not supported"),
        ({"format": SECRET}, "format: "),
        ({"model": SECRET}, "no model of this name for fr-en, only fake"),
    ],
)
def test_bad_parameters(client: AppClient, changes: dict[str, Any], message: str) -> None:
    error = error_of(client.post(PATH, json=REQUEST | changes), 400)
    assert message in error["message"]
    assert error["status"] == "INVALID_ARGUMENT"


def test_other_errors(client: AppClient) -> None:
    error_of(client.post(f"{PATH}/{SECRET}"), 404)
    error_of(client.runner.run(client.http.delete(PATH)), 405)
    error_of(client.post(PATH, content="{", headers={"Content-Type": "application/json"}), 400)
    with open_app(dialects=["google"]) as stopping:
        stopping.app.state.service.drain()
        assert error_of(stopping.post(PATH, json=REQUEST), 503)["status"] == "UNAVAILABLE"


def test_it_is_off_unless_asked_for() -> None:
    with open_app() as client:
        problem_of(client.post(PATH, json=REQUEST), 404)
