"""Texts to the translators of their languages, and the answers back in order.

Every interface, native or dialect, translates through here: this alone decides on languages,
watches whether the client is still there, and counts what was translated.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Coroutine,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from mt.bundle import Manifest
from mt.search_options import SearchOptions
from serving.models import Models, pair
from serving.routes.middleware import Facts
from serving.routing import Group, Order, route
from serving.schemas import Usage
from serving.service import Service
from serving.text.detection import Detection
from serving.translation import Candidate, Piece, Translation, join

Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer:
    """One text's translation, and by which model: none where the text came back as it is."""

    translation: Translation
    spoken: Detection
    """Its language: as given, or as detected."""
    model: str | None = None
    from_memory: bool = False
    """Whether people made it."""


@dataclass(frozen=True)
class AnswerStream:
    """One text's translation as it grows; otherwise as `Answer`."""

    pieces: AsyncGenerator[Piece]
    spoken: Detection
    model: str | None = None


def service_of(request: Request) -> Service:
    """The state of the application that a request came to."""
    service: Service = request.app.state.service
    return service


async def asked_service(request: Request) -> Service:
    """The same for FastAPI, which would run a plain function in a thread, for every request."""
    return service_of(request)


async def translate(request: Request, order: Order) -> list[Answer]:
    """One answer for each text, in their order. The request's body must have been read.

    Raises:
        ClientDisconnect: the client left; the work was cancelled.
        MTError: as `answer`.
    """
    service = service_of(request)
    work = answer(service, service.models, order, request.state.facts)
    return await unless_disconnected(request, work)


async def answer(service: Service, models: Models, order: Order, facts: Facts) -> list[Answer]:
    """One answer for each text, in their order, for whoever asks; `facts` learn of the models.

    Raises:
        MTError: as `Translator.translate_async`, and UnknownModelError.
    """
    routed = await route(service, models, order, facts)
    async with service.access.charging(facts.caller, sum(map(len, order.texts))):
        translated = await _all(
            [_translate(service, group, order, routed.options) for group in routed.groups]
        )
    answers = [
        Answer(unchanged(routed.recalled.get(i, text)), spoken, from_memory=i in routed.recalled)
        for i, (text, spoken) in enumerate(zip(order.texts, routed.spoken, strict=True))
    ]
    for group, translations in zip(routed.groups, translated, strict=True):
        for place, translation in zip(group.places, translations, strict=True):
            name = group.translator.manifest.name
            answers[place] = Answer(translation, routed.spoken[place], name)
    return answers


@asynccontextmanager
async def stream(
    service: Service, models: Models, order: Order, facts: Facts
) -> AsyncIterator[list[AnswerStream]]:
    """As `answer`, each in pieces as they are finished; leaving stops what is under way.

    Raises:
        MTError: on entering, as `answer`; of a sentence that fails, when its turn comes.
    """
    routed = await route(service, models, order, facts)
    answers = [
        AnswerStream(_kept(routed.recalled.get(i, text)), spoken)
        for i, (text, spoken) in enumerate(zip(order.texts, routed.spoken, strict=True))
    ]
    characters = sum(map(len, order.texts))
    async with AsyncExitStack() as stack:
        async with service.access.charging(facts.caller, characters):  # once it began, it is paid
            for group in routed.groups:
                streams = await stack.enter_async_context(
                    _streams(service, group, order, routed.options, facts)
                )
                for place, pieces in zip(group.places, streams, strict=True):
                    name = group.translator.manifest.name
                    answers[place] = AnswerStream(pieces, routed.spoken[place], name)
        for one in answers:
            stack.push_async_callback(one.pieces.aclose)
        yield answers


@asynccontextmanager
async def _streams(
    service: Service, group: Group, order: Order, options: SearchOptions, facts: Facts
) -> AsyncIterator[list[AsyncGenerator[Piece]]]:
    texts = [order.texts[place] for place in group.places]
    deadline_s = service.settings.limits.deadline_s
    await service.wait_for_turn()
    async with group.translator.translate_stream(
        texts, options, deadline_s, group.text_options
    ) as streams:
        yield [
            _counted(service, group.translator.manifest, text, pieces, facts)
            for text, pieces in zip(texts, streams, strict=True)
        ]


async def _kept(text: str) -> AsyncGenerator[Piece]:
    """The one piece of a text that comes back as it is."""
    yield Piece("", (Candidate(text, 0.0),), "")


async def _counted(
    service: Service, manifest: Manifest, text: str, pieces: AsyncIterator[Piece], facts: Facts
) -> AsyncGenerator[Piece]:
    """The pieces, which are counted when the last one is given."""
    given: list[Piece] = []
    async for piece in pieces:
        if not facts.has_begun:
            facts.has_begun = True
            service.metrics.began(manifest.name, pair(manifest), facts.age_s)
        given.append(piece)
        yield piece
    service.metrics.translated(manifest.name, pair(manifest), usage([text], [join(given)]))


def unchanged(text: str) -> Translation:
    """A text that is its own translation."""
    return Translation(text, (Candidate(text, 0.0),), (), source_tokens=0, output_tokens=0)


async def _translate(
    service: Service, group: Group, order: Order, options: SearchOptions
) -> list[Translation]:
    texts = [order.texts[place] for place in group.places]
    deadline_s = service.settings.limits.deadline_s
    await service.wait_for_turn()
    translations = await group.translator.translate_async(
        texts, options, deadline_s, group.text_options
    )
    manifest = group.translator.manifest
    service.metrics.translated(manifest.name, pair(manifest), usage(texts, translations))
    return translations


def usage(texts: Sequence[str], translations: Sequence[Translation]) -> Usage:
    """What these translations cost."""
    return Usage(
        source_tokens=sum(translation.source_tokens for translation in translations),
        output_tokens=sum(translation.output_tokens for translation in translations),
        characters=sum(map(len, texts)),
    )


async def _all(work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Every result, or the first error; then the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled where the client leaves first.

    Raises:
        ClientDisconnect: it left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # the body is read: only a disconnect comes
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
