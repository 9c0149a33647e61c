"""The page itself: one document, whose path says which view it shows."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from monitor.web.parts import Parts
from monitor.web.who import cookie, identify

STATIC = Path(__file__).parents[1] / "static"


def router(parts: Parts) -> APIRouter:
    """The routes; they are no part of the API."""
    routes = APIRouter(include_in_schema=False)

    async def page(request: Request) -> Response:
        if identify(request) is not None:
            return FileResponse(STATIC / "index.html")
        path = quote(request.scope["path"])
        from_elsewhere = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        if from_elsewhere and not cookie(request):
            return once_more(path)
        return RedirectResponse(f"/login?next={quote(path)}", 303)

    async def login(_request: Request) -> Response:
        return RedirectResponse("/", 303) if parts.open else FileResponse(STATIC / "login.html")

    routes.add_api_route("/", page, methods=["GET"])
    routes.add_api_route("/beds/{bed}", page, methods=["GET"])
    routes.add_api_route("/review", page, methods=["GET"])
    routes.add_api_route("/review/{session}", page, methods=["GET"])
    routes.add_api_route("/login", login, methods=["GET"])
    return routes


def once_more(path: str) -> Response:
    """Has a browser that came from another site ask for that path by itself.

    It keeps the cookie of a login to itself where another site led it here.
    """
    address = escape(path, quote=True)
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Infusion monitor</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><p><a href="{address}">Go on</a></p></html>'
    )
