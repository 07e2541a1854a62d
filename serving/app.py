"""The HTTP routes. One application, run by uvicorn as it is and by Ray Serve inside a replica."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from mt.errors import MTError, UnavailableError
from mt.search_options import SearchOptions
from serving import answers, http_errors, metrics
from serving.middleware import CLIENT_LEFT, Facts, Observe, ReadBody
from serving.models import Models, pair
from serving.schemas import (
    ModelList,
    Problem,
    Status,
    TranslateRequest,
    TranslateResponse,
    problem_responses,
)
from serving.service import Service
from serving.settings import ServeSettings
from serving.text_checks import search_options

DESCRIPTION = (
    "Machine translation. Errors are RFC 9457 problem bodies and never repeat what was sent."
)
SEARCH_FIELDS = TranslateRequest.model_fields.keys() & SearchOptions.model_fields.keys()
Answer = TypeVar("Answer")
router = APIRouter()


def create_app(
    open_models: Callable[[], Models], settings: ServeSettings, echo_request_id: bool = True
) -> FastAPI:
    """An application that opens its models when it starts and closes them when it stops.

    `echo_request_id` is false behind a proxy that puts X-Request-ID into the answer itself.
    """
    service = Service(open_models, settings)
    app = FastAPI(
        title="Seq2Serve",
        description=DESCRIPTION,
        version=version("seq2serve"),
        lifespan=service.lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # a redirect would repeat the address
    )
    app.state.service = service
    app.include_router(router)
    app.add_exception_handler(MTError, _answer_mt_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_middleware(ReadBody, settings.limits.max_body_bytes, settings.limits.body_timeout_s)
    app.add_middleware(Observe, service, echo_request_id)  # added last, so it stands outside
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem body, which no route returns by itself, into the OpenAPI document."""
    _, definitions = models_json_schema(
        [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    app.openapi()["components"]["schemas"].update(definitions["$defs"])


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _facts(request: Request) -> Facts:
    facts: Facts = request.state.facts
    return facts


def _require_json(request: Request) -> None:
    """Refuse other content types by name, rather than as a body of the wrong shape."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send JSON, with Content-Type: application/json")


ServiceOf = Annotated[Service, Depends(_service)]


@router.post(
    "/v1/translate",
    response_model=TranslateResponse,
    response_model_exclude_none=True,
    dependencies=[Depends(_require_json)],
    responses=problem_responses(400, 404, 408, 413, 415, 422, 429, 500, 503, 504),
)
async def translate(
    body: TranslateRequest, request: Request, service: ServiceOf
) -> TranslateResponse | Response:
    """Translate one text or several; the answers come in the order of the texts."""
    translator = service.models.choose(body.source, body.target, body.model)
    facts = _facts(request)
    facts.model, facts.pair = translator.manifest.name, pair(translator.manifest)
    options = _search_options(body, service.settings)
    work = translator.translate_async(body.text, options, service.settings.limits.deadline_s)
    translations = await _unless_disconnected(request, work)
    if translations is None:
        return Response(status_code=CLIENT_LEFT)
    answer = answers.translate_response(translations, body, facts.model)
    service.metrics.translated(facts.model, facts.pair, answer.usage)
    return answer


@router.get("/v1/models", response_model=ModelList, responses=problem_responses(503))
async def list_models(service: ServiceOf) -> ModelList:
    """The models that answer, in order of preference."""
    return ModelList(models=[answers.model_body(t) for t in service.models.translators])


@router.get("/livez")
async def live() -> Status:
    """Whether the process answers at all."""
    return Status()


@router.get("/readyz", responses=problem_responses(503))
async def ready(service: ServiceOf) -> Status:
    """Whether translations are taken: models open, engines working, not shutting down."""
    if not service.ready:
        raise UnavailableError("not ready, or shutting down")
    return Status()


@router.get("/metrics", response_class=Response)
async def prometheus(service: ServiceOf) -> Response:
    """Counters, latencies and the state of the engines, in Prometheus text."""
    return Response(service.metrics.text(), media_type=metrics.CONTENT_TYPE)


def _search_options(body: TranslateRequest, settings: ServeSettings) -> SearchOptions:
    """The server's options with the request's laid over them; a wider n_best widens the beam."""
    asked = body.model_dump(include=SEARCH_FIELDS, exclude_none=True)
    if body.samples:
        asked = {"beam_size": 1, "n_best": 1, **asked}
    elif body.n_best is not None:
        asked.setdefault("beam_size", max(body.n_best, settings.search.beam_size))
    asked["attention"] = body.return_alignments
    return search_options({**settings.search.model_dump(), **asked}, settings.limits)


async def _unless_disconnected(
    request: Request, work: Coroutine[Any, Any, Answer]
) -> Answer | None:
    """The result of `work`, or None where the client left first; then `work` is cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # the body is read: only a disconnect comes
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _answer_mt_error(request: Request, error: Exception) -> Response:
    return http_errors.from_mt_error(cast(MTError, error), _facts(request).request_id)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    return http_errors.from_http_error(cast(HTTPException, error), _facts(request).request_id)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error)
    return http_errors.from_validation_error(found, _facts(request).request_id)
