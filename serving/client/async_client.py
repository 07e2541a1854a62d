"""The client for event loops: as `Client`, call for call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
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
from serving.client.client import AUTO
from serving.client.exchange import Lost, Reply, Result, Retries, Send, Steps, Wait
from serving.client.resumption import ResumedStream


class AsyncClient:
    """Talks to one server; several tasks may share it. Its errors: `serving.client.errors`."""

    def __init__(
        self,
        server: str | None = None,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Without `server` and `api_key`, SEQ2SERVE_SERVER and SEQ2SERVE_API_KEY say them.

        Raises:
            ConfigError: no server is named.
        """
        connection = Connection.of(server, api_key, retries or Retries())
        self._retries = connection.retries
        self._calls = Calls(connection.retries)
        self._http = httpx.AsyncClient(transport=transport, **wire.settings(connection))

    async def translate(
        self,
        text: str | Sequence[str],
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[Options],
    ) -> Answer:
        """Translate one text or several; the answers come in their order."""
        return await self._run(self._calls.translate(text, target, source, options))

    async def detect(self, text: str | Sequence[str]) -> tuple[Detected, ...]:
        """The likeliest language of each text, among those that are translated."""
        return await self._run(self._calls.detect(text))

    async def models(self) -> tuple[Model, ...]:
        """All models, in order of preference."""
        return await self._run(self._calls.models())

    async def languages(self) -> dict[str, tuple[str, ...]]:
        """For each source language, the languages it is translated into."""
        return await self._run(self._calls.languages())

    async def send_document(
        self,
        name: str,
        content: bytes,
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[DocumentOptions],
    ) -> Document:
        """Have a file translated; the ending of its name tells its kind."""
        return await self._run(self._calls.send_document(name, content, target, source, options))

    async def document(self, document_id: str) -> Document:
        """How far a file is."""
        return await self._run(self._calls.document(document_id))

    async def fetch_document(self, document_id: str) -> bytes:
        """A translated file."""
        return await self._run(self._calls.fetch_document(document_id))

    async def finish_document(
        self, document: Document, report: Callable[[float], None] | None = None
    ) -> bytes:
        """Wait until a file is translated, however long, and fetch it.

        `report` is told its progress, from 0 to 1, now and then.
        """
        return await self._run(self._calls.finish_document(document, report))

    async def delete_document(self, document_id: str) -> None:
        """Have the server forget a file before its time."""
        await self._run(self._calls.delete_document(document_id))

    async def translate_document(
        self,
        name: str,
        content: bytes,
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[DocumentOptions],
    ) -> bytes:
        """A translated file, of which nothing is left on the server."""
        return await self._run(
            self._calls.translate_document(name, content, target, source, options)
        )

    async def create_glossary(self, name: str, dictionaries: Sequence[Dictionary]) -> Glossary:
        """Keep a glossary, for the `glossary` option of `translate`."""
        return await self._run(self._calls.create_glossary(name, dictionaries))

    async def glossaries(self) -> tuple[Glossary, ...]:
        """All glossaries of this API key."""
        return await self._run(self._calls.glossaries())

    async def glossary(self, glossary_id: str) -> Glossary:
        """One of them."""
        return await self._run(self._calls.glossary(glossary_id))

    async def dictionaries(self, glossary_id: str) -> tuple[Dictionary, ...]:
        """The entries of a glossary."""
        return await self._run(self._calls.dictionaries(glossary_id))

    async def put_dictionary(self, glossary_id: str, dictionary: Dictionary) -> Glossary:
        """Replace the dictionary of two languages, or add it."""
        return await self._run(self._calls.put_dictionary(glossary_id, dictionary))

    async def delete_glossary(self, glossary_id: str) -> None:
        """Forget a glossary."""
        await self._run(self._calls.delete_glossary(glossary_id))

    async def translate_stream(
        self,
        text: str | Sequence[str],
        *,
        target: str,
        source: str = AUTO,
        **options: Unpack[Options],
    ) -> AsyncIterator[Event]:
        """As `translate`, sentence by sentence as they are finished, in the order of the texts.

        Where the stream breaks off it goes on by another request, and nothing comes twice; `usage`
        is that of the last one.
        """
        stream = ResumedStream(text, target, source, options, self._retries)
        while not stream.is_done:
            response = await self._run(stream.open())
            assert isinstance(response, httpx.Response)  # nosec B101 # for mypy
            async with aclosing(response):
                with suppress(httpx.TransportError):
                    async for chunk in response.aiter_bytes():
                        for event in stream.feed(chunk):
                            yield event

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, steps: Steps[Result]) -> Result:
        outcome: Reply | Lost | None = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            outcome = await self._perform(effect)

    async def _perform(self, effect: Send | Wait) -> Reply | Lost | None:
        if isinstance(effect, Wait):
            await asyncio.sleep(effect.seconds)
            return None
        request = self._http.build_request(**wire.request(effect))
        try:
            async with asyncio.timeout(effect.timeout_s):
                response = await self._http.send(request, stream=True)
                if wire.is_opened(effect, response):
                    return wire.opened(response)
                async with aclosing(response):
                    return wire.reply(response, await response.aread())
        except TimeoutError:
            return Lost(sent=True, timed_out=True)
        except httpx.TransportError as error:
            return wire.lost(error)
