"""The one table from errors to HTTP. Answers never repeat what was sent.

They are RFC 9457 problem bodies, except at the addresses of a dialect, which has its own writer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import NamedTuple

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mt import errors
from serving.schemas import PROBLEM_JSON, FieldError, Problem

MAX_FIELD_ERRORS = 10  # a list of 10,000 wrong items must not make a long answer
RETRY_AFTER_S = 1


class Kind(NamedTuple):
    """What all problems of one type share."""

    status: int
    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One error on its way out, before an address gives it its shape."""

    kind: Kind
    detail: str
    request_id: str
    field_errors: Sequence[FieldError] | None = None
    headers: Mapping[str, str] | None = None


ErrorWriter = Callable[[Failure], Response]
"""Puts a failure into the shape that the clients of an address understand."""

KINDS: Mapping[type[errors.MTError], Kind] = {
    errors.InputError: Kind(422, "input", "The text cannot be translated"),
    errors.UnknownModelError: Kind(404, "unknown-model", "No such language pair or model"),
    errors.UnknownGlossaryError: Kind(404, "unknown-glossary", "No such glossary"),
    errors.KeyRequiredError: Kind(401, "key-required", "An API key is needed"),
    errors.KeyRefusedError: Kind(401, "key-refused", "The API key is not accepted"),
    errors.ForbiddenError: Kind(403, "forbidden", "The API key does not open this"),
    errors.QuotaError: Kind(429, "quota", "The characters of this month are used up"),
    errors.RateLimitError: Kind(429, "rate-limited", "Too much in a minute"),
    errors.OverloadedError: Kind(429, "overloaded", "Too much is waiting already"),
    errors.UnavailableError: Kind(503, "unavailable", "Not ready, or shutting down"),
    errors.DeadlineError: Kind(504, "deadline", "The translation took too long"),
    errors.EngineError: Kind(500, "engine", "The translation failed"),
}
INVALID = Kind(422, "invalid", "The request does not fit the schema")
BROKEN_JSON = Kind(400, "broken-json", "The body is not JSON")
INTERNAL = Kind(500, "internal", "Something failed on our side")

HTTP_DETAILS = {  # what the framework says, and what helps
    "There was an error parsing the body": "the body must be one JSON value in UTF-8",
    "Not Found": "no such address; GET /docs lists them",
    "Method Not Allowed": "this address does not take that method; see the Allow header",
}


def problem(failure: Failure) -> JSONResponse:
    """One problem response."""
    return JSONResponse(
        problem_body(failure).model_dump(mode="json", exclude_none=True),
        failure.kind.status,
        headers=failure.headers,
        media_type=PROBLEM_JSON,
    )


def problem_body(failure: Failure) -> Problem:
    """The body of a problem response, or of an event in a response that has begun."""
    kind = failure.kind
    return Problem(
        type=f"urn:seq2serve:problem:{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=failure.detail,
        instance=f"urn:seq2serve:request:{failure.request_id}",
        request_id=failure.request_id,
        errors=list(failure.field_errors) if failure.field_errors else None,
    )


def failure_of(error: errors.MTError, request_id: str) -> Failure:
    """What one of our own errors means here; anything not in the table is our fault."""
    kind = next((KINDS[base] for base in type(error).__mro__ if base in KINDS), INTERNAL)
    return Failure(kind, str(error), request_id, headers=_advice(error, kind))


def bug(request_id: str) -> Failure:
    """What nobody foresaw; the log has the place under the same request id."""
    detail = "an unexpected failure; send it again, or report it with this request id"
    return Failure(INTERNAL, detail, request_id)


def from_mt_error(error: errors.MTError, request_id: str, write: ErrorWriter = problem) -> Response:
    """An answer to one of our own errors."""
    return write(failure_of(error, request_id))


def from_http_error(
    error: HTTPException, request_id: str, write: ErrorWriter = problem
) -> Response:
    """An answer to what the framework refuses: unknown address, wrong method, broken body."""
    phrase = HTTPStatus(error.status_code).phrase
    kind = Kind(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    kind = BROKEN_JSON if error.status_code == BROKEN_JSON.status else kind
    detail = HTTP_DETAILS.get(error.detail, error.detail)
    return write(Failure(kind, detail, request_id, headers=error.headers))


def from_validation_error(
    error: RequestValidationError, request_id: str, write: ErrorWriter = problem
) -> Response:
    """An answer naming every wrong field by JSON pointer; only the first ten are listed."""
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        detail = f"not JSON near character {found[0]['loc'][-1]}"
        return write(Failure(BROKEN_JSON, detail, request_id))
    listed = [_field_error(item["loc"], item) for item in found[:MAX_FIELD_ERRORS]]
    detail = f"{len(found)} wrong {'field' if len(found) == 1 else 'fields'}; see errors"
    return write(Failure(INVALID, detail, request_id, listed))


def from_bug(request_id: str, write: ErrorWriter = problem) -> Response:
    """An answer to what nobody foresaw."""
    return write(bug(request_id))


def _advice(error: errors.MTError, kind: Kind) -> dict[str, str] | None:
    """Headers that tell the client what to do next."""
    if isinstance(error, errors.OverloadedError | errors.QuotaError):
        return {"Retry-After": str(max(1, ceil(error.retry_after_s)))}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return (
        {"Retry-After": str(RETRY_AFTER_S)}
        if kind.status == HTTPStatus.SERVICE_UNAVAILABLE
        else None
    )


def _field_error(place: Sequence[str | int], item: Mapping[str, str]) -> FieldError:
    """Where and what. The name of an unknown key is the sender's text, so it is left out."""
    path = list(place[1:])  # without FastAPI's "body"
    if item["type"] == "extra_forbidden":
        return FieldError(pointer=_pointer(path[:-1]), message="an unknown key; see /docs")
    return FieldError(pointer=_pointer(path), message=item["msg"])


def _pointer(path: Sequence[str | int]) -> str:
    """RFC 6901; the whole body is the empty pointer."""
    return "".join(f"/{part}" for part in path)
