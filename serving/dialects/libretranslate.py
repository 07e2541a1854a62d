"""The interface of LibreTranslate, for its clients: browsers, Mastodon, Weblate, libretranslatepy.

Written from its public description. Without keys configured, any `api_key` is accepted.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mt.errors import ForbiddenError, InputError
from serving import dispatch
from serving.dialects.dialect import Dialect, plain_status
from serving.dialects.files import download, uploaded
from serving.dialects.languages import known, known_or_auto
from serving.dialects.libretranslate_bodies import (
    Detected,
    DetectParameters,
    ErrorBody,
    FileParameters,
    Frontend,
    Language,
    Named,
    Suggested,
    SuggestParameters,
    Translated,
    TranslatedFile,
    TranslateParameters,
)
from serving.dialects.parameters import (
    openapi_body,
    openapi_file,
    parameter_key,
    parse,
    read,
)
from serving.dispatch import Answer, service_of
from serving.file_formats import ENDINGS
from serving.http_errors import Failure
from serving.models import Models
from serving.routes.gate import caller_of
from serving.routing import AUTO, Order
from serving.schemas import Status
from serving.service import Service
from serving.stores import documents
from serving.stores.memory_store import Pair
from serving.text import language_names
from serving.text.detection import Detection
from serving.text.text_checks import check_texts
from serving.text.text_options import TextOptions

LEAST_CONFIDENCE = 1  # percent; what is less likely is not listed

Item = TypeVar("Item")
PATHS = {"/translate", "/detect", "/languages", "/frontend/settings", "/translate_file"}
PATHS |= {"/suggest", "/health", "/spec"}
FILES = "/download_file/"
STATUSES = {"key-required": 400, "key-refused": 403, "quota": 403}

router = APIRouter(tags=["LibreTranslate"], responses={"4XX": {"model": ErrorBody}})


@router.post(
    "/translate",
    response_model=Translated,
    response_model_exclude_none=True,
    openapi_extra=openapi_body(TranslateParameters),
)
async def translate(request: Request) -> Translated:
    """Translate a text, or a list; each of a list may be in another language."""
    values = await read(request)
    parameters = parse(TranslateParameters, values)
    order = _text_order(parameters, service_of(request))
    answers = await dispatch.translate(request, order)
    many = isinstance(values["q"], list)
    return Translated(
        translated_text=_like([one.translation.text for one in answers], many),
        detected_language=_like([_detected(one.spoken) for one in answers], many)
        if order.source == AUTO
        else None,
        alternatives=_like([_alternatives(one, order) for one in answers], many)
        if parameters.alternatives
        else None,
    )


@router.post("/detect", openapi_extra=openapi_body(DetectParameters))
async def detect(request: Request) -> list[Detected]:
    """The languages a text may be in, the likeliest first."""
    parameters = parse(DetectParameters, await read(request))
    service = service_of(request)
    check_texts([parameters.q], service.settings.limits)
    ranked = await asyncio.to_thread(service.detector.rank, parameters.q)
    likely = [one for one in map(_detected, ranked) if one.confidence >= LEAST_CONFIDENCE]
    return likely or [Detected(confidence=0.0, language="en")]


@router.get("/languages")
async def languages(request: Request) -> list[Language]:
    """Every language there is a model of."""
    models = service_of(request).models
    return [
        Language(code=code, name=language_names.of(code), targets=_targets(code, models))
        for code in models.languages
    ]


@router.get("/frontend/settings")
async def frontend_settings(request: Request) -> Frontend:
    """Limits and what is offered."""
    service = service_of(request)
    first = service.models.manifests[0]
    return Frontend(
        api_keys=await service.access.uses_keys(),
        key_required=await service.access.requires_keys(),
        char_limit=service.settings.limits.max_text_chars,
        suggestions=service.settings.memory.suggestions,
        files_translation=True,
        language={"source": _named(first.source_language), "target": _named(first.target_language)},
        supported_files_format=list(ENDINGS),
    )


@router.post("/translate_file", openapi_extra=openapi_file(FileParameters))
async def translate_file(request: Request) -> TranslatedFile:
    """Translate a file; it can be fetched for a while."""
    values = await read(request)
    service = service_of(request)
    models = service.models
    order = _order(parse(FileParameters, values), models)
    name, file = await uploaded(values)
    work = documents.translate_in_turn(service, models, file, order, request.state.facts)
    translated = await dispatch.unless_disconnected(request, work)
    given = Path(name)
    document = service.documents.add(f"{given.stem}_{order.target}{given.suffix}")
    service.documents.finish(document, translated)
    url = request.url_for("download_file", name=f"{document.document_id}{given.suffix}")
    return TranslatedFile(translated_file_url=str(url))


@router.get("/download_file/{name}", response_class=Response)
async def download_file(name: str, request: Request) -> Response:
    """A translated file."""
    store = service_of(request).documents
    document = store.find(Path(name).stem)
    content = store.read(document) if document and not document.key else None
    if document is None or content is None:
        raise HTTPException(404, "no such file; it is kept for a while only")
    return download(document.name, content)


@router.post("/suggest", openapi_extra=openapi_body(SuggestParameters))
async def suggest(request: Request) -> Suggested:
    """Keep a better translation that somebody suggests."""
    service = service_of(request)
    memory = service.memory
    if memory is None or not service.settings.memory.suggestions:
        raise ForbiddenError("suggestions are not taken on this server")
    given = parse(SuggestParameters, await read(request))
    source = known("source", given.source, service.models)
    pair = Pair(source, known("target", given.target, service.models), given.q, given.s)
    await asyncio.to_thread(memory.add, caller_of(request).key_id, [pair], "suggestion")
    return Suggested()


@router.get("/health")
async def health() -> Status:
    """Whether the process answers at all."""
    return Status()


@router.get("/spec", response_class=Response)
async def spec(request: Request) -> Response:
    """The OpenAPI document of this server."""
    return JSONResponse(request.app.openapi())


def write_error(failure: Failure) -> Response:
    """An error as its clients read it; they wait where the text begins with "Slowdown:"."""
    status = STATUSES.get(failure.kind.slug) or plain_status(failure.kind)
    text = f"Slowdown: {failure.detail}" if status == 429 else failure.detail
    return JSONResponse({"error": text}, status, headers=failure.headers)


DIALECT = Dialect(
    router=router,
    owns=lambda path: path in PATHS or path.startswith(FILES),
    write_error=write_error,
    parameters=(TranslateParameters, DetectParameters, FileParameters, SuggestParameters),
    takes_files=("/translate_file",),
    find_key=parameter_key("api_key"),
    open_to_browsers=True,
)


def _text_order(parameters: TranslateParameters, service: Service) -> Order:
    most = service.settings.limits.max_n_best - 1
    if parameters.alternatives > most:
        raise InputError(f"alternatives: at most {most}")
    return replace(
        _order(parameters, service.models),
        texts=parameters.q,
        asked={"n_best": parameters.alternatives + 1} if parameters.alternatives else {},
        text_options=TextOptions(format=parameters.format),
    )


def _order(parameters: TranslateParameters | FileParameters, models: Models) -> Order:
    """Languages, without any text yet."""
    return Order(
        texts=(),
        source=known_or_auto("source", parameters.source, models),
        target=known("target", parameters.target, models),
        lenient=True,
    )


def _targets(code: str, models: Models) -> list[str]:
    into = [m.target_language for m in models.manifests if m.source_language == code]
    return sorted({code, *into})


def _named(code: str) -> Named:
    return Named(code=code, name=language_names.of(code))


def _detected(found: Detection) -> Detected:
    return Detected(confidence=round(100 * found.confidence, 1), language=found.language)


def _alternatives(answer: Answer, order: Order) -> list[str]:
    """Of text only: this interface has none of markup."""
    if order.text_options.format != "text":
        return []
    return list(dict.fromkeys(one.text for one in answer.translation.candidates))[1:]


def _like(items: list[Item], many: bool) -> Item | list[Item]:
    """As they came: a list for a list."""
    return items if many else items[0]
