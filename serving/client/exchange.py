"""One call with all its tries, as a generator that does no input or output of its own.

It yields what is to be done (`Send`, `Wait`) and is sent what came of it, so that the two clients,
which differ in how they wait, share every decision.
"""

import itertools
import json
import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from serving.client.errors import ClientError, ProblemError, TimedOutError, UnreachableError
from serving.client.errors import problem_error as _problem_error

PROBLEM_JSON = "application/problem+json"
REFUSED = frozenset({429, 503})  # nothing was begun
FAILED = frozenset({408, 425, 500, 502, 504})  # something may have been

Result = TypeVar("Result")


@dataclass(frozen=True)
class Call:
    """One thing to ask. resend: asking twice does no more than asking once."""

    method: str
    path: str
    body: Mapping[str, object] | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    resend: bool = True
    stream: bool = False


@dataclass(frozen=True)
class Send:
    """Send a call, and wait so long for its answer."""

    call: Call
    request_id: str
    timeout_s: float


@dataclass(frozen=True)
class Wait:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """An answer. `opened` is the body of a stream, which has not been read."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    opened: Any = None


@dataclass(frozen=True)
class Lost:
    """No answer. sent: whether the server may have begun to work."""

    sent: bool
    timed_out: bool = False


Steps = Generator[Send | Wait, Reply | Lost | None, Result]


@dataclass(frozen=True)
class Retries:
    """How long a call may take with all its tries, and how they are spaced.

    The n-th wait is `first_wait_s` doubled n - 1 times, at most `longest_wait_s`, of which chance
    takes up to half, so that clients do not come back all at once. Where the server says how long,
    it is that and a little more.
    """

    timeout_s: float = 60.0
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 8.0
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int, told_s: float | None) -> float:
        """Seconds between this attempt, counted from 1, and the next."""
        if told_s is not None:
            return told_s * (1 + 0.1 * self.chance())
        longest = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return longest * (1 - 0.5 * self.chance())


def exchange(call: Call, retries: Retries) -> Steps[Reply]:
    """The successful answer.

    Raises:
        ClientError: there is none; of several tries, what came of the last.
    """
    until = retries.clock() + retries.timeout_s
    request_id = uuid.uuid4().hex  # the same for all tries, so that the server's log shows them
    for attempt in itertools.count(1):
        outcome = yield Send(call, request_id, until - retries.clock())
        if isinstance(outcome, Reply) and 200 <= outcome.status < 300:
            return outcome
        assert outcome is not None  # nosec B101 # for mypy
        error = _error(outcome, request_id)
        told_s = error.retry_after_s if isinstance(error, ProblemError) else None
        wait_s = retries.wait_s(attempt, told_s)
        late = retries.clock() + wait_s >= until
        if late or attempt >= retries.attempts or not _may_resend(call, outcome):
            raise error
        yield Wait(wait_s)
    raise AssertionError("unreachable")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for: it may hold a number or a date."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdecimal():
        return float(given)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())


def _may_resend(call: Call, outcome: Reply | Lost) -> bool:
    if isinstance(outcome, Lost):
        return call.resend or not outcome.sent
    if outcome.status in REFUSED and (call.resend or _is_problem(outcome)):
        return True
    if outcome.status == 404:  # a proxy that has just begun does not know its servers yet
        return call.resend and not _is_problem(outcome)
    return call.resend and outcome.status in FAILED


def _error(outcome: Reply | Lost, request_id: str) -> ClientError:
    if isinstance(outcome, Lost):
        if outcome.timed_out:
            return TimedOutError("no answer in time; allow more, or ask for less")
        return UnreachableError("no server answers there, or the connection broke")
    wait_s = retry_after_s(outcome.headers)
    return _problem_error(outcome.status, _problem(outcome), request_id, wait_s)


def _is_problem(reply: Reply) -> bool:
    return reply.headers.get("content-type", "").partition(";")[0] == PROBLEM_JSON


def _problem(reply: Reply) -> Mapping[str, object]:
    if not _is_problem(reply):
        return {}
    try:
        found = json.loads(reply.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
