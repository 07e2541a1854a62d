"""Texts go to the models of their languages, asked for natively."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mt.errors import OverloadedError
from serving.settings import EngineSettings
from serving.translation import Translation
from tests import sse
from tests.app_client import AppClient, echo, open_app, problem_of
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
GERMAN = "Der Hund läuft im Park, nicht wahr?"
ENGLISH = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    with open_app(echo(fake_bundle()), echo(german), limits={"max_texts": 8}) as opened:
        yield opened


def test_auto_looks_at_each_text(client: AppClient) -> None:
    texts = [GERMAN, FRENCH, ENGLISH, GERMAN]
    body = client.translate(text=texts, source="auto").json()
    found = [one["detected"]["language"] for one in body["translations"]]
    assert found == ["de", "fr", "en", "de"]
    assert [one["text"] for one in body["translations"]] == texts
    assert body["model"] == "german, fake"
    assert body["usage"]["characters"] == sum(map(len, texts))


def test_auto_says_how_sure_it_is(client: AppClient) -> None:
    (sure, unsure) = client.translate(text=[FRENCH, "Jane"], source="auto").json()["translations"]
    assert sure["detected"]["confidence"] > 0.8
    assert unsure["detected"]["confidence"] < 0.5


def test_a_language_that_no_model_knows_is_a_guess_and_told(client: AppClient) -> None:
    spanish = "El perro corre por el parque con su dueño."
    guessed, sure = client.translate(text=[spanish, FRENCH], source="auto").json()["translations"]
    assert guessed["warnings"] == ["its language cannot be told for sure; name the source"]
    assert "warnings" not in sure
    given = client.translate(text=spanish).json()["translations"]
    assert "warnings" not in given[0]
    asked = {"text": spanish, "source": "auto", "target": "en"}
    events = sse.parse(client.post("/v1/translate/stream", json=asked).text)
    assert [name for name, _ in events] == ["detected", "sentence", "warnings", "done"]


def test_a_short_text_that_may_be_in_the_target_language_is_translated(client: AppClient) -> None:
    body = client.translate(text="Jane", source="auto").json()
    assert body["translations"][0]["detected"]["language"] in ("fr", "de")
    assert body["model"] in ("fake", "german")


def test_a_text_in_the_target_language_stays(client: AppClient) -> None:
    body = client.translate(text=ENGLISH, source="auto", target="EN").json()
    assert body["model"] == ""
    assert body["usage"] == {"source_tokens": 0, "output_tokens": 0, "characters": len(ENGLISH)}


def test_nothing_is_detected_unasked(client: AppClient) -> None:
    assert "detected" not in client.translate().json()["translations"][0]


def test_auto_with_a_model_means_its_language(client: AppClient) -> None:
    body = client.translate(text=FRENCH, source="auto", model="german").json()
    assert (body["model"], body["translations"][0]["detected"]["language"]) == ("german", "de")


def test_auto_is_refused_where_nothing_fits(client: AppClient) -> None:
    for changes in ({"target": "de"}, {"model": "other"}):
        body = problem_of(client.translate(source="auto", **changes), 404)
        assert "fr-en, de-en" in body["detail"]
    assert problem_of(client.translate(source="auto", text=["a"] * 9), 422)


def test_texts_may_be_markup_and_hold_what_must_stay(client: AppClient) -> None:
    page = "<p>Jane <b>visite</b> <kbd>l'Afrique</kbd>.</p>"
    wishes = {"ignore_tags": ["kbd"], "do_not_translate": ["Jane"], "split_sentences": "off"}
    body = client.translate(text=page, format="html", **wishes).json()
    (found,) = body["translations"]
    assert found["text"] == page
    assert "warnings" not in found


def test_what_is_doubtful_is_said(client: AppClient, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = client.app.state.service.models.translators[0]
    translate_async = translator.translate_async

    async def doubtful(*given: Any) -> list[Translation]:
        return [replace(one, warnings=("odd",)) for one in await translate_async(*given)]

    monkeypatch.setattr(translator, "translate_async", doubtful)
    assert client.translate().json()["translations"][0]["warnings"] == ["odd"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"format": "pdf"}, "/format"),
        ({"split_sentences": "0"}, "/split_sentences"),
        ({"do_not_translate": [""]}, "/do_not_translate/0"),
        ({"do_not_translate": "Jane"}, "/do_not_translate"),
        ({"ignore_tags": ["a"] * 1001}, "/ignore_tags"),
    ],
)
def test_wishes_that_cannot_be(client: AppClient, changes: dict[str, Any], pointer: str) -> None:
    body = problem_of(client.translate(**changes), 422)
    assert [error["pointer"] for error in body["errors"]] == [pointer]


def test_one_full_queue_frees_the_other() -> None:
    steppers = [GatedStepper(fake_bundle().manifest.vocab_size) for _ in range(2)]
    engine = EngineSettings(max_rows=5, max_waiting=2)
    french = echo(fake_bundle(), stepper=steppers[0], engine=engine)
    german = echo(
        fake_bundle(name="german", source_language="de"), stepper=steppers[1], engine=engine
    )

    async def full(*_: object) -> None:
        await asyncio.to_thread(steppers[0].wait_until_asked)
        raise OverloadedError("full", retry_after_s=1)

    german.translate_async = full  # type: ignore[assignment, method-assign]
    with open_app(french, german) as client:
        problem_of(client.translate(text=[FRENCH, GERMAN], source="auto"), 429)
        steppers[0].open()
        while french.engine.stats().cancelled == 0:
            pass
