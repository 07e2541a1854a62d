"""`/v1/translate`: texts in one piece, or as a stream of finished sentences."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence, Set
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from mt import log
from mt.errors import MTError
from mt.search_options import SearchOptions
from serving import dispatch, http_errors
from serving.dispatch import AnswerStream, asked_service
from serving.routes import answers
from serving.routes.event_stream import Event, EventStream
from serving.routes.middleware import Facts, where
from serving.routes.stream_schemas import EVENT_SCHEMA, EVENTS, EXAMPLE
from serving.routing import AUTO, Order
from serving.schemas import (
    DetectRequest,
    DetectResponse,
    GlossaryChoice,
    TranslateRequest,
    TranslateResponse,
    problem_responses,
)
from serving.service import Service
from serving.stores.glossaries import GlossaryUse, checked
from serving.text.detection import Detection
from serving.text.text_checks import check_texts
from serving.text.text_options import TextOptions
from serving.translation import Piece, join

SEARCH_FIELDS = TranslateRequest.model_fields.keys() & SearchOptions.model_fields.keys()
TEXT_FIELDS = TranslateRequest.model_fields.keys() & TextOptions.model_fields.keys()
PROBLEMS = problem_responses(400, 404, 408, 413, 415, 422, 429, 500, 503, 504)

router = APIRouter()
ServiceOf = Annotated[Service, Depends(asked_service)]


async def require_json(request: Request) -> None:
    """Refuse other content types by name, rather than as a body of the wrong shape."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send JSON, with Content-Type: application/json")


@router.post(
    "/v1/translate",
    response_model=TranslateResponse,
    response_model_exclude_none=True,
    dependencies=[Depends(require_json)],
    responses=PROBLEMS,
)
async def translate(body: TranslateRequest, request: Request) -> TranslateResponse:
    """Translate one text or several; the answers come in the order of the texts."""
    return answers.translate_response(await dispatch.translate(request, order_of(body)), body)


@router.post(
    "/v1/translate/stream",
    response_class=Response,
    dependencies=[Depends(require_json)],
    responses=PROBLEMS
    | {
        200: {
            "description": EVENTS,
            "content": {"text/event-stream": {"itemSchema": EVENT_SCHEMA, "example": EXAMPLE}},
        }
    },
)
async def translate_stream(
    body: TranslateRequest, request: Request, service: ServiceOf
) -> EventStream:
    """As `/v1/translate`, sentence by sentence as they are finished, by server-sent events.

    What can be refused is refused as there, before the stream begins. Leaving stops the work.
    """
    opening = partial(_opening, service, body, request.state.facts)
    return EventStream(opening, service.settings.heartbeat_s)


@router.post(
    "/v1/detect",
    dependencies=[Depends(require_json)],
    responses=problem_responses(400, 408, 413, 415, 422, 429, 503),
)
async def detect(body: DetectRequest, service: ServiceOf) -> DetectResponse:
    """The language of one text or several, in the order of the texts."""
    check_texts(body.text, service.settings.limits)
    found = await asyncio.to_thread(lambda: [_likeliest(one, service) for one in body.text])
    return answers.detect_response(found)


def _likeliest(text: str, service: Service) -> Detection:
    ranked = service.detector.rank(text)
    return ranked[0] if ranked else Detection(service.detector.languages[0], 0.0)


def order_of(body: TranslateRequest) -> Order:
    """What a body asks for."""
    return Order(
        texts=body.text,
        source=body.source,
        target=body.target,
        model=body.model,
        asked=_asked(body),
        text_options=TextOptions.model_validate(_given(body, TEXT_FIELDS)),
        glossary=glossary_use(body.glossary),
    )


def glossary_use(chosen: GlossaryChoice | None) -> GlossaryUse | None:
    """Which terms hold. Raises InputError: an entry that cannot be."""
    if chosen is None:
        return None
    if chosen.entries is None:
        return GlossaryUse(ids=(chosen.id or "",), required=chosen.required)
    entries = checked(chosen.entries.items())
    return GlossaryUse(entries=entries, required=chosen.required)


def _asked(body: TranslateRequest) -> dict[str, Any]:
    """The search options that a request names."""
    attention = body.return_alignments or body.return_words
    return {**_given(body, SEARCH_FIELDS), "attention": attention}


def _given(body: TranslateRequest, names: Set[str]) -> dict[str, Any]:
    return body.model_dump(include=set(names), exclude_none=True)


@asynccontextmanager
async def _opening(
    service: Service, body: TranslateRequest, facts: Facts
) -> AsyncIterator[AsyncIterator[Event]]:
    async with (
        dispatch.stream(service, service.models, order_of(body), facts) as streams,
        aclosing(_events(streams, body, facts)) as events,
    ):
        yield events


async def _events(
    streams: Sequence[AnswerStream], body: TranslateRequest, facts: Facts
) -> AsyncGenerator[Event]:
    """All of them; a failure is the last one."""
    try:
        done: list[list[Piece]] = []
        for item, one in enumerate(streams):
            done.append([])
            if body.source == AUTO:
                yield Event("detected", answers.detected_event(item, one.spoken))
            async for piece in one.pieces:
                number = len(done[item])
                done[item].append(piece)
                yield Event("sentence", answers.sentence_body(item, number, piece, body))
            warnings = answers.language_doubts(one.spoken, one.model, body)
            if warnings := [*warnings, *(told for piece in done[item] for told in piece.warnings)]:
                yield Event("warnings", answers.warnings_body(item, warnings))
        found = [join(pieces) for pieces in done]
        yield Event("done", answers.done_body([one.model for one in streams], found, body))
    except Exception as error:
        yield _error_event(error, facts)


def _error_event(error: Exception, facts: Facts) -> Event:
    if isinstance(error, MTError):
        failure = http_errors.failure_of(error, facts.request_id)
        log.event("stream_failed", request_id=facts.request_id, status=failure.kind.status)
    else:
        failure = http_errors.bug(facts.request_id)
        log.event("bug", request_id=facts.request_id, **where(error))
    return Event("error", http_errors.problem_body(failure))
