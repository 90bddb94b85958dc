"""Around every request: its id, one line in the log, its count, and an answer in our form
whatever went wrong.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geco.serve.errors import INTERNAL, REQUEST_ID, Gone, Refusal, error_response
from geco.serve.metrics import Metrics

log = logging.getLogger("geco.serve")
requests = logging.getLogger("geco.serve.requests")  # one line each

BODILESS = "geco.bodiless"  # of the scope: nobody will see the answer's body
GONE = 499  # nginx's number for a client that has left; never sent
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Frame:
    """ASGI middleware, outermost. A given ``X-Request-Id`` is kept where it is short and plain.

    Args:
        app: what it stands around.
        metrics: where requests are counted, by ``route_of`` of their scope.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, route_of: Callable[[Scope], str]) -> None:
        self.app, self.metrics, self.route_of = app, metrics, route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        answer = _Answer(send, request_id, bodiless=scope["method"] == "HEAD")
        # What answers GET answers HEAD, without the body.
        method = "GET" if answer.bodiless else scope["method"]
        inner = {**scope, REQUEST_ID: request_id, BODILESS: answer.bodiless, "method": method}
        began = time.monotonic()
        try:
            await self.app(inner, receive, answer.send)
        except Gone:
            answer.status = GONE
        except Refusal as refusal:
            await refusal.response(request_id)(inner, receive, answer.send)
        except Exception:
            log.exception("request %s failed", request_id)
            if answer.status:
                raise  # the answer is under way: the server can only cut it
            await error_response(500, "InternalError", INTERNAL, "", request_id)(inner, receive, answer.send)
        finally:
            self._note(scope, answer.status, request_id, time.monotonic() - began)

    def _note(self, scope: Scope, status: int, request_id: str, seconds: float) -> None:
        self.metrics.requests[self.route_of(scope), status] += 1
        client = (scope.get("client") or ("-", 0))[0]
        method, path = ascii(scope["method"])[1:-1][:10], ascii(scope["path"])[1:-1][:200]
        requests.info("%s %s %s %d %.2f s %s", client, method, path, status, seconds, request_id)


class _Answer:
    """The way to the client: adds the request's id, notes the status, leaves the body out for HEAD."""

    def __init__(self, send: Send, request_id: str, bodiless: bool) -> None:
        self._send, self._request_id, self.bodiless = send, request_id, bodiless
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
        elif self.bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
