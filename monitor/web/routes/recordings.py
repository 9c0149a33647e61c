"""`POST /api/recordings`: a portion of a recording that is imported, for the session that was opened for it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from drivers.errors import StepRefused
from monitor.sessions.desk import COMMIT_WITHIN, Desk
from monitor.sessions.portions import LONGEST_BODY, PORTION, ROUTE, refuse_foreign
from monitor.web.asking import asked, described
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts, Recording
from monitor.web.who import Admin


def router(parts: Parts, desk: Desk, recording: Recording) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["recordings"], responses=answers(401, 403, 409, 413, 422))

    @routes.post(ROUTE, openapi_extra=described(PORTION), responses={202: {"description": "Waits for the disk"}})
    async def bring(request: Request, _person: Admin, response: Response) -> dict[str, Any]:
        """Record what was measured elsewhere or before. It raises no alert and is not shown as the present.

        Taken only for a session that is open without a bed and has that stretch of the bed assigned; never under the
        name of a device that the bed has. The same portion again changes nothing.
        """
        portion = await asked(request, PORTION, longest=LONGEST_BODY)
        if (portion.bed, portion.device) in recording.config.device_ids:
            raise Refusal(409, "refused", f"{portion.device} is a device of {portion.bed}: it records by itself")
        try:
            open_ones = {session.id: session for session in desk.all_open()}
            refuse_foreign(portion, open_ones.get(portion.session))
        except StepRefused as error:
            raise Refusal(409, "refused", str(error)) from None
        parts.record(portion.bed, portion.device, portion.events())
        recorded = await parts.committed(COMMIT_WITHIN)
        response.status_code = 200 if recorded else 202
        return {"recorded": recorded}

    return routes
