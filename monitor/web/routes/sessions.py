"""`POST /api/sessions`: what people ask of sessions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from drivers.clock import SystemClock
from drivers.errors import StepRefused
from monitor.accounts.people import Role
from monitor.sessions import audit, view
from monitor.sessions.desk import Desk
from monitor.sessions.requests import REQUEST, SignRequest
from monitor.web.asking import asked, described
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts
from monitor.web.station_file import SESSIONS
from monitor.web.who import Nurse, origin


def router(parts: Parts, desk: Desk) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["sessions"], responses=answers(401, 403, 409, 413, 422))

    @routes.post(SESSIONS, openapi_extra=described(REQUEST), responses={202: {"description": "Waits for the disk"}})
    async def do(request: Request, person: Nurse, response: Response) -> dict[str, Any]:
        """Open a session, go on, chart or close it: `verb` says what. Answered when it is on disk, or with 202."""
        wanted = await asked(request, REQUEST, person)
        if isinstance(wanted, SignRequest) and not person.role.includes(Role.REVIEWER):
            raise Refusal(403, "forbidden", f"to sign needs the role {Role.REVIEWER.value}")
        try:
            done = await desk.do(wanted)
        except StepRefused as error:
            body = view.refusal(error)
            raise Refusal(409, body.pop("error"), body.pop("text"), **body) from None
        for entry in () if done.again else done.entries:
            detail, old, new = audit.change(done.session, entry)
            actor = person.login or wanted.by
            parts.audit(actor, f"session {wanted.verb}", detail, origin=origin(request, person), old=old, new=new)
        response.status_code = 200 if done.recorded else 202
        return view.answer(done.session, done.entries, SystemClock.now_ns(), recorded=done.recorded)

    return routes
