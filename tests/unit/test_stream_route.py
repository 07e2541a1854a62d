"""`POST /v1/translate/stream`: events in order, refusals before it begins, failures at its end."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from serving.settings import EngineSettings, Limits
from serving.translator import Translator
from tests.app_client import REQUEST, AppClient, echo, open_app, problem_of
from tests.babbling_stepper import BabblingStepper
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.fakes import EchoStepper, Floats
from tests.gated_stepper import PATIENCE_S, GatedStepper
from tests.loopback import on_loopback
from tests.sse import joined, parse

GERMAN = "Der Hund läuft im Park, nicht wahr? Jane."
FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
ENGLISH = "The quick brown fox jumps over the lazy dog. Hello world."
VOCAB_SIZE = small_tokenizer().vocab_size


def stream(client: AppClient, **changes: Any) -> httpx.Response:
    return client.post("/v1/translate/stream", json=REQUEST | changes)


def events(client: AppClient, **changes: Any) -> list[tuple[str, Any]]:
    response = stream(client, **changes)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "content-length" not in response.headers
    return parse(response.text)


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    with open_app(echo(fake_bundle()), echo(german)) as opened:
        yield opened


@pytest.fixture(scope="module")
def babbling() -> Iterator[AppClient]:
    with open_app(echo(fake_bundle(), stepper=BabblingStepper(3, VOCAB_SIZE))) as opened:
        yield opened


def test_a_sentence_is_an_event_and_done_the_last(client: AppClient) -> None:
    *sentences, done = events(client, text=["Hello world.  Jane.\n", "A dog."])
    assert sentences == [
        ("sentence", {"item": item, "sentence": number, "before": "", "text": text, "after": after})
        for item, number, text, after in (
            (0, 0, "Hello world.", "  "),
            (0, 1, "Jane.", "\n"),
            (1, 0, "A dog.", ""),
        )
    ]
    assert done[0] == "done"
    assert done[1]["model"] == "fake"
    assert done[1]["usage"]["characters"] == len("Hello world.  Jane.\nA dog.")


@pytest.mark.parametrize(
    "changes",
    [
        {"text": ["  Hello world.  Jane visits!\n\n- The dog. \n", "", " ", "1 {name}"]},
        {"text": ["<p>Hello <b>world</b>. Jane.</p>\n<p>A dog.</p><hr>"], "format": "html"},
        {"text": ["Hello\nworld. Jane."], "split_sentences": "off", "samples": 2, "seed": 3},
    ],
)
def test_joined_it_is_what_translate_answers(babbling: AppClient, changes: dict[str, Any]) -> None:
    found = events(babbling, **changes)
    whole = babbling.translate(**changes).json()
    assert joined(found, len(changes["text"])) == [one["text"] for one in whole["translations"]]
    warnings = {data["item"]: data["warnings"] for name, data in found if name == "warnings"}
    assert warnings == {
        i: one["warnings"] for i, one in enumerate(whole["translations"]) if "warnings" in one
    }
    assert found[-1] == ("done", {"model": whole["model"], "usage": whole["usage"]})


def test_details_are_answered_where_asked_for(client: AppClient) -> None:
    options = {"n_best": 2, "return_scores": True, "return_alignments": True, "return_words": True}
    (_, data), (_, second), _ = events(client, text="Hello world. Jane.", **options)
    assert [one["score"] < 0 for one in data["candidates"]] == [True, True]
    assert data["score"] == data["candidates"][0]["score"]
    assert data["alignments"][0] == {"source": [0, 5], "target": [0, 5]}
    assert data["words"][0]["target"][0] == [0, 5]
    assert second["alignments"][0] == {"source": [13, 17], "target": [0, 4]}


def test_the_language_found_comes_before_its_text(client: AppClient) -> None:
    found = events(client, text=[GERMAN, ENGLISH, FRENCH], source="auto")
    assert [(name, data.get("item"), data.get("language")) for name, data in found] == [
        ("detected", 0, "de"),
        ("sentence", 0, None),
        ("sentence", 0, None),
        ("detected", 1, "en"),
        ("sentence", 1, None),
        ("detected", 2, "fr"),
        ("sentence", 2, None),
        ("done", None, None),
    ]
    assert found[4][1]["text"] == ENGLISH
    assert found[-1][1]["model"] == "german, fake"


class Looping(EchoStepper):
    """Says one word for ever."""

    def distribution(self, src: Sequence[int], prefix: Sequence[int]) -> Floats:
        return super().distribution([src[0]] * (len(prefix) + 2), prefix)


def test_what_is_doubtful_is_said_after_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.text.sentence_search.second_try", lambda *_: None)
    with open_app(echo(fake_bundle(), stepper=Looping(VOCAB_SIZE))) as client:
        found = events(client, text=["1. Jane.", "2"], beam_size=1)
    assert [name for name, _ in found] == ["sentence", "sentence", "warnings", "sentence", "done"]
    assert found[2][1] == {
        "item": 0,
        "warnings": [
            "sentence 2 repeats itself",
            "sentence 2 was cut off at the longest length allowed",
        ],
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"target": "de"}, 404),
        ({"text": "a\x00"}, 422),
        ({"text": []}, 422),
        ({"beam_size": 40}, 422),
        ({"stream": True}, 422),
    ],
)
def test_what_can_be_refused_is_refused_before(
    client: AppClient, changes: dict[str, Any], status: int
) -> None:
    problem_of(stream(client, **changes), status)


def test_other_refusals_are_plain_problems_too(client: AppClient) -> None:
    small = echo(fake_bundle(), engine=EngineSettings(max_waiting=1))
    with open_app(small) as crowded:
        problem_of(stream(crowded, text="Hello. Jane. A dog."), 422)
    problem_of(client.post("/v1/translate/stream", content="{}"), 415)
    problem_of(client.post("/v1/translate/stream", content=b" " * 2_000_000), 413)


def poisoned() -> Translator:
    poison = [small_tokenizer().encode("z")[-1]]
    stepper = GatedStepper(VOCAB_SIZE, open_gate=True, poison=poison)
    return echo(fake_bundle(), stepper=stepper)


def test_a_failure_is_the_last_event(capsys: pytest.CaptureFixture[str]) -> None:
    with open_app(poisoned()) as client:
        sentence, (name, problem) = events(client, text="Hello world. Zz. Jane.")
    assert sentence[1]["text"] == "Hello world."
    assert (name, problem["status"], problem["type"]) == (
        "error", 500, "urn:seq2serve:problem:engine",
    )  # fmt: skip
    assert problem["request_id"]
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["status"] for one in logged if one["event"] == "stream_failed"] == [500]


def test_a_bug_is_the_last_event_and_logged(
    client: AppClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(REQUEST["text"])

    monkeypatch.setattr("serving.routes.answers.sentence_body", broken)
    ((name, problem),) = events(client)
    assert (name, problem["status"]) == ("error", 500)
    logged = capsys.readouterr().err
    assert '"event": "bug"' in logged
    assert "Jane" not in logged + str(problem)


def test_the_deadline_ends_a_stream() -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    limits = {"deadline_s": 0.05}
    with open_app(echo(fake_bundle(), Limits(**limits), stepper), limits=limits) as client:
        ((name, problem),) = events(client)
        stepper.open()
    assert (name, problem["status"]) == ("error", 504)


def test_texts_are_counted_when_they_are_finished() -> None:
    with open_app(poisoned()) as client:
        events(client, text=["Hello.", "Zz."])
        metrics = client.get("/metrics").text
    assert 'mt_source_chars_total{model="fake",pair="fr-en"} 6.0' in metrics


def test_a_client_that_leaves_frees_the_engine_within_a_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stepper = GatedStepper(VOCAB_SIZE)
    translator = echo(fake_bundle(), stepper=stepper)
    body = REQUEST | {"text": "Jane. Hello world, this is a small test. A dog.", "beam_size": 1}
    with on_loopback(translator) as url:
        with httpx.stream("POST", f"{url}/v1/translate/stream", json=body, timeout=60) as answer:
            lines = answer.iter_lines()
            tokens = len(small_tokenizer().encode_source("Jane."))
            for _ in range(tokens):
                stepper.wait_until_asked()
                stepper.allow()
            assert next(lines) == "event: sentence"
            stepper.wait_until_asked()
        while translator.engine.stats().cancelled == 0:
            steps = stepper.steps
            stepper.allow()
        assert translator.engine.drain(PATIENCE_S)
    assert stepper.running == {}
    assert stepper.steps <= steps + 2
    assert translator.engine.stats().done == 1
    assert '"status": 499' in capsys.readouterr().err
