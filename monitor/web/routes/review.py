"""`/api/sessions` to look at: the list of all sessions, and the chart of each."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from drivers.clock import NS, iso
from monitor.accounts.people import Role
from monitor.review import session_list, view
from monitor.review.session_list import Status, Wanted
from monitor.review.source import JournalSource
from monitor.sessions.steps import State
from monitor.storage.charts import Trace
from monitor.storage.session_list import newest_first
from monitor.storage.session_mark import mark_of
from monitor.web import chart as columns
from monitor.web import shapes
from monitor.web.asking import Since, Until
from monitor.web.chart import NARROWEST, WIDEST, WIDTH
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts, Recording
from monitor.web.reviewing import Making, Version, chart_of, in_version
from monitor.web.who import Viewer

MOST = 200
USUAL = 50
"""Lines of the list at most, and where nobody asks for others."""
EARLIER = 20
"""Earlier sessions of a patient that are told of."""

Width = Annotated[int, Query(ge=NARROWEST, le=WIDEST, description="At most so many steps a vital.")]
Text = Annotated[str, Query(max_length=100, description="Part of a session's id or of a reference.")]


def router(parts: Parts, recording: Recording, making: Making) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["review"], responses=answers(401, 403, 503))
    data_dir = recording.data_dir

    @routes.get("/api/sessions", responses={200: {"model": shapes.SessionList}, **answers(422)})
    async def sessions(
        _person: Viewer,
        search: Text = "",
        bed: Annotated[str | None, Query(description="It was there at some time.")] = None,
        since: Since = None,
        until: Until = None,
        status: Annotated[Status | None, Query(description="How far its chart is.")] = None,
        before: Annotated[str | None, Query(description="The last session of the list that you have.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = USUAL,
    ) -> JSONResponse:
        """All sessions of the journal, the one that was opened last first."""
        wanted = Wanted(bed, since, until, status)
        found, more = await making.made(
            lambda: session_list.portion(newest_first(data_dir, search, before), wanted, limit)
        )
        now = parts.clock.now_ns()
        return JSONResponse({"sessions": [session_list.line(session, now) for session in found], "more": more})

    @routes.get(
        "/api/sessions/{session}",
        response_class=Response,
        responses={200: {"model": shapes.ReviewedChart}, **answers(404, 422)},
    )
    async def reviewed(session: str, person: Viewer, version: Version = "now") -> Response:
        """The chart: all that is known of a session but the readings themselves."""
        now = parts.clock.now_ns()
        may_sign = person.role.includes(Role.REVIEWER)
        body = await making.made(partial(_told, data_dir, session, version, now, may_sign=may_sign))
        return Response(body, media_type="application/json")

    @routes.get(
        "/api/sessions/{session}/vitals",
        response_class=Response,
        responses={200: {"model": shapes.ReviewedVitals}, **answers(404, 422)},
    )
    async def vitals(
        session: str,
        _person: Viewer,
        since: Since = None,
        until: Until = None,
        width: Width = WIDTH,
        version: Version = "now",
    ) -> Response:
        """A span of the chart's vitals, or all: the lowest and highest of each step, or each reading where they fit."""
        if since is not None and until is not None and since >= until:
            raise Refusal(422, "invalid", "since: is not before until")
        now = parts.clock.now_ns()
        body = await making.made(partial(_vitals, data_dir, session, version, now, since, until, width))
        return Response(body, media_type="application/json")

    return routes


def _told(data_dir: Path, name: str, version: str, now: int, *, may_sign: bool) -> bytes:
    chart = chart_of(data_dir, name, version, now)
    session = chart.session
    mark = mark_of(data_dir, session)
    of_patient = Wanted(until=session.opened_at)
    others = (it for it in newest_first(data_dir, session.reference) if it.reference == session.reference)
    earlier, _ = session_list.portion((it for it in others if it.id != name), of_patient, EARLIER)
    return _json(
        {
            **view.told(chart),
            "version": version,
            "amended": session_list.is_amended(session),
            "may_sign": may_sign and version == "now" and session.state is State.CLOSED and not session.signed,
            "mark": None if mark is None else str(mark),
            "earlier": [session_list.line(one, now) for one in earlier],
        }
    )


def _vitals(
    data_dir: Path, name: str, version: str, now: int, since: int | None, until: int | None, width: int
) -> bytes:
    source = JournalSource(data_dir)
    session = in_version(source.session(name), version)
    stretches = list(session.stretches(now if session.closed_at is None else 2**62))
    begins = min((it[1] for it in stretches), default=session.opened_at) if since is None else since
    ends = max((it[2] for it in stretches), default=session.opened_at) + 1 if until is None else until
    ends = max(ends, begins + 1)
    traces: list[Trace] = []
    for bed, first, last in stretches:
        # The last moment of a session belongs to it.
        if max(first, begins) < min(last + 1, ends):
            traces += source.traces(bed, max(first, begins), min(last + 1, ends))
    step = columns.step_of(begins, ends, width)
    return _json(
        {
            "session": session.id,
            "since": iso(begins),
            "until": iso(ends),
            "step_s": step / NS,
            "vitals": columns.columns(traces, step, width),
        }
    )


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
