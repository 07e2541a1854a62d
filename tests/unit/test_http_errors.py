"""The table from errors to HTTP."""

import json

import pytest
from starlette.exceptions import HTTPException

from mt import errors
from serving.http_errors import from_bug, from_http_error, from_mt_error


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (errors.InputError("x"), 422, "input"),
        (errors.UnknownModelError("x"), 404, "unknown-model"),
        (errors.OverloadedError("x", 2.0), 429, "overloaded"),
        (errors.UnavailableError("x"), 503, "unavailable"),
        (errors.DeadlineError("x"), 504, "deadline"),
        (errors.EngineError("x"), 500, "engine"),
        (errors.BundleError("x"), 500, "internal"),
    ],
)
def test_every_error_has_its_status(error: errors.MTError, status: int, slug: str) -> None:
    response = from_mt_error(error, "id-1")
    body = json.loads(bytes(response.body))
    assert response.status_code == body["status"] == status
    assert body["type"] == f"urn:seq2serve:problem:{slug}"
    assert body["instance"] == "urn:seq2serve:request:id-1"
    assert body["detail"] == "x"


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (1.2, "2"), (30.0, "30")])
def test_retry_after_is_whole_seconds_and_never_zero(seconds: float, header: str) -> None:
    response = from_mt_error(errors.OverloadedError("x", seconds), "id")
    assert response.headers["retry-after"] == header


def test_only_what_passes_may_be_retried() -> None:
    assert from_mt_error(errors.UnavailableError("x"), "id").headers["retry-after"] == "1"
    assert "retry-after" not in from_mt_error(errors.InputError("x"), "id").headers


def test_framework_errors_keep_their_headers() -> None:
    error = HTTPException(405, "Method Not Allowed", {"Allow": "GET"})
    assert from_http_error(error, "id").headers["allow"] == "GET"


def test_a_bug_says_nothing_of_itself() -> None:
    body = json.loads(bytes(from_bug("id").body))
    assert (body["status"], body["request_id"]) == (500, "id")
