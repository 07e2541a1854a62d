"""The interface of DeepL, version 2, for its clients: the packages `deepl`, Weblate, Mastodon.

Written from its public description. It answers at / and under /deepl/; without keys configured,
any key is accepted. What no model here can do (formality, styles, memories) is refused by name
rather than ignored, unless the client only prefers it.
"""

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from serving import dispatch
from serving.dialects import deepl_documents, deepl_glossaries
from serving.dialects.deepl_parameters import (
    DeepLDocumentParameters,
    DeepLTranslateParameters,
    text_order,
)
from serving.dialects.dialect import Dialect, plain_status
from serving.dialects.parameters import Lenient, openapi_body, parameter_key, parse, read
from serving.dispatch import Answer, service_of
from serving.http_errors import Failure
from serving.models import Models
from serving.routes.gate import caller_of
from serving.routing import Order
from serving.text import language_names

MAX_BODY_BYTES = 128 * 1024
REPEATABLE = ("text", "glossary_ids", "ignore_tags", "splitting_tags", "non_splitting_tags")
NO_LIMIT = 1_000_000_000_000  # characters; what an account without a limit is told
STATUSES = {"key-required": 403, "key-refused": 403, "quota": 456}  # its clients know no 401
REGIONS = {"EN": ("EN-GB", "EN-US"), "PT": ("PT-BR", "PT-PT")}  # its clients refuse the bare ones

router = APIRouter()


class LanguagesParameters(Lenient):
    """Of /v2/languages."""

    type: Literal["source", "target"] = "source"


class DeepLTranslation(BaseModel):
    """One text's."""

    detected_source_language: str
    text: str
    billed_characters: int
    model_type_used: str | None = Field(None, description="if `model_type` was given")


class DeepLTranslations(BaseModel):
    """In the order of the texts."""

    translations: list[DeepLTranslation]


class DeepLLanguage(BaseModel):
    """A language that can be translated from, or into."""

    language: str
    name: str
    supports_formality: bool | None = Field(None, description="of languages translated into")


class DeepLError(BaseModel):
    """What went wrong, and of which kind it is."""

    message: str
    detail: str


class DeepLUsage(BaseModel):
    """Characters translated for a key this month; without keys, since this process started."""

    character_count: int
    character_limit: int = NO_LIMIT


@router.get("/v2/translate", response_model_exclude_none=True, include_in_schema=False)
@router.post(
    "/v2/translate",
    response_model_exclude_none=True,
    openapi_extra=openapi_body(DeepLTranslateParameters),
)
async def translate(request: Request) -> DeepLTranslations:
    """Translate texts."""
    if len(await request.body()) > MAX_BODY_BYTES:
        raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes; send the texts in several")
    parameters = parse(DeepLTranslateParameters, await read(request, repeatable=REPEATABLE))
    models = service_of(request).models
    order = text_order(parameters, models)
    answers = await dispatch.translate(request, order)
    return DeepLTranslations(
        translations=[
            DeepLTranslation(
                detected_source_language=_base(one.spoken.language),
                text=one.translation.text,
                billed_characters=len(text),
                model_type_used=_model_type_used(one, parameters, order, models),
            )
            for text, one in zip(order.texts, answers, strict=True)
        ]
    )


@router.post("/v2/languages", response_model_exclude_none=True, include_in_schema=False)
@router.get("/v2/languages", response_model_exclude_none=True)
async def languages(request: Request) -> list[DeepLLanguage]:
    """What can be translated from, or, with `type=target`, into."""
    parameters = parse(LanguagesParameters, await read(request))
    manifests = service_of(request).models.manifests
    if parameters.type == "source":
        codes = dict.fromkeys(_base(one.source_language) for one in manifests)
        return [DeepLLanguage(language=one, name=language_names.of(one)) for one in codes]
    targets = dict.fromkeys(one.target_language.upper() for one in manifests)
    codes = dict.fromkeys(code for one in targets for code in REGIONS.get(one, (one,)))
    return [
        DeepLLanguage(language=one, name=language_names.of(one), supports_formality=False)
        for one in codes
    ]


@router.post("/v2/usage", include_in_schema=False)
@router.get("/v2/usage")
async def usage(request: Request) -> DeepLUsage:
    """How much was translated, and how much may be."""
    service = service_of(request)
    used = await service.access.used(caller_of(request))
    if used is None:
        return DeepLUsage(character_count=service.metrics.characters)
    return DeepLUsage(
        character_count=used.characters,
        character_limit=NO_LIMIT if used.limit is None else used.limit,
    )


def write_error(failure: Failure) -> Response:
    """An error as its clients read it: both keys must be text."""
    body = DeepLError(message=failure.detail, detail=failure.kind.title)
    status = STATUSES.get(failure.kind.slug) or plain_status(failure.kind)
    return JSONResponse(body.model_dump(), status, headers=failure.headers)


def _both_places() -> APIRouter:
    """The routes at the root and under /deepl."""
    both = APIRouter()
    for routes in (router, deepl_documents.router, deepl_glossaries.router):
        both.include_router(routes, tags=["DeepL"], responses={"4XX": {"model": DeepLError}})
        both.include_router(routes, prefix="/deepl", include_in_schema=False)
    return both


DIALECT = Dialect(
    router=_both_places(),
    owns=lambda path: path.startswith(("/v2/", "/v3/", "/deepl/")),
    write_error=write_error,
    parameters=(
        DeepLTranslateParameters,
        DeepLDocumentParameters,
        *deepl_glossaries.PARAMETERS,
    ),
    takes_files=("/v2/document", "/deepl/v2/document"),
    find_key=parameter_key("auth_key"),
)


def _base(code: str) -> str:
    """Sources have no regions: `PT` of `pt-BR`."""
    return code.partition("-")[0].upper()


def _model_type_used(
    answer: Answer, parameters: DeepLTranslateParameters, order: Order, models: Models
) -> str | None:
    """Which kind of the pair's models it was; of a lone one its family tells."""
    if parameters.model_type is None:
        return None
    if answer.model is None:
        return parameters.model_type.removeprefix("prefer_")
    best, quickest = (
        models.choose(answer.spoken.language, order.target, preference=preference).manifest
        for preference in ("quality", "speed")
    )
    used = best if best.name == answer.model else quickest
    is_best = best.family == "transformer" if best == quickest else used == best
    return "quality_optimized" if is_best else "latency_optimized"
