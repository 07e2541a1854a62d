"""Every bad request is one problem body under 2 KiB that never repeats what was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.app_client import REQUEST, AppClient, echo, open_app, problem_of
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

SECRET = "Geheimnis"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    with open_app(limits={"max_body_bytes": 300_000, "body_timeout_s": 0.2}) as opened:
        yield opened


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"text": SECRET * 20_000}, 422, None),
        ({"text": f"{SECRET}\0"}, 422, None),
        ({"text": f"{SECRET}\ud800"}, 422, "/text/0"),
        ({"text": ["a", f"\udfff{SECRET}"]}, 422, "/text/1"),
        ({"text": [f"{SECRET} " * 600] * 5, "beam_size": 16}, 422, None),
        ({"text": "日本語"}, 422, None),
        ({"text": []}, 422, "/text"),
        ({"text": 5}, 422, "/text"),
        ({"text": {SECRET: SECRET}}, 422, "/text"),
        ({"text": ["a", 7]}, 422, "/text/1"),
        ({"text": None}, 422, "/text"),
        ({"text": [SECRET] * 129}, 422, None),
        ({"text": [7] * 10_000}, 422, "/text/0"),
        ({"source": "xx"}, 404, None),
        ({"target": "fr"}, 404, None),
        ({"source": SECRET}, 422, "/source"),
        ({"source": ""}, 422, "/source"),
        ({"model": SECRET}, 404, None),
        ({"model": f"../{SECRET}"}, 422, "/model"),
        ({"beam_size": 0}, 422, "/beam_size"),
        ({"beam_size": 10_000}, 422, "/beam_size"),
        ({"beam_size": 17}, 422, None),
        ({"beam_size": "5"}, 422, "/beam_size"),
        ({"beam_size": True}, 422, "/beam_size"),
        ({"beam_size": 2.5}, 422, "/beam_size"),
        ({"n_best": 0}, 422, "/n_best"),
        ({"n_best": 6, "beam_size": 5}, 422, None),
        ({"length_penalty": -1}, 422, "/length_penalty"),
        ({"length_penalty": float("nan")}, 422, "/length_penalty"),
        ({"samples": -1}, 422, "/samples"),
        ({"samples": 65}, 422, "/samples"),
        ({"samples": 17}, 422, None),
        ({"samples": "2"}, 422, "/samples"),
        ({"samples": True}, 422, "/samples"),
        ({"samples": 2, "beam_size": 2}, 422, None),
        ({"samples": 2, "n_best": 2}, 422, None),
        ({"temperature": 0.7}, 422, None),
        ({"top_k": 5}, 422, None),
        ({"top_p": 0.5}, 422, None),
        ({"samples": 0, "top_p": 0.5}, 422, None),
        ({"samples": 1, "temperature": 0}, 422, "/temperature"),
        ({"samples": 1, "temperature": 10.5}, 422, "/temperature"),
        ({"samples": 1, "temperature": float("inf")}, 422, "/temperature"),
        ({"samples": 1, "temperature": "1"}, 422, "/temperature"),
        ({"samples": 1, "top_k": 0}, 422, "/top_k"),
        ({"samples": 1, "top_k": 2.5}, 422, "/top_k"),
        ({"samples": 1, "top_p": 0}, 422, "/top_p"),
        ({"samples": 1, "top_p": 1.5}, 422, "/top_p"),
        ({"samples": 1, "top_p": float("nan")}, 422, "/top_p"),
        ({"samples": 1, "seed": -1}, 422, "/seed"),
        ({"samples": 1, "seed": 2**32}, 422, "/seed"),
        ({"samples": 1, "seed": SECRET}, 422, "/seed"),
        ({"return_scores": "yes"}, 422, "/return_scores"),
        ({SECRET: 1}, 422, ""),
        ({f"{SECRET}\ud800": 1}, 422, ""),
    ],
)
def test_bad_fields(
    client: AppClient, changes: dict[str, Any], status: int, pointer: str | None
) -> None:
    response = client.post(content=json.dumps(REQUEST | changes), headers=JSON)
    body = problem_of(response, status)
    assert SECRET not in response.text
    pointers = [error["pointer"] for error in body.get("errors", [])]
    assert pointers[:1] == ([] if pointer is None else [pointer])


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b'{"text": "Geheimnis"', 400),
        (b"Geheimnis", 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 50_000, 400),
        (b"\xff\xfe\xff", 400),
        (b'{"text": "\xc3("}', 400),
        (b'{"beam_size": ' + b"9" * 5_000 + b"}", 400),
        (b"[]", 422),
        (b'"Geheimnis"', 422),
        (b"null", 422),
        (b"1e999", 422),
        (b"{}", 422),
    ],
)
def test_bad_bodies(client: AppClient, content: bytes, status: int) -> None:
    response = client.post(content=content, headers=JSON)
    problem_of(response, status)
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "Geheimnis"},
    ],
)
def test_other_content_types(client: AppClient, headers: dict[str, str]) -> None:
    response = client.post(content=b"text=Geheimnis", headers=headers)
    assert "application/json" in problem_of(response, 415)["detail"]
    assert SECRET not in response.text


def test_encoded_bodies(client: AppClient) -> None:
    response = client.post(json=REQUEST, headers={"Content-Encoding": "gzip"})
    assert "compressed" in problem_of(response, 415)["detail"]


def test_content_type_parameters_are_fine(client: AppClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post(content=json.dumps(REQUEST), headers=headers).status_code == 200


def test_a_large_body_is_refused_by_its_announcement(client: AppClient) -> None:
    async def never_sent() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = JSON | {"Content-Length": str(10**9)}
    problem_of(client.post(content=never_sent(), headers=headers), 413)


def test_a_large_body_is_refused_while_it_comes(client: AppClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b" " * 100_000
        raise AssertionError("read beyond the limit")

    problem_of(client.post(content=endless(), headers=JSON), 413)


def test_a_slow_body_is_given_up(client: AppClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    response = client.post(content=slow(), headers=JSON)
    problem_of(response, 408)
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    "name",
    [
        "x-request-timeout-seconds",
        "X-Request-Timeout-Seconds",
        "x-request-disconnect-disabled",
        "serve_multiplexed_model_id",
        "serve-multiplexed-model-id",
        "x-serve-router-key",
    ],
)
def test_nobody_outside_steers_ray_serve(client: AppClient, name: str) -> None:
    response = client.post(json=REQUEST, headers={name: "1000000"})
    assert "headers" in problem_of(response, 400)["detail"]
    assert client.get("/livez", headers={name: "1"}).status_code == 400


def test_unknown_addresses_and_methods(client: AppClient) -> None:
    for path in (f"/{SECRET}", f"/v1/translate/{SECRET}", "/v1/translate/", "/v1"):
        response = client.get(path)
        problem_of(response, 404)
        assert SECRET not in response.text
    refused = client.get("/v1/translate")
    problem_of(refused, 405)
    assert refused.headers["allow"] == "POST"
    problem_of(client.post("/livez"), 405)


def test_the_answers_name_what_there_is(client: AppClient) -> None:
    assert "fr-en" in problem_of(client.translate(source="xx"), 404)["detail"]
    assert "fake" in problem_of(client.translate(model="other"), 404)["detail"]


def test_nothing_of_the_text_is_logged(
    client: AppClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("Jane Afrique", "Afrique \0", "Afrique" * 5_000, ["Afrique", 1]):
        client.translate(text=text)
    client.translate(model="Afrique")
    client.get("/Afrique?q=Afrique", headers={"X-Request-ID": "Afrique!"})
    log = capsys.readouterr().err
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["status"] for event in events] == [200, 422, 422, 422, 404, 404]
    assert "Afrique" not in log


def test_a_client_that_leaves_frees_the_engine() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    translator = echo(bundle, stepper=stepper)
    with open_app(translator) as client:
        client.runner.run(_leave_when_asked(client, stepper))
        stepper.open()
        client.runner.run(_until(lambda: translator.engine.stats().cancelled == 1))
        assert translator.engine.stats().running == 0
        assert 'status="499"' in client.get("/metrics").text


async def _leave_when_asked(client: AppClient, stepper: GatedStepper) -> None:
    """One request by hand: its body, then, once the engine works on it, a disconnect."""
    body = json.dumps(REQUEST).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.to_thread(stepper.wait_until_asked)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        return

    scope = {
        "type": "http", "method": "POST", "path": "/v1/translate", "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    await client.app(scope, receive, send)


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
