"""The native routes: what is asked, what is answered."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from serving.app import create_app
from serving.models import Models
from serving.settings import EngineSettings
from tests.app_client import (
    REQUEST,
    SENTENCE,
    AppClient,
    echo,
    open_app,
    problem_of,
    settings_with,
)
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper
from tests.gated_stepper import GatedStepper


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    gru = echo(fake_bundle(name="gru", family="gru"))
    german = echo(fake_bundle(name="de", source_language="de"))
    with open_app(echo(fake_bundle(name="transformer")), gru, german) as opened:
        yield opened


def test_one_text(client: AppClient) -> None:
    response = client.translate()
    assert response.status_code == 200
    body = response.json()
    assert body["translations"] == [{"text": SENTENCE}]
    assert body["model"] == "transformer"
    assert body["usage"]["characters"] == len(SENTENCE)
    assert body["usage"]["source_tokens"] == body["usage"]["output_tokens"] > 0


def test_several_texts_come_back_in_order_and_layout(client: AppClient) -> None:
    texts = ["Jane visite Africa.\n\n  Hello world.", "", " \n", "Hello."]
    body = client.translate(text=texts).json()
    assert [one["text"] for one in body["translations"]] == texts


def test_the_model_is_chosen_by_pair_and_name(client: AppClient) -> None:
    assert client.translate(model="gru").json()["model"] == "gru"
    assert client.translate(source="DE", target="EN").json()["model"] == "de"


def test_candidates_scores_and_alignments(client: AppClient) -> None:
    options = {"n_best": 2, "return_scores": True, "return_alignments": True}
    (one,) = client.translate(text="Hello world.", **options).json()["translations"]
    first, second = one["candidates"]
    assert first == {"text": one["text"], "score": one["score"]}
    assert second["score"] < first["score"] < 0
    assert one["alignments"][:2] == [
        {"source": [0, 5], "target": [0, 5]},
        {"source": [6, 11], "target": [6, 11]},
    ]


def test_words_of_every_candidate(client: AppClient) -> None:
    options = {"n_best": 2, "return_words": True}
    (one,) = client.translate(text="Hello world.", **options).json()["translations"]
    (sentence,) = one["words"]
    assert sentence["source"] == sentence["target"] == [[0, 5], [6, 11], [11, 12]]
    assert all(0 < sure <= 1 for sure in sentence["probabilities"])
    assert [row.index(max(row)) for row in sentence["attention"]] == [0, 1, 2]
    assert [sum(row) for row in sentence["attention"]] == pytest.approx([1, 1, 1], abs=1e-3)
    first, second = one["candidates"]
    assert first["words"] == one["words"]
    spans = [span for sentence in second["words"] for span in sentence["target"]]
    assert all(second["text"][start:end].strip() for start, end in spans)


def test_only_what_was_asked_for_is_answered(client: AppClient) -> None:
    (one,) = client.translate(n_best=2).json()["translations"]
    assert one.keys() == {"text", "candidates"}
    assert one["candidates"][0].keys() == {"text"}


def test_length_penalty_changes_scores(client: AppClient) -> None:
    def score(alpha: float) -> float:
        answer = client.translate(length_penalty=alpha, return_scores=True).json()
        return float(answer["translations"][0]["score"])

    assert score(0) < score(1) < 0  # a sum of log-probabilities against a share of it


def test_n_best_alone_widens_the_beam() -> None:
    with open_app(search={"beam_size": 1}) as client:
        assert len(client.translate(n_best=3).json()["translations"][0]["candidates"]) == 3


def test_samples_come_as_they_were_drawn(client: AppClient) -> None:
    def candidates(**options: Any) -> list[dict[str, Any]]:
        asked = {"samples": 6, "return_scores": True, "return_alignments": True, **options}
        (one,) = client.translate(text="Hello world.", **asked).json()["translations"]
        assert one["candidates"][0] == {"text": one["text"], "score": one["score"]}
        found: list[dict[str, Any]] = one["candidates"]
        return found

    hot = candidates(temperature=3, seed=1)
    assert len({one["text"] for one in hot}) == 6
    assert candidates(temperature=3, seed=1) == hot
    assert candidates(temperature=3, seed=2) != hot
    assert candidates(temperature=3, seed=1, samples=3) == hot[:3]
    for cut in ({"top_k": 1}, {"top_p": 0.5}, {"temperature": 0.01}):
        assert {one["text"] for one in candidates(seed=1, **cut)} == {"Hello world."}


def test_one_sample_is_one_text() -> None:
    with open_app(search={"n_best": 2}) as client:  # of searches: no matter for samples
        (one,) = client.translate(samples=1, top_k=1).json()["translations"]
    assert one == {"text": SENTENCE}


def test_models_are_listed_with_their_facts() -> None:
    score = {"metric": "BLEU", "value": 31.25, "signature": "nrefs:1", "test_set": "test"}
    with open_app(echo(fake_bundle(name="small", scores=[score], parameters=7))) as client:
        (model,) = client.get("/v1/models").json()["models"]
    assert (model["name"], model["family"]) == ("small", "transformer")
    assert (model["source"], model["target"]) == ("fr", "en")
    assert (model["parameters"], model["precision"]) == (7, "fp32")
    assert model["licence"] == "CC0-1.0"
    assert model["scores"] == [score | {"precision": "fp32"}]


def test_request_ids_are_kept_or_made(client: AppClient) -> None:
    kept = client.get("/livez", headers={"X-Request-ID": "job-7.a_B"})
    assert kept.headers["x-request-id"] == "job-7.a_B"
    for bad in ("x" * 65, "two words", "<script>"):
        made = client.get("/livez", headers={"X-Request-ID": bad})
        assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])


def test_probes_before_during_and_after(client: AppClient) -> None:
    assert client.get("/livez").json() == client.get("/readyz").json() == {"status": "ok"}
    with open_app() as draining:
        draining.app.state.service.drain()
        assert draining.get("/livez").status_code == 200
        for response in (draining.get("/readyz"), draining.translate()):
            assert problem_of(response, 503)["type"].endswith(":unavailable")
            assert int(response.headers["retry-after"]) >= 1


def test_not_ready_before_the_models_are_open() -> None:
    client = AppClient(create_app(lambda: Models([]), settings_with()))
    with client.runner:  # the application has not been started
        assert client.get("/livez").status_code == 200
        for response in (client.get("/readyz"), client.get("/v1/models"), client.translate()):
            problem_of(response, 503)


def test_not_ready_with_a_broken_engine() -> None:
    bundle = fake_bundle()
    failing = EchoStepper(bundle.manifest.vocab_size, fail_after=0)
    engine = EngineSettings(failure_limit=2)
    with open_app(echo(bundle, stepper=failing, engine=engine)) as client:
        assert client.get("/readyz").status_code == 200
        for _ in range(2):
            assert problem_of(client.translate(), 500)["type"] == "urn:seq2serve:problem:engine"
        problem_of(client.get("/readyz"), 503)


def test_metrics_count_without_text() -> None:
    with open_app() as client:
        client.translate()
        client.translate(text="a\0b")
        client.get("/nowhere/secret")
        text = client.get("/metrics").text
    labels = 'model="fake",pair="fr-en"'
    assert f'mt_requests_total{{{labels},route="/v1/translate",status="200"}} 1.0' in text
    assert f'mt_requests_total{{{labels},route="/v1/translate",status="422"}} 1.0' in text
    assert 'mt_requests_total{model="",pair="",route="other",status="404"} 1.0' in text
    assert f"mt_source_chars_total{{{labels}}} {len(SENTENCE)}.0" in text
    for status in (200, 422):
        of = f'{labels},route="/v1/translate",status="{status}"'
        assert f"mt_request_duration_seconds_count{{{of}}} 1.0" in text
    assert 'mt_engine_running_rows{model="fake"} 0.0' in text
    assert 'mt_engine_waiting{model="fake"} 0.0' in text
    assert "secret" not in text
    assert "Jane" not in text


def test_engine_gauges_show_what_runs() -> None:
    stepper = GatedStepper(fake_bundle().manifest.vocab_size)
    with open_app(echo(fake_bundle(), stepper=stepper)) as client:

        async def scrape_while_running() -> str:
            work = asyncio.create_task(client.http.post("/v1/translate", json=REQUEST))
            await asyncio.to_thread(stepper.wait_until_asked)
            stepper.allow()
            await asyncio.to_thread(stepper.wait_until_asked)  # so the first step is done
            text = (await client.http.get("/metrics")).text
            stepper.open()
            assert (await work).status_code == 200
            return text

        text = client.runner.run(scrape_while_running())
    (rows,) = re.findall(r'mt_engine_running_rows{model="fake"} (.*)', text)
    assert 1 <= float(rows) <= 5  # hypotheses of a beam of five


def test_openapi_describes_every_route_with_examples(client: AppClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = {"/v1/translate", "/v1/translate/stream", "/v1/detect", "/v1/models"}
    paths |= {"/livez", "/readyz", "/metrics"}
    paths |= {f"/v1/documents{rest}" for rest in ("", "/{document_id}", "/{document_id}/content")}
    paths |= {f"/v1/glossaries{rest}" for rest in ("", "/{glossary_id}")}
    paths |= {"/v1/glossaries/{glossary_id}/dictionaries"}
    tagged = {path for path, one in document["paths"].items() if "tags" in str(one)}
    assert document["paths"].keys() - tagged == paths  # dialects' routes carry their name
    schemas = document["components"]["schemas"]
    assert schemas["TranslateRequest"]["examples"][0]["source"] == "fr"
    assert schemas["TranslateResponse"]["examples"]
    post = document["paths"]["/v1/translate"]["post"]["responses"]
    assert post.keys() == {
        "200", "400", "401", "403", "404", "408", "413", "415", "422", "429", "500", "503", "504",
    }  # fmt: skip
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= schemas.keys()
    assert "/openapi.json" in client.get("/docs").text


def test_the_documented_examples_work(client: AppClient) -> None:
    document = client.get("/openapi.json").json()
    for example in document["components"]["schemas"]["TranslateRequest"]["examples"]:
        assert client.post(json=example).status_code == 200


def test_a_bug_is_a_problem_and_a_log_line_without_the_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    translator = echo(fake_bundle())

    async def broken(texts: list[str], *_: object) -> None:
        raise RuntimeError(f"cannot digest {texts}")

    monkeypatch.setattr(translator, "translate_async", broken)
    with open_app(translator) as client:
        body = problem_of(client.translate(), 500)
    log = capsys.readouterr().err
    assert "Afrique" not in body["detail"] + log
    (bug,) = [line for line in map(json.loads, log.splitlines()) if line["event"] == "bug"]
    assert bug["request_id"] == body["request_id"]
    assert bug["error"] == "RuntimeError"
    assert any("broken" in place for place in bug["at"])


def test_a_full_queue_says_when_to_come_back() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    engine = EngineSettings(max_rows=5, max_waiting=1)  # one runs, one waits
    with open_app(echo(bundle, stepper=stepper, engine=engine)) as client:

        async def crowd() -> list[int]:
            first = asyncio.create_task(client.http.post("/v1/translate", json=REQUEST))
            await asyncio.to_thread(stepper.wait_until_asked)
            second = asyncio.create_task(client.http.post("/v1/translate", json=REQUEST))
            await asyncio.sleep(0.05)
            third = await client.http.post("/v1/translate", json=REQUEST)
            assert problem_of(third, 429)
            assert int(third.headers["retry-after"]) >= 1
            stepper.open()
            return [(await first).status_code, (await second).status_code]

        assert client.runner.run(crowd()) == [200, 200]


def test_a_late_answer_is_a_timeout() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    with open_app(echo(bundle, stepper=stepper), limits={"deadline_s": 0.05}) as client:
        assert problem_of(client.translate(), 504)["type"] == "urn:seq2serve:problem:deadline"
        stepper.open()


def test_no_request_waits_for_a_thread_only_to_begin(
    client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI runs plain functions in threads; a fifth of a short request's time went there."""

    async def refuse(function: object, *_: object, **__: object) -> None:
        pytest.fail(f"{function} is not async")

    for module in ("fastapi.routing", "fastapi.dependencies.utils"):
        monkeypatch.setattr(f"{module}.run_in_threadpool", refuse)
    assert client.translate().status_code == 200
    for path in ("/readyz", "/livez", "/metrics", "/v1/models", "/v1/glossaries", "/languages"):
        assert client.get(path).status_code == 200
    assert client.get("/v1/memory").status_code in (403, 404, 405)
    assert client.post("/v1/detect", json={"text": SENTENCE}).status_code == 200
