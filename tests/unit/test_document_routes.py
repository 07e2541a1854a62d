"""Whole files over the native interface, from the upload to the download."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.file_formats import open_file
from serving.routes.middleware import Facts
from serving.routing import Order
from serving.stores import documents
from tests.app_client import AppClient, open_app, problem_of

TERMS = {"Jane": "Hund"}
SRT = "1\n00:00:01,000 --> 00:00:02,000\nJane visite l'Afrique.\n"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[AppClient]:
    with open_app(documents={"folder": str(tmp_path / "documents")}, dialects=[]) as opened:
        yield opened


def send(client: AppClient, name: str = "talk.srt", content: str = SRT, **fields: str) -> Any:
    data = {"source": "fr", "target": "en"} | fields
    return client.post("/v1/documents", files={"file": (name, content.encode())}, data=data)


def wait(client: AppClient) -> None:
    async def until_done() -> None:
        while client.app.state.service.jobs:
            await asyncio.sleep(0.01)

    client.runner.run(until_done())


def delete(client: AppClient, path: str) -> httpx.Response:
    return client.runner.run(client.http.delete(path))


@pytest.mark.parametrize("source", ["fr", "auto"])
def test_a_file_is_sent_asked_for_fetched_and_forgotten(client: AppClient, source: str) -> None:
    sent = send(client, source=source)
    assert sent.status_code == 202
    assert sent.json() | {"id": ""} == {
        "id": "", "name": "talk.en.srt", "status": "queued", "progress": 0.0, "characters": 22,
    }  # fmt: skip
    path = f"/v1/documents/{sent.json()['id']}"
    problem_of(client.get(f"{path}/content"), 409)
    problem_of(delete(client, path), 409)
    wait(client)
    assert client.get(path).json() == sent.json() | {"status": "done", "progress": 1.0}
    fetched = client.get(f"{path}/content")
    assert fetched.content.decode() == SRT
    assert "talk.en.srt" in fetched.headers["content-disposition"]
    assert client.get(f"{path}/content").status_code == 200  # a lost connection may ask again
    assert delete(client, path).status_code == 204
    problem_of(client.get(path), 404)
    problem_of(delete(client, path), 404)


def test_terms_hold_in_a_file(client: AppClient) -> None:
    given = {"name": "g", "dictionaries": [{"source": "fr", "target": "en", "entries": TERMS}]}
    kept = client.post("/v1/glossaries", json=given).json()["id"]
    for choice in ({"id": kept}, {"entries": TERMS}):
        body = send(client, glossary=json.dumps(choice)).json()
        wait(client)
        fetched = client.get(f"/v1/documents/{body['id']}/content").text
        assert "Hund" in fetched
        assert fetched.startswith(SRT[:30])


@pytest.mark.parametrize(
    ("glossary", "status", "problem"),
    [
        ('{"id": "nothing"}', 404, "no such glossary"),
        ("nothing", 422, "glossary: Invalid JSON"),
        ("{}", 422, "glossary: needs either id or entries"),
        ('{"entries": {"a": " "}}', 422, "entry 1: a term is empty"),
    ],
)
def test_a_glossary_that_cannot_hold_is_refused_at_once(
    client: AppClient, glossary: str, status: int, problem: str
) -> None:
    assert problem in problem_of(send(client, glossary=glossary), status)["detail"]


def test_what_cannot_be_translated_is_refused_at_once(client: AppClient) -> None:
    assert "end in .txt" in problem_of(send(client, name="a.exe"), 422)["detail"]
    assert "only fr-en" in problem_of(send(client, target="de"), 404)["detail"]
    assert "only fr-en" in problem_of(send(client, target="de", source="auto"), 404)["detail"]
    problem_of(send(client, model="other"), 404)
    assert "target" in problem_of(send(client, target="<b>"), 422)["detail"]
    fields = {"source": "fr", "target": "en"}
    assert "file" in problem_of(client.post("/v1/documents", data=fields), 422)["detail"]


def test_a_document_that_fails_says_why(client: AppClient) -> None:
    body = send(client, name="a.txt", content="日本語").json()
    wait(client)
    found = client.get(f"/v1/documents/{body['id']}").json()
    assert found["status"] == "error"
    assert "the model knows none of its characters" in found["problem"]
    problem_of(client.get(f"/v1/documents/{body['id']}/content"), 409)
    assert delete(client, f"/v1/documents/{body['id']}").status_code == 204


def test_documents_with_a_key_are_not_to_be_found_by_id_alone(tmp_path: Path) -> None:
    with open_app(documents={"folder": str(tmp_path)}) as client:
        data = {"source_lang": "FR", "target_lang": "EN-GB"}
        sent = client.post("/v2/document", files={"file": ("a.srt", SRT.encode())}, data=data)
        problem_of(client.get(f"/v1/documents/{sent.json()['document_id']}"), 404)
        wait(client)


def test_progress_is_told_batch_by_batch(client: AppClient) -> None:
    """Three paragraphs of about 1,100 characters, at most 2,000 at a time."""
    file = open_file("a.txt", ("Jane visite l'Afrique. " * 48 + "\n\n").encode() * 3)
    service = client.app.state.service
    told: list[float] = []
    work = documents.translate(
        service, service.models, file, Order((), "fr", "en", lenient=True), Facts(""), told.append
    )
    client.runner.run(work)
    assert told == sorted(told)
    assert len(told) >= 2
    assert 0 < told[0] < told[-1] == 1.0


def test_files_may_be_larger_than_other_bodies(tmp_path: Path) -> None:
    sizes = {"documents": {"max_bytes": 3_000, "folder": str(tmp_path)}}
    with open_app(limits={"max_body_bytes": 500}, **sizes) as client:
        assert send(client, content=SRT * 10).status_code == 202
        problem_of(send(client, content=SRT * 100), 413)
        problem_of(client.translate(text="a" * 600), 413)
        wait(client)
