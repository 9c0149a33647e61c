"""`/api/live` and `/api/snapshot`: the present of every bed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.web import shapes
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts
from monitor.web.stream import LiveStream
from monitor.web.who import Viewer, still_may_look

_AGAIN_AFTER = 5
"""Seconds."""


def router(parts: Parts) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["live"], responses=answers(401, 403))
    stream = LiveStream(parts.hub)

    @routes.get(
        "/api/live",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}}, **answers(429)},
    )
    async def live(
        request: Request,
        person: Viewer,
        last_event_id: Annotated[str | None, Header(description="Where a browser that reconnects was.")] = None,
        last: Annotated[str | None, Query(description="The same, for one that connects anew.")] = None,
    ) -> Response:
        """The present of every bed as server-sent events, at least once a second, with what the trends have gained."""
        whose = f"{person.via.value} {person.login}"
        if not stream.has_room(whose):
            text = "too many pages are open: close some"
            headers = {"Retry-After": str(_AGAIN_AFTER)}
            raise Refusal(429, "too_many", text, headers=headers, retry_after_s=_AGAIN_AFTER)
        return stream.response(last_event_id or last, lambda: still_may_look(request), whose)

    @routes.get("/api/snapshot", responses={200: {"model": shapes.Snapshot}})
    async def snapshot(_person: Viewer) -> JSONResponse:
        """The present of every bed, once."""
        return JSONResponse(parts.hub.snapshot())

    return routes
