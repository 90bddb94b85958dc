"""Who may ask: the names in Host, other sites' pages (Origin), and the token."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geco.serve.errors import REQUEST_ID, Refusal
from geco.serve.settings import Access

LOCAL = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::")
ANY_ADDRESS = "*address"  # in Access.hosts: every IP address; no page of another site can be reached by one
PROTECTED = ("/api/", "/metrics", "/generate", "/send", "/status/")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]\\]+)(?::(\d{0,5}))?")
_PORTS = {"http": "80", "https": "443"}
EXPOSED = (
    "X-Request-Id, X-Geco-Seed, X-Geco-Model, X-Geco-Timings, X-Geco-Facts, Content-Disposition, Location, "
    "Retry-After"
)


def served_names(host: str) -> tuple[str, ...]:
    """What a Host header may say where the server listens on ``host``."""
    if host in WILDCARDS:
        own = socket.gethostname().lower()
        return (*LOCAL, own, f"{own}.local", ANY_ADDRESS)
    return (*LOCAL, host.lower())


def is_public(host: str) -> bool:
    """Whether others than this machine can reach a server that listens on ``host``."""
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() != "localhost"


class Guard:
    """ASGI middleware: refuses by Host (421), Origin (403) and token (401); answers preflights; adds CORS
    headers.

    A page of another site can make a browser POST a form here, and one whose name was bound to this address
    anew could read the answers too: the first comes with its Origin, the second with its name as Host.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.hosts = {name.lower().strip("[]").rstrip(".") for name in (*LOCAL, *access.hosts)}
        self.origins = {_origin(origin) for origin in access.origins}
        self.token = access.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        foreign = origin is not None and _origin(origin) in self.origins
        if foreign:
            send = _with_cors(send, str(origin))
        try:
            await self._checked(scope, receive, send, headers, foreign)
        except Refusal as refusal:  # answered here, so that it gets the headers of CORS too
            await refusal.response(scope.get(REQUEST_ID, ""))(scope, receive, send)

    async def _checked(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, foreign: bool
    ) -> None:
        host, origin = headers.get("host"), headers.get("origin")
        self._check_host(host)
        if scope["method"] == "OPTIONS" and origin is not None and "access-control-request-method" in headers:
            self._check_origin(foreign, origin, host)
            await _preflight()(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._check_origin(foreign, origin, host)
        if self.token is not None and scope["path"].startswith(PROTECTED):
            self._check_token(headers.get("authorization", ""))
        await self.app(scope, receive, send)

    def _check_host(self, host: str | None) -> None:
        if host is None or "*" in self.hosts:  # no browser leaves it out
            return
        found = _HOST.fullmatch(host)
        if found is None:
            raise Refusal(400, "BadHost", "the Host header is none", "Ask for a host name and a port.")
        name = found[1].strip("[]").lower().rstrip(".")
        if name in self.hosts or (ANY_ADDRESS in self.hosts and _is_address(name)):
            return
        raise Refusal(
            421,
            "UnknownHost",
            "this server is not known under that host name",
            "See geco serve --allow-host.",
        )

    def _check_origin(self, foreign: bool, origin: str | None, host: str | None) -> None:
        """Of its own or none; the port counts. The scheme does not: a proxy may have taken TLS off."""
        if origin is None or foreign:
            return
        asked = _origin(origin)
        if host is not None and asked is not None and asked[1:] == _host_and_port(host, asked[0]):
            return
        raise Refusal(
            403, "ForeignOrigin", "pages of other sites may not use this server", "See geco serve --cors."
        )

    def _check_token(self, authorization: str) -> None:
        assert self.token is not None
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not same:
            problem = "the request carries no valid token"
            remedy = "Send the header Authorization: Bearer TOKEN."
            raise Refusal(401, "Unauthorized", problem, remedy, headers={"WWW-Authenticate": "Bearer"})


def _origin(text: str) -> tuple[str, str, str] | None:
    """Scheme, host and port of an Origin header; None for "null" and what is no origin."""
    scheme, _, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if scheme not in _PORTS or _HOST.fullmatch(rest) is None:
        return None
    return (scheme, *_host_and_port(rest, scheme))


def _host_and_port(host: str, scheme: str) -> tuple[str, str]:
    found = _HOST.fullmatch(host)
    if found is None:
        return "", ""
    return found[1].lower().rstrip("."), found[2] or _PORTS[scheme]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _preflight() -> Response:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Request-Id",
        "Access-Control-Max-Age": "600",
    }
    return Response(status_code=204, headers=headers)


def _with_cors(send: Send, origin: str) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED
            headers.add_vary_header("Origin")
        await send(message)

    return answer
