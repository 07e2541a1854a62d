"""What goes wrong on our side, in the words of every dialect."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from serving.settings import EngineSettings
from tests.app_client import echo, open_app, problem_of
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."


class Spoken(NamedTuple):
    """A dialect's request for a translation, and where its errors put their words."""

    dialect: str
    path: str
    request: dict[str, Any]
    words: Callable[[dict[str, Any]], str]


DIALECTS = [
    Spoken(
        "libretranslate",
        "/translate",
        {"q": FRENCH, "source": "fr", "target": "en"},
        lambda body: body["error"],
    ),
    Spoken(
        "deepl",
        "/v2/translate",
        {"text": [FRENCH], "source_lang": "FR", "target_lang": "EN-US"},
        lambda body: body["message"],
    ),
    Spoken(
        "google",
        "/language/translate/v2",
        {"q": [FRENCH], "source": "fr", "target": "en"},
        lambda body: body["error"]["message"],
    ),
    Spoken(
        "opus",
        "/api/translate",
        {"source": FRENCH, "from": "fr", "to": "en"},
        lambda body: body["error"],
    ),
]


@pytest.fixture(params=DIALECTS, ids=[spoken.dialect for spoken in DIALECTS])
def spoken(request: pytest.FixtureRequest) -> Spoken:
    found: Spoken = request.param
    return found


def words_of(response: httpx.Response, status: int, spoken: Spoken) -> str:
    assert response.status_code == status, response.text
    assert "Jane" not in response.text
    return spoken.words(response.json())


def test_a_full_queue_asks_to_come_back(spoken: Spoken) -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    engine = EngineSettings(max_rows=5, max_waiting=1)
    translator = echo(bundle, stepper=stepper, engine=engine)
    with open_app(translator, dialects=[spoken.dialect]) as client:

        async def crowd() -> None:
            first = asyncio.create_task(client.http.post(spoken.path, json=spoken.request))
            await asyncio.to_thread(stepper.wait_until_asked)
            second = asyncio.create_task(client.http.post(spoken.path, json=spoken.request))
            await asyncio.sleep(0.05)
            third = await client.http.post(spoken.path, json=spoken.request)
            words = words_of(third, 429, spoken)
            assert words.startswith("Slowdown: ") == (spoken.dialect == "libretranslate")
            assert int(third.headers["retry-after"]) >= 1
            stepper.open()
            assert {(await first).status_code, (await second).status_code} == {200}

        client.runner.run(crowd())


def test_draining_is_503(spoken: Spoken) -> None:
    with open_app(dialects=[spoken.dialect]) as client:
        client.app.state.service.drain()
        response = client.post(spoken.path, json=spoken.request)
        assert "shutting down" in words_of(response, 503, spoken)
        assert int(response.headers["retry-after"]) >= 1


def test_a_late_answer_and_a_bug(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    translator = echo(bundle, stepper=stepper)
    with open_app(translator, dialects=[spoken.dialect], limits={"deadline_s": 0.05}) as client:
        words_of(client.post(spoken.path, json=spoken.request), 504, spoken)
        stepper.open()
        monkeypatch.setattr(translator, "translate_async", lambda *_: 1 / 0)
        words_of(client.post(spoken.path, json=spoken.request), 500, spoken)


def test_it_can_be_switched_off(spoken: Spoken) -> None:
    others = [other.dialect for other in DIALECTS if other != spoken]
    with open_app(dialects=others) as client:
        problem_of(client.post(spoken.path, json=spoken.request), 404)
        assert spoken.path not in client.get("/openapi.json").json()["paths"]
