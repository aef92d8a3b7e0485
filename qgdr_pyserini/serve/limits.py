"""What a request may ask for, and what every answer says to browsers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Limits:
    """Most that a request may ask for.

    Parameters
    ----------
    question
        Characters of a question.
    hits
        Passages.
    texts, text
        Texts to be encoded at a time, and characters of each.
    body
        Bytes of a request's body.
    together, waiting
        Questions computed at a time, and those that may wait; beyond that, 503 is the answer.
    connections
        Open at a time.
    """

    question: int = 1000
    hits: int = 100
    texts: int = 64
    text: int = 10_000
    body: int = 1 << 20
    together: int = 32
    waiting: int = 256
    connections: int = 512


DEFAULTS = Limits()


class Guard:
    """Refuses requests that are too large or meant for another server, and sets headers for browsers.

    A page elsewhere may have a browser ask this server under a name of its own that resolves to the
    loopback address; so only the server's own names are answered.

    Parameters
    ----------
    app
        What answers.
    body
        Most bytes of a request's body.
    names
        Under which the server may be asked; any when empty.
    """

    def __init__(self, app: ASGIApp, body: int, names: frozenset[str]) -> None:
        self._app = app
        self._body = body
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(headers)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        if self._names and host_name(headers.get("host", "")) not in self._names:
            return _refuse(421, "this server is not called so")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._body:
            return _refuse(413, f"the body is longer than {self._body:,} bytes")
        if "transfer-encoding" in headers:  # whose length nobody can tell beforehand
            return _refuse(411, "say how long the body is")
        return None


def _refuse(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers={"connection": "close"})


def host_name(host: str) -> str:
    """Take the port off a ``Host`` header.

    Examples
    --------
    >>> host_name("localhost:8000"), host_name("[::1]:8000"), host_name("127.0.0.1")
    ('localhost', '::1', '127.0.0.1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's alone.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str) -> frozenset[str]:
    """Give the names that a server on an address may be asked by; none stands for any."""
    return frozenset({host.lower(), "localhost", "127.0.0.1", "::1"}) if is_loopback(host) else frozenset()


def with_guard(app: Any, limits: Limits, host: str) -> Guard:
    """Put a `Guard` before an application that is served on ``host``."""
    return Guard(app, limits.body, names_of(host))
