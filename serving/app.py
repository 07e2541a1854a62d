"""The HTTP routes. One application, run by uvicorn as it is and by Ray Serve inside a replica."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mt.errors import MTError, UnavailableError
from serving import dialects, http_errors, metrics
from serving.board import Poster
from serving.dialects.dialect import Dialect, OpenToBrowsers
from serving.dispatch import asked_service
from serving.http_errors import ErrorWriter
from serving.models import Models
from serving.routes import (
    answers,
    document_routes,
    glossary_routes,
    memory_routes,
    page,
    translate_routes,
)
from serving.routes.control_headers import RefuseControlHeaders
from serving.routes.document_routes import DocumentParameters
from serving.routes.gate import admit
from serving.routes.key_description import describe_keys
from serving.routes.middleware import CLIENT_LEFT, Facts, Observe, ReadBody
from serving.routes.stream_schemas import EVENT_BODIES
from serving.schemas import (
    ModelList,
    Problem,
    Status,
    problem_responses,
)
from serving.service import Service
from serving.settings import ServeSettings

DESCRIPTION = (
    "Machine translation. Errors are RFC 9457 problem bodies and never repeat what was sent."
)
router = APIRouter()


def create_app(
    open_models: Callable[[], Models],
    settings: ServeSettings,
    echo_request_id: bool = True,
    poster: Poster | None = None,
) -> FastAPI:
    """An application that opens its models when it starts and closes them when it stops.

    `echo_request_id` is false behind a proxy that puts X-Request-ID into the answer itself;
    `poster` puts its metrics beside those of other replicas.
    """
    service = Service(open_models, settings, poster)
    app = FastAPI(
        title="Seq2Serve",
        description=DESCRIPTION,
        version=version("seq2serve"),
        lifespan=service.lifespan,
        dependencies=[Depends(admit(dialects.key_finder(settings.dialects)))],
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # a redirect would repeat the address
    )
    app.state.service = service
    spoken = dialects.chosen(settings.dialects)
    for one in (  # a request is held against one after the other: the busiest first
        translate_routes.router,
        *(dialect.router for dialect in spoken),
        router,
        document_routes.router,
        glossary_routes.router,
        memory_routes.router,
        *([page.router] if settings.page else []),
    ):
        app.include_router(one)
    app.add_exception_handler(MTError, _answer_mt_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    max_bytes_at = partial(_max_bytes_at, dialects=spoken, settings=settings)
    app.add_middleware(ReadBody, max_bytes_at, settings.limits.body_timeout_s)
    app.add_middleware(RefuseControlHeaders)
    for dialect in spoken:
        if dialect.open_to_browsers:
            app.add_middleware(OpenToBrowsers, dialect.owns)
    writer_at = partial(_writer_at, dialects=spoken)
    app.add_middleware(Observe, service, echo_request_id, writer_at)  # last, so it stands outside
    _describe_bodies(app, spoken)
    return app


def _describe_bodies(app: FastAPI, spoken: Sequence[Dialect]) -> None:
    """Put into the OpenAPI document what no route takes or returns by itself."""
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((body, "serialization") for body in (Problem, *EVENT_BODIES)),
        (DocumentParameters, "validation"),
        *((body, "validation") for dialect in spoken for body in dialect.parameters),
    ]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    app.openapi()["components"]["schemas"].update(definitions["$defs"])
    describe_keys(app.openapi(), app.state.service.settings.keys)


def _facts(request: Request) -> Facts:
    facts: Facts = request.state.facts
    return facts


ServiceOf = Annotated[Service, Depends(asked_service)]


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
    """Counters, latencies and the state of the engines, of all replicas, in Prometheus text."""
    return Response(await service.exposition(), media_type=metrics.CONTENT_TYPE)


def _writer_at(path: str, dialects: Sequence[Dialect]) -> ErrorWriter:
    """Who writes the errors of an address: its dialect, or we."""
    return next((one.write_error for one in dialects if one.owns(path)), http_errors.problem)


def _max_bytes_at(path: str, dialects: Sequence[Dialect], settings: ServeSettings) -> int:
    takes_files = path == document_routes.PATH
    takes_files |= any(path in dialect.takes_files for dialect in dialects)
    return settings.documents.max_bytes if takes_files else settings.limits.max_body_bytes


async def _answer_mt_error(request: Request, error: Exception) -> Response:
    facts = _facts(request)
    return http_errors.from_mt_error(cast(MTError, error), facts.request_id, facts.write_error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    facts, found = _facts(request), cast(HTTPException, error)
    return http_errors.from_http_error(found, facts.request_id, facts.write_error)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    facts, found = _facts(request), cast(RequestValidationError, error)
    return http_errors.from_validation_error(found, facts.request_id, facts.write_error)


async def _answer_nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)
