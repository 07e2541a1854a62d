"""What can go wrong when a server is asked, by what a caller can do about it.

* ClientError               the root, itself an `MTError`
  - UnreachableError        no server there, or the connection broke: try later
  - TimedOutError           no answer within `timeout_s`
  - ProblemError            the server said no; has status, kind, detail and request id
    + RefusedError          400, 409, 413, 415, 422: change the request
    + KeyRefusedError       401: no API key, or a wrong one
    + ForbiddenError        403: the key does not open this
    + NotFoundError         404: no such language pair, model, glossary or file
    + QuotaError            429: the characters of this month are used up
    + OverloadedError       408, 429, 503: later; `retry_after_s` says when
    + FailedError           any other: the server's fault
  - DocumentError           a file could not be translated

Messages never repeat what was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from mt.errors import MTError


class ClientError(MTError):
    """Root of the client's errors."""


class UnreachableError(ClientError):
    """No server answers there, or the connection broke."""


class TimedOutError(ClientError):
    """No answer within the time allowed."""


class DocumentError(ClientError):
    """The server could not translate a file; the message is its own."""


@dataclass(frozen=True)
class FieldProblem:
    """One wrong field: a JSON pointer into the request, and what is wrong there."""

    pointer: str
    message: str


class ProblemError(ClientError):
    """An answer that is not a success. kind: the last word of a problem's type, as `quota`."""

    def __init__(
        self,
        detail: str,
        status: int,
        kind: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
        errors: tuple[FieldProblem, ...] = (),
    ) -> None:
        fields = "".join(f"; {one.pointer or 'body'}: {one.message}" for one in errors)
        super().__init__(f"{detail}{fields} (HTTP {status}, request {request_id})")
        self.detail = detail
        self.status = status
        self.kind = kind
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.errors = errors


class RefusedError(ProblemError):
    """The request cannot be answered as it is."""


class KeyRefusedError(ProblemError):
    """There is no API key, or it is not accepted."""


class ForbiddenError(ProblemError):
    """The API key does not open this."""


class NotFoundError(ProblemError):
    """No such language pair, model, glossary or file; or no such server behind the address."""


class QuotaError(ProblemError):
    """The characters of this month are used up."""


class OverloadedError(ProblemError):
    """Too much is being asked at the moment."""


class FailedError(ProblemError):
    """The server failed."""


_BY_KIND: Mapping[str, type[ProblemError]] = {"quota": QuotaError}
_BY_STATUS: Mapping[int, type[ProblemError]] = {
    **dict.fromkeys((400, 409, 413, 415, 422), RefusedError),
    **dict.fromkeys((408, 429, 503), OverloadedError),
    401: KeyRefusedError,
    403: ForbiddenError,
    404: NotFoundError,
}


def problem_error(
    status: int, problem: Mapping[str, object], request_id: str, retry_after_s: float | None
) -> ProblemError:
    """The error that a problem body (empty: another kind of answer) stands for."""
    kind = str(problem.get("type", "")).rpartition(":")[2]
    wrong = problem.get("errors")
    fields = [one for one in wrong if isinstance(one, dict)] if isinstance(wrong, list) else []
    chosen = _BY_KIND.get(kind) or _BY_STATUS.get(status, FailedError)
    return chosen(
        detail=str(problem.get("detail") or _phrase(status)),
        status=status,
        kind=kind,
        request_id=str(problem.get("request_id") or request_id),
        retry_after_s=retry_after_s,
        errors=tuple(
            FieldProblem(str(one.get("pointer", "")), str(one.get("message", ""))) for one in fields
        ),
    )


def _phrase(status: int) -> str:
    known = {one.value: one.phrase for one in HTTPStatus}
    return f"the server answered: {known.get(status, 'no known status')}"
