"""`/healthz` and `/readyz`: for what watches the station from outside."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from monitor.web import shapes
from monitor.web.parts import Parts


def router(parts: Parts) -> APIRouter:
    """The routes; anybody may ask, and nothing of patients is said."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", responses=_answers(shapes.Alive, "It ends"))
    async def alive() -> JSONResponse:
        """Whether the station runs: whatever else is wrong with it, to start it again would not help."""
        if parts.hub.closed:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz", responses=_answers(shapes.Ready, "It ends, or what it hears is not on disk"))
    async def ready() -> JSONResponse:
        """Whether it does all that it is there for, and what is wrong where it does not."""
        recording = parts.recording
        error = None if recording is None else recording.health().error
        if parts.hub.closed:
            status = "stopping"
        elif error is not None:
            status = "unavailable"
        else:
            status = "degraded" if parts.hub.notice else "ok"
        said = {
            "status": status,
            "notice": parts.hub.notice,
            "journal": None if recording is None else ("ok" if error is None else "not_written"),
            "sinks": {} if recording is None else {sink.name: sink.state for sink in recording.sinks()},
            "devices": {state.value: count for state, count in parts.hub.links.items() if count},
        }
        return JSONResponse(said, 503 if status in {"stopping", "unavailable"} else 200)

    return routes


def _answers(model: type[shapes.Alive | shapes.Ready], not_so: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}, 503: {"model": model, "description": not_so}}
