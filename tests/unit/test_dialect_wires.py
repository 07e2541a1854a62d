"""What Mastodon and Weblate put on the wire, and all that they read of the answers.

Neither is a Python package that a test could run, so their requests are written out here.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.app_client import AppClient, echo, open_app
from tests.fake_bundle import fake_bundle

POST = "<p>Jane visite <a href='https://example.org/@jane'>l'Afrique</a>.<br>Jane dort.</p>"
TITLE = "Jane visite l'Afrique en septembre avec toute la famille."
UNIT = 'Jane visite <x id="5"></x> en septembre.'
KEY = {"Authorization": "DeepL-Auth-Key any"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    portuguese = fake_bundle(name="back", source_language="en", target_language="pt-BR")
    with open_app(echo(fake_bundle()), echo(portuguese)) as opened:
        yield opened


def json_of(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("source", ["fr", "auto"])
def test_mastodon_with_libretranslate(client: AppClient, source: str) -> None:
    body = {"q": [POST, TITLE, ""], "source": source, "target": "en", "format": "html"}
    answer = json_of(client.post("/translate", json=body | {"api_key": None}))
    assert len(answer["translatedText"]) == 3
    assert answer["translatedText"][1:] == [TITLE, ""]
    assert answer["translatedText"][0].count("<a href='https://example.org/@jane'>") == 1
    if source == "auto":
        assert [one["language"] for one in answer["detectedLanguage"]] == ["fr"] * 3
    targets = {one["code"]: one["targets"] for one in json_of(client.get("/languages"))}
    assert "en" in targets["fr"]


@pytest.mark.parametrize("source", ["FR", "", None])
def test_mastodon_with_deepl(client: AppClient, source: str | None) -> None:
    pairs = [("text", POST), ("text", TITLE), ("target_lang", "en"), ("tag_handling", "html")]
    pairs += [] if source is None else [("source_lang", source)]
    sent = client.post("/v2/translate", content=urlencode(pairs), headers=KEY | FORM)
    found = json_of(sent)["translations"]
    assert found[0]["text"].startswith("<p>")
    assert found[0]["text"].endswith("</p>")
    assert found[1]["text"] == TITLE
    assert [one["detected_source_language"].lower() for one in found] == ["fr", "fr"]
    for kind, codes in (("source", ["FR", "EN"]), ("target", ["EN-GB", "EN-US", "PT-BR"])):
        sent = client.get(f"/v2/languages?type={kind}", headers=KEY)
        assert [one["language"] for one in json_of(sent)] == codes


def test_weblate_with_libretranslate(client: AppClient) -> None:
    form = {"api_key": "any", "q": TITLE, "source": "fr", "target": "en"}
    assert json_of(client.post("/translate", data=form)) == {"translatedText": TITLE}
    codes = [one["code"] for one in json_of(client.get("/languages"))]
    assert codes == ["fr", "en", "pt-BR"]
    form = {"q": TITLE, "source": "en", "target": "pb"}
    assert json_of(client.post("/translate", data=form)) == {"translatedText": TITLE}


def test_weblate_with_deepl(client: AppClient) -> None:
    body = {
        "text": [UNIT, TITLE],
        "source_lang": "FR",
        "target_lang": "EN-US",
        "formality": "default",
        "tag_handling": "xml",
        "ignore_tags": ["x"],
    }
    found = json_of(client.post("/v2/translate", json=body, headers=KEY))["translations"]
    assert found[0]["text"].count('<x id="5"></x>') == 1
    assert found[1]["text"] == TITLE
    sent = client.get("/v2/glossary-language-pairs", headers=KEY)
    assert {"source_lang": "fr", "target_lang": "en"} in json_of(sent)["supported_languages"]
