"""LibreTranslate's interface: parameters in every style, lists, detection, its errors."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.app import create_app
from serving.file_formats import ENDINGS
from serving.models import Models
from tests.app_client import AppClient, echo, open_app, settings_with
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
GERMAN = "Der Hund läuft im Park, nicht wahr?"
ENGLISH = "The quick brown fox jumps over the lazy dog."
REQUEST = {"q": FRENCH, "source": "fr", "target": "en"}
SECRET = "Geheimnis"


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    limits = {"max_texts": 4, "max_text_chars": 200, "max_body_bytes": 4_000}
    with open_app(echo(fake_bundle()), echo(german), limits=limits) as opened:
        yield opened


def ask(client: AppClient, **changes: Any) -> Any:
    response = client.post("/translate", json=REQUEST | changes)
    assert response.status_code == 200, response.text
    return response.json()


def error_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error"}
    assert SECRET not in response.text
    return str(body["error"])


@pytest.mark.parametrize(
    "how",
    [
        {"json": REQUEST},
        {"data": REQUEST},
        {"params": REQUEST},
        {"data": {"q": FRENCH}, "params": {"source": "fr", "target": "en", "api_key": "any"}},
        {"files": {name: (None, value) for name, value in REQUEST.items()}},
        {"json": REQUEST | {"source": "FR", "target": "en-US", "api_key": "any", "more": 1}},
    ],
)
def test_parameters_come_in_every_style(client: AppClient, how: dict[str, Any]) -> None:
    response = client.post("/translate", **how)
    assert response.json() == {"translatedText": FRENCH}


def test_a_list_is_answered_with_a_list(client: AppClient) -> None:
    assert ask(client, q=[FRENCH, "", "Jane"]) == {"translatedText": [FRENCH, "", "Jane"]}
    assert ask(client, q=[FRENCH]) == {"translatedText": [FRENCH]}


def test_each_of_a_list_may_be_in_another_language(client: AppClient) -> None:
    answer = ask(client, q=[FRENCH, GERMAN, ENGLISH], source="auto")
    assert answer["translatedText"] == [FRENCH, GERMAN, ENGLISH]
    assert [one["language"] for one in answer["detectedLanguage"]] == ["fr", "de", "en"]
    assert all(50 < one["confidence"] <= 100 for one in answer["detectedLanguage"])
    text = client.get("/metrics").text  # the English one has no model: it is in English already
    for model in ("fake", "german"):
        assert f'mt_source_chars_total{{model="{model}"' in text
    assert 'model="several",pair="several",route="/translate",status="200"' in text


def test_detection_tells_of_one_text(client: AppClient) -> None:
    assert ask(client, source="AUTO")["detectedLanguage"]["language"] == "fr"
    short = ask(client, q="Jane", source="auto")["detectedLanguage"]
    assert short["confidence"] < 50
    nothing = ask(client, q="12", source="auto")["detectedLanguage"]
    assert nothing == {"language": "fr", "confidence": 0.0}


def test_alternatives(client: AppClient) -> None:
    answer = ask(client, alternatives=2)
    assert len(answer["alternatives"]) == 2
    assert answer["translatedText"] not in answer["alternatives"]
    several = ask(client, q=[FRENCH, "Jane"], alternatives="1")
    assert [len(one) for one in several["alternatives"]] == [1, 1]
    assert "alternatives" not in ask(client, alternatives=0)


def test_html_keeps_its_tags(client: AppClient) -> None:
    page = '<p lang="fr">Jane visite <b class="x">l&#39;Afrique</b>!</p><br><script>a</script>'
    assert ask(client, q=page, format="html")["translatedText"].startswith('<p lang="fr">Jane ')
    answer = ask(client, q=[page, FRENCH], format="html", source="auto", alternatives=2)
    for tag in ('<p lang="fr">', '<b class="x">', "</b>", "</p><br><script>a</script>"):
        assert answer["translatedText"][0].count(tag) == 1
    assert answer["translatedText"][1] == FRENCH
    assert answer["alternatives"] == [[], []]
    assert [one["language"] for one in answer["detectedLanguage"]] == ["fr", "fr"]


def test_tags_do_not_tell_the_language(client: AppClient) -> None:
    english = '<b title="the word that is">' * 4
    answer = ask(client, q=f"{english}{FRENCH}{'</b>' * 4}", format="html", source="auto")
    assert answer["detectedLanguage"]["language"] == "fr"
    assert answer["detectedLanguage"]["confidence"] > 80


@pytest.mark.parametrize("text", ["😀🎉🚀", "...", " ", "—"])
def test_what_has_no_words_stays_as_it_is(client: AppClient, text: str) -> None:
    assert ask(client, q=text)["translatedText"] == text
    assert ask(client, q=[text, FRENCH], source="auto")["translatedText"] == [text, FRENCH]


def test_a_language_into_itself_stays_as_it_is(client: AppClient) -> None:
    assert ask(client, source="en", q="<b>")["translatedText"] == "<b>"


def test_detect(client: AppClient) -> None:
    for how in ({"json": {"q": GERMAN}}, {"data": {"q": GERMAN}}, {"params": {"q": GERMAN}}):
        (best, *_) = client.post("/detect", **how).json()
        assert best["language"] == "de"
        assert best["confidence"] > 80
    ranked = client.post("/detect", json={"q": "Jane"}).json()
    assert [one["confidence"] for one in ranked] == sorted(
        (one["confidence"] for one in ranked), reverse=True
    )
    nothing = [{"confidence": 0.0, "language": "en"}]
    assert client.post("/detect", json={"q": "12"}).json() == nothing
    assert client.post("/detect", json={"q": "你好世界"}).json() == nothing


def test_languages_with_a_form_in_the_body(client: AppClient) -> None:
    expected = [
        {"code": "fr", "name": "French", "targets": ["en", "fr"]},
        {"code": "en", "name": "English", "targets": ["en"]},
        {"code": "de", "name": "German", "targets": ["de", "en"]},
    ]
    assert client.get("/languages").json() == expected
    sent = client.runner.run(client.http.request("GET", "/languages", data={"api_key": "any"}))
    assert sent.json() == expected


def test_settings_of_a_page(client: AppClient) -> None:
    assert client.get("/frontend/settings").json() == {
        "apiKeys": False,
        "charLimit": 200,
        "filesTranslation": True,
        "frontendTimeout": 500,
        "keyRequired": False,
        "language": {
            "source": {"code": "fr", "name": "French"},
            "target": {"code": "en", "name": "English"},
        },
        "suggestions": False,
        "supportedFilesFormat": list(ENDINGS),
    }


def test_health_and_spec(client: AppClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert "/translate" in client.get("/spec").json()["paths"]


def test_openapi_describes_the_parameters(client: AppClient) -> None:
    document = client.get("/openapi.json").json()
    described = document["paths"]["/translate"]["post"]
    assert described["tags"] == ["LibreTranslate"]
    operations = [one for path in document["paths"].values() for one in path.values()]
    ours_alone = [one for one in operations if one.get("tags") == ["LibreTranslate"]]
    assert all(one["responses"].keys() >= {"200", "4XX"} for one in ours_alone)
    assert not any("422" in one["responses"] for one in ours_alone)
    assert described["requestBody"]["content"].keys() == {
        "application/json",
        "application/x-www-form-urlencoded",
    }
    parameters = document["components"]["schemas"]["TranslateParameters"]["properties"]
    assert parameters.keys() == {"q", "source", "target", "format", "alternatives", "api_key"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": None}, "q: must be a string or a list of strings"),
        ({"q": ""}, "q: is empty"),
        ({"q": []}, "q: Value should have at least 1 item"),
        ({"q": 5}, "q: must be a string or a list of strings"),
        ({"q": ["a", 5]}, "q.1: "),
        ({"q": {SECRET: SECRET}}, "q: must be"),
        ({"q": f"{SECRET}\0"}, "control character U+0000"),
        ({"q": f"{SECRET}\ud800"}, "half a surrogate pair"),
        ({"q": SECRET * 30}, "270 characters, at most 200"),
        ({"q": SECRET * 30, "source": "auto"}, "270 characters, at most 200"),
        ({"q": ["a"] * 5}, "5 texts, at most 4"),
        ({"q": ["!"] * 5}, "5 texts, at most 4"),
        ({"q": "你好"}, "knows none of its characters"),
        ({"source": ""}, "source: "),
        ({"source": 5}, "source: "),
        ({"source": SECRET}, "source: not supported; the languages are fr, en, de"),
        ({"target": SECRET}, "target: not supported"),
        ({"target": "auto"}, "target: not supported"),
        ({"target": "de"}, "no model of this language pair, only fr-en, de-en"),
        ({"target": "de", "source": "auto"}, "no such model into this language"),
        ({"format": SECRET}, "format: "),
        ({"alternatives": -1}, "alternatives: "),
        ({"alternatives": SECRET}, "alternatives: "),
        ({"alternatives": 1.5}, "alternatives: "),
        ({"alternatives": 16}, "alternatives: at most 15"),
    ],
)
def test_bad_parameters(client: AppClient, changes: dict[str, Any], message: str) -> None:
    body = json.dumps(REQUEST | changes)
    response = client.post("/translate", content=body, headers=JSON)
    assert message in error_of(response, 400)


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b"null", JSON),
        (b"\xff", JSON),
        (b"[" * 3_000, JSON),
        (b"", JSON),
        (b"", {}),
        (b"q=Geheimnis", FORM),
        (b"&".join(b"a%d=1" % i for i in range(400)) + b"&" * 700, FORM),
        (b"Geheimnis", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"Geheimnis", {"Content-Type": "multipart/form-data"}),
        (b"q=Geheimnis", {"Content-Type": "text/plain"}),
    ],
)
def test_bad_bodies(client: AppClient, content: bytes, headers: dict[str, str]) -> None:
    error_of(client.post("/translate", content=content, headers=headers), 400)


def test_errors_before_the_route_are_its_own_too(client: AppClient) -> None:
    error_of(client.get("/translate"), 405)
    error_of(client.post("/translate", content=b" " * 5_000, headers=JSON), 413)
    error_of(client.post("/translate", json=REQUEST, headers={"Content-Encoding": "gzip"}), 415)


def test_what_is_off(client: AppClient) -> None:
    assert "not taken" in error_of(client.post("/suggest", json=REQUEST), 403)


def test_pages_of_any_origin_may_call(client: AppClient) -> None:
    page = {"Origin": "https://example.org"}
    asking = page | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = client.runner.run(client.http.options("/translate", headers=asking))
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    for response in (
        preflight,
        client.post("/translate", json=REQUEST, headers=page),
        client.post("/translate", json={}, headers=page),
        client.post("/translate", content=b" " * 5_000, headers=page),
    ):
        assert response.headers["access-control-allow-origin"] == "*"
    native = client.get("/v1/models", headers=page)
    assert "access-control-allow-origin" not in native.headers


def test_draining_is_503() -> None:
    with open_app() as client:
        client.app.state.service.drain()
        for response in (client.post("/translate", json=REQUEST), client.get("/languages")):
            assert "shutting down" in error_of(response, 503)
            assert int(response.headers["retry-after"]) >= 1


def test_a_client_that_leaves_frees_the_engine() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    translator = echo(bundle, stepper=stepper)
    with open_app(translator) as client:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.to_thread(stepper.wait_until_asked)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            return

        query = str(httpx.QueryParams(REQUEST)).encode()
        scope = {
            "type": "http", "method": "POST", "path": "/translate", "query_string": query,
            "headers": [],
        }  # fmt: skip
        client.runner.run(client.app(scope, receive, send))
        stepper.open()
        while translator.engine.stats().cancelled == 0:
            pass
        assert 'route="/translate",status="499"' in client.get("/metrics").text


def test_before_the_models_are_open() -> None:
    client = AppClient(create_app(lambda: Models([]), settings_with()))
    with client.runner:
        assert client.get("/health").status_code == 200
        error_of(client.post("/translate", json=REQUEST), 503)
        error_of(client.post("/detect", json={"q": FRENCH}), 503)
