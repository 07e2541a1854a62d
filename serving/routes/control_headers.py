"""Headers by which Ray Serve takes orders, from whoever sends them; ours come from outside.

`x-request-timeout-seconds` lifts the server's time limit, `x-request-disconnect-disabled` keeps
work going for a client that left, the others choose among replicas. Ray's proxy has obeyed by the
time we see them, so such a request is refused at once: there is nothing left to be lifted.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http_errors import Failure, Kind
from serving.routes.middleware import Facts

REFUSED = Kind(400, "control-header", "A header that only this service may set")
NAMES = frozenset(
    {"x_request_timeout_seconds", "x_request_disconnect_disabled", "serve_multiplexed_model_id"}
)
PREFIX = "x_serve_"


class RefuseControlHeaders:
    """Answer 400 to whoever sends one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or not any(map(_is_control, Headers(scope=scope).keys())):
            await self._app(scope, receive, send)
            return
        facts: Facts = scope["state"]["facts"]
        detail = "leave out headers that steer Ray Serve: x-request-timeout-seconds and the like"
        answer = facts.write_error(Failure(REFUSED, detail, facts.request_id))
        await answer(scope, receive, send)


def _is_control(name: str) -> bool:
    """Gateways write `-` for `_`, and Ray takes both."""
    plain = name.replace("-", "_")
    return plain in NAMES or plain.startswith(PREFIX)
