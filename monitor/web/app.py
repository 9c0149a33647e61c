"""The web application: its routes, each in a file by its subject, behind the guards that they all have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from monitor import __version__
from monitor.web.errors import answers, handle_errors
from monitor.web.guards import guards, headers_of
from monitor.web.openapi import description
from monitor.web.parts import Parts
from monitor.web.reviewing import Making
from monitor.web.routes import (
    accounts,
    alerts,
    beds,
    files,
    health,
    live,
    login,
    metrics,
    oidc,
    pages,
    recordings,
    review,
    sessions,
    words,
)
from monitor.web.settings import WebConfig
from monitor.web.who import Viewer


def create_app(parts: Parts) -> FastAPI:
    """The web application of the station behind `parts`."""
    app = FastAPI(
        title="Infusion monitor",
        version=__version__,
        description="Records and alerts only: nothing here controls a device, a dose or a measurement.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=guards(parts),
        exception_handlers={Exception: _failed(parts.web)},
    )
    app.state.parts = parts
    handle_errors(app)
    app.include_router(pages.router(parts))
    app.include_router(live.router(parts))
    app.include_router(health.router(parts))
    app.include_router(metrics.router(parts))
    app.include_router(login.router(parts))
    app.include_router(words.router())
    if parts.accounts is not None:
        app.include_router(accounts.router(parts.accounts))
        if parts.web.oidc is not None:
            app.include_router(oidc.router(parts, parts.accounts, parts.web.oidc))
    if parts.desk is not None:
        app.include_router(sessions.router(parts, parts.desk))
    if parts.recording is not None:
        making = Making()
        app.include_router(review.router(parts, parts.recording, making))
        app.include_router(files.router(parts, parts.recording, making))
    if parts.desk is not None and parts.recording is not None:
        app.include_router(recordings.router(parts, parts.desk, parts.recording))
    if parts.board is not None:
        app.include_router(alerts.router(parts, parts.board))
    if parts.desk is not None and parts.board is not None and parts.recording is not None:
        app.include_router(beds.router(parts, parts.desk, parts.board, parts.recording))
    app.mount("/static", StaticFiles(directory=pages.STATIC))

    @app.get("/openapi.json", tags=["description"], responses=answers(401, 403))
    async def openapi(_person: Viewer) -> dict[str, Any]:
        """This description."""
        return description(app)

    return app


def _failed(web: WebConfig) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    async def answer(request: Request, _error: Exception) -> Response:
        body = {"error": "failed", "text": "the station failed at this, its log says how"}
        # This answer is made outside the guards, so it brings the headers itself.
        return JSONResponse(body, 500, headers=headers_of(request.url.path, request.url.scheme, web))

    return answer
