"""What stands before every route: who may speak to the station at all, and what browsers are told with each answer.

A request must name the station as it is called (another site may have its own name point here), must not have come past
a proxy of which nobody told the station, and where a proxy speaks TLS for it, must have come by that way. With each
answer a browser hears that nothing is loaded from elsewhere, that no script or style stands in the markup, and that the
page is in nobody's frame.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from monitor.web.errors import Refusal
from monitor.web.parts import Parts
from monitor.web.settings import LOOPBACK_NAMES, WebConfig
from monitor.web.who import at_door, is_command, proxied, unauthorized

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""For a year a browser that was once here does not try it in clear."""
_PROBES = frozenset({"/healthz", "/readyz"})
"""What watches the station asks these in clear; they say nothing of patients."""
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\s:\[\]/@]+))(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def guards(parts: Parts) -> list[Middleware]:
    """All of them, the outermost first."""
    web = parts.web
    proxies = [Middleware(ProxyHeadersMiddleware, trusted_hosts=list(web.trusted_proxies))]
    return [
        Middleware(Headers, web=web),
        Middleware(Peer),
        *(proxies if web.trusted_proxies else []),
        Middleware(Gate, parts=parts),
    ]


def headers_of(path: str, scheme: str, web: WebConfig) -> dict[str, str]:
    """What an answer there brings."""
    # Files may be kept, but are asked for again each time: a page and a station of different versions must not meet.
    kept = path.startswith(("/static/", "/beds/", "/api/words/")) or path in {"/", "/login"}
    # For a loopback name it would hold for whatever else that machine has there.
    hsts = _HSTS if web.wide and scheme == "https" else {}
    return HEADERS | hsts | {"Cache-Control": "no-cache" if kept else "no-store"}


class Headers:
    """Brings the headers with every answer."""

    def __init__(self, app: ASGIApp, web: WebConfig) -> None:
        self._app = app
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The scheme is looked up now: what a proxy says of it was read on the way in.
                MutableHeaders(scope=message).update(headers_of(scope["path"], scope["scheme"], self._web))
            await send(message)

        await self._app(scope, receive, with_headers)


class Peer:
    """Writes an IPv4 address as such where it came in through an IPv6 socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        client = scope.get("client")
        if client is not None and client[0].lower().startswith("::ffff:"):
            mapped = ipaddress.IPv6Address(client[0]).ipv4_mapped
            scope["client"] = (client[0] if mapped is None else str(mapped), client[1])
        await self._app(scope, receive, send)


class Gate:
    """Refuses what the station does not answer at all."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse(refusal.body, refusal.status, headers=refusal.headers)(scope, receive, send)

    def _refusal(self, request: Request) -> Refusal | None:
        web = self._parts.web
        names = frozenset(LOOPBACK_NAMES) if at_door(request) else web.answered
        if not _named(request.headers.getlist("host"), names):
            return Refusal(400, "bad_request", "the station is not called that (web.names says how browsers call it)")
        if "content-length" in request.headers and "transfer-encoding" in request.headers:
            # A proxy that goes by the other one of them would take the rest for somebody else's request.
            text = "both Content-Length and Transfer-Encoding"
            return Refusal(400, "bad_request", text, headers={"Connection": "close"})
        if at_door(request):
            return None if is_command(request) else unauthorized(request)
        if not web.trusted_proxies and proxied(request) and (web.tls is None or self._parts.open):
            text = "behind a proxy the station needs accounts, and web.trusted_proxies in its configuration"
            return Refusal(403, "forbidden", text)
        if web.secure and request.url.scheme != "https" and request.url.path not in _PROBES:
            text = "not over TLS: the page is to be asked for through the proxy, by https://"
            return Refusal(403, "forbidden", text)
        return None


class Door:
    """The same station at an address of its own, for commands on this machine alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        scope["state"] = {**scope.get("state", {}), "at_door": True}
        await self._app(scope, receive, send)


def _named(hosts: list[str], names: frozenset[str]) -> bool:
    """Whether the header `Host` is there once, and says one of these."""
    said = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return said is not None and (said["ipv6"] or said["name"]).lower() in names
