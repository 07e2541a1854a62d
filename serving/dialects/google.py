"""The interface of Google Cloud Translation, version 2 (Basic), for clients that take an address.

Written from its public description. Markup is expected unless `format` says `text`, as there.
"""

import asyncio
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from serving import dispatch
from serving.dialects.dialect import Dialect, plain_status
from serving.dialects.languages import known, known_or_auto
from serving.dialects.parameters import (
    CamelCase,
    Lenient,
    openapi_body,
    parameter_key,
    parse,
    read,
)
from serving.dispatch import Answer, service_of
from serving.http_errors import Failure
from serving.models import Models
from serving.routing import AUTO, Order
from serving.schemas import Texts
from serving.service import Service
from serving.text import language_names
from serving.text.text_checks import check_texts
from serving.text.text_options import TextOptions

PREFIX = "/language/translate/v2"
THEIR_MODELS = (None, "", "nmt", "base")  # names of its own, which mean no model of ours
STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CODES = {"key-required": 403, "key-refused": 400, "quota": 403}
REASONS = {
    "key-refused": "keyInvalid",
    "quota": "dailyLimitExceeded",
    "rate-limited": "rateLimitExceeded",
}


class GoogleTranslateParameters(Lenient):
    """Of a translation."""

    q: Texts
    target: str = Field(min_length=1)
    source: str | None = Field(None, description="without it each text is looked at")
    format: Literal["html", "text"] | None = Field(None, description="html where nothing is said")
    model: str | None = Field(None, description="a name of /v1/models; `nmt` or `base`: the first")


class GoogleDetectParameters(Lenient):
    """Of a detection."""

    q: Texts


class GoogleLanguagesParameters(Lenient):
    """Of the languages: names are given where `target` is, in English."""

    target: str | None = None


class GoogleTranslation(CamelCase):
    """One text's."""

    translated_text: str
    detected_source_language: str | None = Field(None, description="if no source was given")
    model: str | None = Field(None, description="if one was asked for")


class GoogleDetection(CamelCase):
    """The likeliest language of a text; `und` where it has no letters."""

    language: str
    confidence: float
    is_reliable: bool = False


class GoogleLanguage(CamelCase):
    """A language there is a model of."""

    language: str
    name: str | None = None


class GoogleErrorReason(CamelCase):
    """The same once more, as its older clients read it."""

    message: str
    domain: str = "global"
    reason: str


class GoogleError(CamelCase):
    """What went wrong."""

    code: int
    message: str
    status: str
    errors: list[GoogleErrorReason]


router = APIRouter(
    tags=["Google"],
    responses={"4XX": {"content": {"application/json": {}}, "description": "`error`, an object"}},
)


@router.get(PREFIX, response_model_exclude_none=True, include_in_schema=False)
@router.post(
    PREFIX, response_model_exclude_none=True, openapi_extra=openapi_body(GoogleTranslateParameters)
)
async def translate(
    request: Request,
) -> dict[Literal["data"], dict[Literal["translations"], list[GoogleTranslation]]]:
    """Translate texts."""
    values = await read(request, repeatable=("q",))
    parameters = parse(GoogleTranslateParameters, values)
    order = _order(parameters, service_of(request).models)
    answers = await dispatch.translate(request, order)
    return {"data": {"translations": [_translation(one, order, parameters) for one in answers]}}


@router.get(f"{PREFIX}/detect", include_in_schema=False)
@router.post(f"{PREFIX}/detect", openapi_extra=openapi_body(GoogleDetectParameters))
async def detect(
    request: Request,
) -> dict[Literal["data"], dict[Literal["detections"], list[list[GoogleDetection]]]]:
    """The language of each text."""
    parameters = parse(GoogleDetectParameters, await read(request, repeatable=("q",)))
    service = service_of(request)
    check_texts(parameters.q, service.settings.limits)
    found = await asyncio.to_thread(lambda: [[_detection(service, q)] for q in parameters.q])
    return {"data": {"detections": found}}


@router.get(f"{PREFIX}/languages", response_model_exclude_none=True)
async def languages(
    request: Request,
) -> dict[Literal["data"], dict[Literal["languages"], list[GoogleLanguage]]]:
    """Every language there is a model of."""
    named = parse(GoogleLanguagesParameters, await read(request)).target
    return {
        "data": {
            "languages": [
                GoogleLanguage(language=one, name=language_names.of(one) if named else None)
                for one in service_of(request).models.languages
            ]
        }
    }


def write_error(failure: Failure) -> Response:
    """An error as its clients read it."""
    code = CODES.get(failure.kind.slug) or plain_status(failure.kind)
    reason = REASONS.get(failure.kind.slug) or HTTPStatus(code).name.lower()
    error = GoogleError(
        code=code,
        message=failure.detail,
        status=STATUSES.get(code, "FAILED_PRECONDITION"),
        errors=[GoogleErrorReason(message=failure.detail, reason=reason)],
    )
    return JSONResponse({"error": error.model_dump(by_alias=True)}, code, headers=failure.headers)


async def _find_key(request: Request) -> str | None:
    return request.headers.get("x-goog-api-key") or await parameter_key("key")(request)


DIALECT = Dialect(
    router=router,
    owns=lambda path: path == PREFIX or path.startswith(f"{PREFIX}/"),
    write_error=write_error,
    parameters=(GoogleTranslateParameters, GoogleDetectParameters),
    find_key=_find_key,
)


def _order(parameters: GoogleTranslateParameters, models: Models) -> Order:
    return Order(
        texts=parameters.q,
        source=known_or_auto("source", parameters.source, models),
        target=known("target", parameters.target, models),
        model=None if parameters.model in THEIR_MODELS else parameters.model,
        lenient=True,
        text_options=TextOptions(format=parameters.format or "html"),
    )


def _translation(
    answer: Answer, order: Order, parameters: GoogleTranslateParameters
) -> GoogleTranslation:
    return GoogleTranslation(
        translated_text=answer.translation.text,
        detected_source_language=answer.spoken.language if order.source == AUTO else None,
        model=parameters.model or None,
    )


def _detection(service: Service, text: str) -> GoogleDetection:
    for best in service.detector.rank(text):
        return GoogleDetection(language=best.language, confidence=round(best.confidence, 4))
    return GoogleDetection(language="und", confidence=0.0)
