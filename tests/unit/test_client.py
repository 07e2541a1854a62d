"""Both clients, call for call, against a real server."""

import asyncio
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from serving import client as client_package
from serving.client import (
    AsyncClient,
    Client,
    DetectedItem,
    Dictionary,
    DocumentError,
    Done,
    FailedError,
    NotFoundError,
    RefusedError,
    Retries,
    Sentence,
    UnreachableError,
)
from tests.app_client import echo
from tests.fake_bundle import fake_bundle, small_tokenizer
from tests.gated_stepper import GatedStepper
from tests.loopback import on_loopback

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille. Hello\u2028world."


class Waiting:
    """`AsyncClient` as if it were `Client`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*given, **named)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name == "translate_stream":
            return lambda *given, **named: self._runner.run(_all(method(*given, **named)))
        return lambda *given, **named: self._runner.run(method(*given, **named))

    def __enter__(self) -> "Waiting":
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._runner.run(self._client.__aexit__(None, None, None))
        self._runner.close()


async def _all(events: Any) -> list[Any]:
    return [one async for one in events]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    poison = [small_tokenizer().encode("z")[-1]]
    stepper = GatedStepper(small_tokenizer().vocab_size, open_gate=True, poison=poison)
    with on_loopback(echo(fake_bundle(), stepper=stepper)) as url:
        yield url


@pytest.fixture(params=[Client, Waiting])
def client(server: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(server, retries=Retries(first_wait_s=0.01)) as opened:
        yield opened


def test_texts(client: Any) -> None:
    answer = client.translate(
        "Hello world.", source="fr", target="en", return_scores=True, n_best=2
    )
    assert answer.text == "Hello world."
    assert len(answer.translations[0].candidates) == 2
    assert answer.translations[0].score < 0
    assert answer.model == "fake"
    answer = client.translate([FRENCH, "Jane."], target="en")
    assert [one.text for one in answer.translations] == [FRENCH, "Jane."]
    assert answer.translations[0].detected.language == "fr"
    assert answer.usage.characters == len(FRENCH) + 5


def test_a_stream(client: Any) -> None:
    detected, *pieces, done = client.translate_stream([FRENCH], target="en")
    assert isinstance(detected, DetectedItem)
    assert all(isinstance(one, Sentence) for one in pieces)
    assert "".join(one.before + one.text + one.after for one in pieces) == FRENCH
    assert isinstance(done, Done)
    assert done.model == "fake"


def test_a_stream_that_fails_midway(client: Any) -> None:
    with pytest.raises(FailedError) as raised:
        list(client.translate_stream("Hello. Zz.", source="fr", target="en"))
    assert raised.value.status == 500
    with pytest.raises(NotFoundError):
        list(client.translate_stream("Hello.", source="fr", target="de"))


def test_languages_and_models(client: Any) -> None:
    (model,) = client.models()
    assert (model.name, model.source, model.target) == ("fake", "fr", "en")
    assert client.languages() == {"fr": ("en",)}


def test_detection(client: Any) -> None:
    found = client.detect([FRENCH, "The quick brown fox jumps over the lazy dog.", "1"])
    assert [one.language for one in found] == ["fr", "en", "fr"]
    assert found[0].confidence > 0.8
    assert found[2].confidence == 0
    assert client.detect(FRENCH) == found[:1]


def test_documents(client: Any) -> None:
    content = b"Hello world.\n\nJane.\n"
    assert client.translate_document("a.txt", content, source="fr", target="en") == content
    terms = {"entries": {"Jane": "Hund"}}
    options = {"source": "fr", "target": "en", "glossary": terms, "model": "fake"}
    assert b"Hund" in client.translate_document("a.txt", content, **options)
    document = client.send_document("a.txt", content, source="fr", target="en")
    assert client.finish_document(document) == content
    assert client.document(document.id).progress == 1
    assert client.fetch_document(document.id) == content
    assert client.delete_document(document.id) is None
    with pytest.raises(NotFoundError):
        client.document(document.id)


def test_documents_that_cannot_be(client: Any) -> None:
    with pytest.raises(RefusedError):
        client.send_document("a.exe", b"", source="fr", target="en")
    with pytest.raises(DocumentError, match="model failed"):
        client.translate_document("a.txt", b"Zz.", source="fr", target="en")


def test_glossaries(client: Any) -> None:
    given = Dictionary("fr", "en", {"chien": "hound", "parc": "park"})
    made = client.create_glossary("animals", [given])
    assert [(one.source, one.target, one.entry_count) for one in made.dictionaries] == [
        ("fr", "en", 2)
    ]
    assert made in client.glossaries()
    assert client.glossary(made.id) == made
    assert client.dictionaries(made.id) == (given,)
    fewer = Dictionary("fr", "en", {"chien": "dog"})
    assert client.put_dictionary(made.id, fewer).dictionaries[0].entry_count == 1
    answer = client.translate("Jane.", source="fr", target="en", glossary={"id": made.id})
    assert answer.text == "Jane."
    assert client.delete_glossary(made.id) is None
    with pytest.raises(NotFoundError):
        client.glossary(made.id)


def test_nobody_there() -> None:
    for kind in (Client, Waiting):
        with (
            kind("http://127.0.0.1:9", retries=Retries(attempts=2, first_wait_s=0.01)) as client,
            pytest.raises(UnreachableError),
        ):
            client.models()


def answering(replies: Sequence[httpx.Response], seen: list[httpx.Request]) -> httpx.MockTransport:
    remaining = iter(replies)

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return next(remaining)

    return httpx.MockTransport(handle)


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_it_tries_again_with_key_and_id(kind: Any) -> None:
    seen: list[httpx.Request] = []
    replies = [httpx.Response(502, text="bad gateway"), httpx.Response(200, json={"models": []})]
    transport = answering(replies, seen)
    retries = Retries(first_wait_s=0.01)
    with kind("http://server/prefix", "key", retries, transport) as client:
        assert client.models() == ()
    first, second = seen
    assert first.headers["authorization"] == "Bearer key"
    assert first.headers["x-request-id"] == second.headers["x-request-id"]
    assert str(first.url) == "http://server/prefix/v1/models"


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_another_kind_of_server(kind: Any) -> None:
    transport = answering([httpx.Response(200, text="hello")], [])
    with (
        kind("http://server", transport=transport) as client,
        pytest.raises(FailedError, match="not one of a Seq2Serve server"),
    ):
        client.models()


@pytest.mark.parametrize("kind", [Client, Waiting])
def test_a_stream_cut_off(kind: Any) -> None:
    piece = b'event: sentence\ndata: {"item":0,"sentence":0,"before":"","text":"a","after":""}\n\n'
    transport = answering([httpx.Response(200, content=piece)], [])
    with (
        kind("http://server", retries=Retries(attempts=1), transport=transport) as client,
        pytest.raises(UnreachableError, match="broke off"),
    ):
        list(client.translate_stream("a", target="en"))


def test_the_twins_take_the_same() -> None:
    def public(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(method).replace(return_annotation=None)
            for name, method in vars(kind).items()
            if not name.startswith("_")
        }

    assert public(Client) == public(AsyncClient)
    assert all(hasattr(client_package, name) for name in client_package.__all__)
