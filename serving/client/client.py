"""The client for programs that wait."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from types import TracebackType
from typing import Self, Unpack

import httpx

from serving.client import wire
from serving.client.answers import (
    Answer,
    Detected,
    Dictionary,
    Document,
    Event,
    Glossary,
    Model,
)
from serving.client.calls import Calls, Connection, DocumentOptions, Options
from serving.client.exchange import Lost, Reply, Result, Retries, Send, Steps, Wait
from serving.client.resumption import ResumedStream

AUTO = "auto"


class Client:
    """Talks to one server; several threads may share it. Its errors: `serving.client.errors`."""

    def __init__(
        self,
        server: str | None = None,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Without `server` and `api_key`, SEQ2SERVE_SERVER and SEQ2SERVE_API_KEY say them.

        Raises:
            ConfigError: no server is named.
        """
        connection = Connection.of(server, api_key, retries or Retries())
        self._retries = connection.retries
        self._calls = Calls(connection.retries)
        self._http = httpx.Client(transport=transport, **wire.settings(connection))

    def translate(
        self,
        text: str | Sequence[str],
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[Options],
    ) -> Answer:
        """Translate one text or several; the answers come in their order."""
        return self._run(self._calls.translate(text, target, source, options))

    def detect(self, text: str | Sequence[str]) -> tuple[Detected, ...]:
        """The likeliest language of each text, among those that are translated."""
        return self._run(self._calls.detect(text))

    def models(self) -> tuple[Model, ...]:
        """All models, in order of preference."""
        return self._run(self._calls.models())

    def languages(self) -> dict[str, tuple[str, ...]]:
        """For each source language, the languages it is translated into."""
        return self._run(self._calls.languages())

    def send_document(
        self,
        name: str,
        content: bytes,
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[DocumentOptions],
    ) -> Document:
        """Have a file translated; the ending of its name tells its kind."""
        return self._run(self._calls.send_document(name, content, target, source, options))

    def document(self, document_id: str) -> Document:
        """How far a file is."""
        return self._run(self._calls.document(document_id))

    def fetch_document(self, document_id: str) -> bytes:
        """A translated file."""
        return self._run(self._calls.fetch_document(document_id))

    def finish_document(
        self, document: Document, report: Callable[[float], None] | None = None
    ) -> bytes:
        """Wait until a file is translated, however long, and fetch it.

        `report` is told its progress, from 0 to 1, now and then.
        """
        return self._run(self._calls.finish_document(document, report))

    def delete_document(self, document_id: str) -> None:
        """Have the server forget a file before its time."""
        self._run(self._calls.delete_document(document_id))

    def translate_document(
        self,
        name: str,
        content: bytes,
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[DocumentOptions],
    ) -> bytes:
        """A translated file, of which nothing is left on the server."""
        return self._run(self._calls.translate_document(name, content, target, source, options))

    def create_glossary(self, name: str, dictionaries: Sequence[Dictionary]) -> Glossary:
        """Keep a glossary, for the `glossary` option of `translate`."""
        return self._run(self._calls.create_glossary(name, dictionaries))

    def glossaries(self) -> tuple[Glossary, ...]:
        """All glossaries of this API key."""
        return self._run(self._calls.glossaries())

    def glossary(self, glossary_id: str) -> Glossary:
        """One of them."""
        return self._run(self._calls.glossary(glossary_id))

    def dictionaries(self, glossary_id: str) -> tuple[Dictionary, ...]:
        """The entries of a glossary."""
        return self._run(self._calls.dictionaries(glossary_id))

    def put_dictionary(self, glossary_id: str, dictionary: Dictionary) -> Glossary:
        """Replace the dictionary of two languages, or add it."""
        return self._run(self._calls.put_dictionary(glossary_id, dictionary))

    def delete_glossary(self, glossary_id: str) -> None:
        """Forget a glossary."""
        self._run(self._calls.delete_glossary(glossary_id))

    def translate_stream(
        self,
        text: str | Sequence[str],
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[Options],
    ) -> Iterator[Event]:
        """As `translate`, sentence by sentence as they are finished, in the order of the texts.

        Where the stream breaks off it goes on by another request, and nothing comes twice; `usage`
        is that of the last one.
        """
        stream = ResumedStream(text, target, source, options, self._retries)
        while not stream.is_done:
            response = self._run(stream.open())
            assert isinstance(response, httpx.Response)  # nosec B101 # for mypy
            with closing(response), suppress(httpx.TransportError):
                for chunk in response.iter_bytes():
                    yield from stream.feed(chunk)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, steps: Steps[Result]) -> Result:
        outcome: Reply | Lost | None = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            outcome = self._perform(effect)

    def _perform(self, effect: Send | Wait) -> Reply | Lost | None:
        if isinstance(effect, Wait):
            time.sleep(effect.seconds)
            return None
        request = self._http.build_request(**wire.request(effect))
        until = time.monotonic() + effect.timeout_s
        try:
            response = self._http.send(request, stream=True)
            if wire.is_opened(effect, response):
                return wire.opened(response)
            with closing(response):
                return wire.reply(response, b"".join(wire.before(until, response.iter_bytes())))
        except httpx.TransportError as error:
            return wire.lost(error)
