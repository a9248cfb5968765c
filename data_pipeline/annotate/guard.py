"""Who may ask the server for what: checks before any request is handled, and the headers of every answer.

Loopback only, or with a token. A page of another site reaches neither: its `Host` (a name that was bent to 127.0.0.1)
is none of ours, its `Origin` and `Sec-Fetch-Site` are another site's, and it cannot post JSON without asking first.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data_pipeline.annotate.loopback import is_loopback

MOST_BYTES = 512 * 1024  # of a request's body
COOKIE = "affwildnet_annotate"
# These hold nothing of the workspace, and signing in needs them.
OPEN_PATHS = ("/", "/static/", "/api/sign_in")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "gamepad=(self), autoplay=(self), camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware that refuses what is none of the page's requests."""

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        """Args: app: what is guarded; token: what whoever asks must know, '' on loopback."""
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        status, why = self._refusal(scope)
        if status:
            await _refuse(receive, send_with_headers, status, why)
        else:
            await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """The status and reason of a request that is refused, or (0, '')."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if not named or (not self._token and not is_loopback(named[1])):
            return 421, "this host name is not this server's"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "only GET and POST are served"
        path: str = scope["path"]
        site = headers.get("sec-fetch-site", "none")
        # Somebody's link to the first page is fine; nothing else is another site's business.
        opened = path == "/" and headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not opened:
            return 403, "requests of other sites are refused"
        origins = headers.getlist("origin")
        if origins and origins != [f"{scope['scheme']}://{hosts[0]}"]:
            return 403, "requests of other sites are refused"
        if scope["method"] == "POST":
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return 415, "what is posted is JSON"
            length = headers.get("content-length", "0")
            if not length.isascii() or not length.isdigit() or int(length[:12]) > MOST_BYTES:
                return 413, "this is more than a request may hold"
        if self._token and not _is_open(path) and not self._knows_token(headers):
            return 401, "sign in with the server's token"
        return 0, ""

    def _knows_token(self, headers: Headers) -> bool:
        return any(is_token(given, self._token) for given in _given_tokens(headers))


def is_token(given: str, token: str) -> bool:
    """Whether it is the token, in a time that tells nothing of it."""
    return hmac.compare_digest(given.encode(), token.encode())


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _given_tokens(headers: Headers) -> Iterable[str]:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield bearer
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return
    if COOKIE in cookies:
        yield cookies[COOKIE].value


async def _refuse(receive: Receive, send: Send, status: int, why: str) -> None:
    body = json.dumps({"error": why}).encode()
    # A connection that is closed on a body still to come may lose the answer; of a huge body the rest is not awaited.
    left = 4 * MOST_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
