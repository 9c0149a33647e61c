"""The routes, and what guards them.

This form of the page serves this machine only and knows no accounts; it changes nothing, but for commands of the
station's own user (`local_api`). The guards: only loopback names are answered (so that another site's name which points
here gets nothing), nothing is loaded from elsewhere, no script or style stands in the markup, and text from outside can
only ever become text.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.alerts.board import AlertBoard
from monitor.live import LiveHub
from monitor.sessions.desk import Desk
from monitor.web import local_api
from monitor.web.stream import LiveStream

STATIC = Path(__file__).parent / "static"

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


def create_app(
    hub: LiveHub,
    desk: Desk | None = None,
    token: str = "",
    board: AlertBoard | None = None,
    committed: local_api.Committed = local_api.at_once,
) -> Starlette:
    """The web application that shows `hub`.

    With a desk, and with a board of the same beds, it takes requests for those from who has the token. `committed`
    waits for the disk.
    """

    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def snapshot(_request: Request) -> Response:
        return JSONResponse(hub.snapshot())

    async def health(_request: Request) -> Response:
        if hub.closed:
            return JSONResponse({"status": "stopping"}, status_code=503)
        if hub.notice:
            return JSONResponse({"status": hub.notice}, status_code=503)
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/live", LiveStream(hub).__call__),
            Route("/api/snapshot", snapshot),
            Route("/healthz", health),
            *([] if desk is None else [local_api.session_route(desk, token)]),
            *([] if board is None else local_api.alert_routes(board, token, committed)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(_Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"]),
        ],
        exception_handlers={Exception: _failed},
    )


async def _failed(request: Request, _error: Exception) -> Response:
    # This answer is made outside the middleware, so it brings the headers itself.
    return PlainTextResponse(
        "Internal Server Error", 500, headers=HEADERS | {"Cache-Control": _cache(request.url.path)}
    )


def _cache(path: str) -> str:
    # Files may be kept, but are asked for again each time: a page and a station of different versions must not meet.
    return "no-cache" if path == "/" or path.startswith("/static/") else "no-store"


class _Headers:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Cache-Control"] = _cache(scope["path"])
            await send(message)

        await self._app(scope, receive, with_headers)
