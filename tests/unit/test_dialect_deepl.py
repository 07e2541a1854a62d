"""DeepL's interface: parameters in every style, model types, languages, its errors."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.app import create_app
from serving.models import Models
from serving.text.text_options import TextOptions
from tests.app_client import AppClient, echo, open_app, problem_of, settings_with
from tests.fake_bundle import fake_bundle

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
GERMAN = "Der Hund läuft im Park, nicht wahr?"
ENGLISH = "The quick brown fox jumps over the lazy dog."
REQUEST = {"text": [FRENCH], "source_lang": "FR", "target_lang": "EN-US"}
SECRET = "Geheimnis"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    models = [
        fake_bundle(name="middle", parameters=5),
        fake_bundle(name="recurrent", parameters=7, family="gru"),
        fake_bundle(name="large", parameters=9),
        fake_bundle(name="german", source_language="de", family="gru"),
        fake_bundle(name="brazilian", source_language="de", target_language="pt-BR"),
    ]
    limits = {"max_texts": 4, "max_text_chars": 200, "max_body_bytes": 200_000}
    with open_app(*map(echo, models), limits=limits) as opened:
        yield opened


def ask(client: AppClient, **changes: Any) -> list[dict[str, Any]]:
    response = client.post("/v2/translate", json=REQUEST | changes)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"translations"}
    found: list[dict[str, Any]] = response.json()["translations"]
    return found


def error_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"message", "detail"}
    assert all(isinstance(value, str) for value in body.values())
    assert SECRET not in response.text
    return str(body["message"])


ANSWER = {"detected_source_language": "FR", "text": FRENCH, "billed_characters": len(FRENCH)}


@pytest.mark.parametrize("prefix", ["", "/deepl"])
@pytest.mark.parametrize(
    "how",
    [
        {"json": REQUEST},
        {"json": REQUEST | {"text": FRENCH, "show_billed_characters": True, "more": 1}},
        {"data": REQUEST},
        {"params": REQUEST},
        {"data": {"text": FRENCH}, "params": {"target_lang": "en", "auth_key": "any"}},
        {"json": REQUEST, "headers": {"Authorization": "DeepL-Auth-Key any"}},
    ],
)
def test_parameters_come_in_every_style(
    client: AppClient, prefix: str, how: dict[str, Any]
) -> None:
    assert client.post(f"{prefix}/v2/translate", **how).json() == {"translations": [ANSWER]}


def test_get_is_tolerated(client: AppClient) -> None:
    query = REQUEST | {"auth_key": "any"}
    assert client.get("/v2/translate", params=query).json() == {"translations": [ANSWER]}


@pytest.mark.parametrize("style", ["json", "data"])
def test_several_texts_of_several_languages(client: AppClient, style: str) -> None:
    texts = [FRENCH, GERMAN, ENGLISH]
    body = {"text": texts, "target_lang": "EN-GB"}
    found = client.post("/v2/translate", **{style: body}).json()["translations"]
    assert [one["text"] for one in found] == texts
    assert [one["detected_source_language"] for one in found] == ["FR", "DE", "EN"]
    assert [one["billed_characters"] for one in found] == list(map(len, texts))


def test_an_empty_text_stays_empty(client: AppClient) -> None:
    assert [one["text"] for one in ask(client, text=["", "😀"])] == ["", "😀"]


@pytest.mark.parametrize(
    ("source", "asked", "used"),
    [
        ("FR", "latency_optimized", "latency_optimized"),
        ("FR", "quality_optimized", "quality_optimized"),
        ("FR", "prefer_quality_optimized", "quality_optimized"),
        ("DE", "latency_optimized", "latency_optimized"),
        ("DE", "quality_optimized", "latency_optimized"),  # there is but a recurrent one
        ("DE", "prefer_quality_optimized", "latency_optimized"),
        ("EN", "prefer_quality_optimized", "quality_optimized"),  # nothing was translated
    ],
)
def test_model_types(client: AppClient, source: str, asked: str, used: str) -> None:
    (found,) = ask(client, source_lang=source, model_type=asked)
    assert found["model_type_used"] == used


@pytest.mark.parametrize(
    ("asked", "model"),
    [("latency_optimized", "recurrent"), ("quality_optimized", "large"), (None, "middle")],
)
def test_the_model_of_a_type(client: AppClient, asked: str | None, model: str) -> None:
    label = f'mt_source_chars_total{{model="{model}",pair="fr-en"}} '

    def count() -> float:
        text = client.get("/metrics").text
        return float(text.partition(label)[2].partition("\n")[0] or 0)

    before = count()
    ask(client, model_type=asked)
    assert count() == before + len(FRENCH)


@pytest.mark.parametrize(
    "accepted",
    [
        {"context": SECRET},
        {"formality": "default"},
        {"formality": "prefer_more"},
        {"preserve_formatting": "1"},
        {"preserve_formatting": True},
        {"split_sentences": "1"},
        {"split_sentences": 1},
        {"split_sentences": True},
        {"ignore_tags": "x,y"},
        {"ignore_tags": ["x", "y"]},
        {"outline_detection": "0"},
        {"source_lang": None},
        {"source_lang": "fr-CA"},
    ],
)
def test_accepted(client: AppClient, accepted: dict[str, Any]) -> None:
    assert ask(client, **accepted) == [ANSWER]


def sentences_queued(client: AppClient, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many, of each request to the first model, filled as requests come."""
    translator = client.app.state.service.models.translators[0]
    queued: list[int] = []
    submit_many = translator.engine.submit_many

    def counting(sources: list[list[int]], *more: Any) -> Any:
        queued.append(len(sources))
        return submit_many(sources, *more)

    monkeypatch.setattr(translator.engine, "submit_many", counting)
    return queued


@pytest.mark.parametrize(
    ("splitting", "sentences"),
    [("1", 3), ("nonewlines", 2), ("0", 1), (0, 1), (None, 3)],
)
def test_split_sentences(
    client: AppClient, splitting: object, sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = sentences_queued(client, monkeypatch)
    text = "Jane visite\nl'Afrique. Jane dort."
    (found,) = ask(client, text=[text], split_sentences=splitting)
    assert queued == [sentences]
    assert found["text"].split() == text.split()


MARKUP = '<p>Jane visite <x id="5"></x> <g>l&apos;Afrique</g> <i>en septembre</i>.</p>'


@pytest.mark.parametrize("kind", ["xml", "html"])
@pytest.mark.parametrize("ignored", ["x", ["x"], "x, g", ["x", "g"], ["x,g"]])
def test_tags_are_kept(client: AppClient, kind: str, ignored: object) -> None:
    (found,) = ask(client, text=[MARKUP], tag_handling=kind, ignore_tags=ignored)
    for tag in ("<p>", '<x id="5"></x>', "<g>", "</g>", "<i>", "</i>", "</p>"):
        assert found["text"].count(tag) == 1
    assert found["billed_characters"] == len(MARKUP)


@pytest.mark.parametrize("style", ["json", "data", "params"])
def test_wishes_reach_the_translator(
    client: AppClient, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = client.app.state.service.models.translators[0]
    translate_async = translator.translate_async
    heard: list[TextOptions] = []

    async def listening(*given: Any) -> Any:
        heard.append(given[3])
        return await translate_async(*given)

    monkeypatch.setattr(translator, "translate_async", listening)
    wishes = {
        "tag_handling": "xml",
        "ignore_tags": ["a,b", "c"],
        "splitting_tags": "d, e",
        "non_splitting_tags": ["f"],
        "outline_detection": 0,
        "preserve_formatting": "1",
        "split_sentences": "nonewlines",
    }
    sent = client.post("/v2/translate", **{style: REQUEST | wishes})
    assert sent.status_code == 200
    assert heard == [
        TextOptions(
            format="xml",
            ignore_tags=("a", "b", "c"),
            splitting_tags=("d", "e"),
            non_splitting_tags=("f",),
            outline_detection=False,
            preserve_formatting=True,
            split_sentences="punctuation",
        )
    ]


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        ({"outline_detection": False}, 1),
        ({"outline_detection": False, "splitting_tags": "par"}, 2),
        ({"outline_detection": False, "splitting_tags": ["par"], "split_sentences": "0"}, 2),
        ({}, 2),
        ({"non_splitting_tags": ["par"]}, 1),
    ],
)
def test_tags_that_split(
    client: AppClient, options: dict[str, Any], sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = sentences_queued(client, monkeypatch)
    ask(client, text=["<par>Jane</par><par>visite</par>"], tag_handling="xml", **options)
    assert queued == [sentences]


def test_xml_must_be_well_formed(client: AppClient) -> None:
    body = REQUEST | {"text": ["<p>Geheimnis"], "tag_handling": "xml"}
    assert "not well-formed XML" in error_of(client.post("/v2/translate", json=body), 400)
    body = REQUEST | {"text": ["<p>Jane"], "tag_handling": "html"}
    assert client.post("/v2/translate", json=body).status_code == 200


def test_languages(client: AppClient) -> None:
    sources = [{"language": "FR", "name": "French"}, {"language": "DE", "name": "German"}]
    targets = [
        {"language": "EN-GB", "name": "English (British)", "supports_formality": False},
        {"language": "EN-US", "name": "English (American)", "supports_formality": False},
        {"language": "PT-BR", "name": "Portuguese (Brazilian)", "supports_formality": False},
    ]
    asking: list[tuple[dict[str, Any], Any]] = [
        ({}, sources),
        ({"params": {"type": "source"}}, sources),
        ({"params": {"type": "target"}}, targets),
        ({"data": {"type": "target"}}, targets),
    ]
    for how, expected in asking:
        sent = client.runner.run(client.http.request("GET", "/v2/languages", **how))
        assert sent.json() == expected
    error_of(client.get("/v2/languages", params={"type": SECRET}), 400)


def test_usage_counts_what_was_translated(client: AppClient) -> None:
    before = client.get("/v2/usage").json()
    assert before["character_limit"] == 10**12
    ask(client)
    after = client.get("/deepl/v2/usage").json()
    assert after["character_count"] == before["character_count"] + len(FRENCH)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "text: must be a string or a list of strings"),
        ({"text": []}, "text: "),
        ({"text": [5]}, "text.0: "),
        ({"text": [f"{SECRET}\0"]}, "control character"),
        ({"text": [SECRET * 30]}, "270 characters, at most 200"),
        ({"text": ["a"] * 5}, "5 texts, at most 4"),
        ({"text": ["你好"]}, "knows none of its characters"),
        ({"target_lang": None}, "target_lang: "),
        ({"target_lang": ""}, "target_lang: "),
        ({"target_lang": SECRET}, "target_lang: not supported; the languages are fr, en, de"),
        ({"source_lang": SECRET}, "source_lang: not supported"),
        ({"target_lang": "DE"}, "no model of this language pair"),
        ({"target_lang": "DE", "source_lang": None}, "no such model into this language"),
        ({"formality": "less"}, "formality: the models have none; prefer_less is taken"),
        ({"formality": SECRET}, "formality: "),
        ({"model_type": SECRET}, "model_type: "),
        ({"split_sentences": "2"}, "split_sentences: "),
        ({"split_sentences": [SECRET]}, "split_sentences: "),
        ({"tag_handling": SECRET}, "tag_handling: "),
        ({"ignore_tags": [5]}, "ignore_tags.0: "),
        ({"ignore_tags": 5}, "ignore_tags: "),
        ({"ignore_tags": ["a" * 300]}, "ignore_tags.0: "),
        ({"style_id": SECRET}, "style_id: not offered"),
        ({"translation_memory_id": SECRET}, "translation_memory_id: not offered"),
        ({"custom_instructions": [SECRET]}, "custom_instructions: not offered"),
    ],
)
def test_bad_parameters(client: AppClient, changes: dict[str, Any], message: str) -> None:
    body = json.dumps(REQUEST | changes)
    response = client.post("/v2/translate", content=body, headers=JSON)
    assert message in error_of(response, 400)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b"\xff", JSON),
        (b"[" * 100_000, JSON),
        (b"", JSON),
        (b"", {}),
        (b"text=Geheimnis", FORM),
        (b"Geheimnis", {"Content-Type": "multipart/form-data"}),
    ],
)
def test_bad_bodies(client: AppClient, content: bytes, headers: dict[str, str]) -> None:
    error_of(client.post("/v2/translate", content=content, headers=headers), 400)


def test_a_body_has_128_kib(client: AppClient) -> None:
    start = json.dumps(REQUEST)[:-1]
    fits = start + " " * (128 * 1024 - len(start) - 1) + "}"
    assert client.post("/v2/translate", content=fits, headers=JSON).status_code == 200
    refused = client.post("/v2/translate", content=fits + " ", headers=JSON)
    assert "131072 bytes" in error_of(refused, 413)
    error_of(client.post("/v2/translate", content=b" " * 200_001, headers=JSON), 413)


def test_other_addresses_and_methods(client: AppClient) -> None:
    for path in ("/v2/write/rephrase", "/v3/style_rules", "/deepl/v2", f"/deepl/{SECRET}"):
        error_of(client.post(path, json={}), 404)
    error_of(client.runner.run(client.http.delete("/v2/translate")), 405)
    error_of(client.post("/v2/translate", headers={"Content-Encoding": "gzip"}), 415)
    problem_of(client.get("/v1/deepl"), 404)


def test_draining_is_503() -> None:
    with open_app() as client:
        client.app.state.service.drain()
        for response in (client.post("/v2/translate", json=REQUEST), client.get("/v2/languages")):
            assert "shutting down" in error_of(response, 503)
            assert int(response.headers["retry-after"]) >= 1


def test_openapi_describes_it_once(client: AppClient) -> None:
    document = client.get("/openapi.json").json()
    ours = {path for path, one in document["paths"].items() if "DeepL" in str(one)}
    assert {"/v2/translate", "/v2/languages", "/v2/usage", "/v2/glossaries"} <= ours
    assert not any(path.startswith("/deepl") for path in document["paths"])
    assert document["paths"]["/v2/translate"].keys() == {"post"}
    assert "DeepLTranslateParameters" in document["components"]["schemas"]
    operations = [one for path in document["paths"].values() for one in path.values()]
    ours_alone = [one for one in operations if one.get("tags") == ["DeepL"]]
    for one in ours_alone:
        assert "4XX" in one["responses"]
        assert {"200", "201", "204"} & one["responses"].keys()
    assert not any("422" in one["responses"] for one in ours_alone)


def test_before_the_models_are_open() -> None:
    client = AppClient(create_app(lambda: Models([]), settings_with()))
    with client.runner:
        for path in ("/v2/translate", "/v2/languages"):
            error_of(client.post(path, json=REQUEST), 503)
