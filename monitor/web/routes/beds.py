"""`/api/beds/{bed}`: what the page of a chair shows beside the present: session, chart, pleth and alerts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from drivers.clock import NS, iso
from drivers.errors import JournalUnusable
from drivers.vitals import VITALS
from monitor.alerts import actions
from monitor.alerts.board import AlertBoard
from monitor.alerts.conditions import AlertEvent
from monitor.alerts.rules import LimitRule
from monitor.sessions import recorded, view
from monitor.sessions.desk import Desk
from monitor.sessions.session import Session
from monitor.storage.bed_sessions import on_bed
from monitor.storage.charts import Trace
from monitor.storage.history import History
from monitor.web import chart, shapes
from monitor.web.asking import Since, Until
from monitor.web.chart import LONGEST, NARROWEST, WIDEST, WIDTH
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts, Recording
from monitor.web.who import Viewer

USUAL = 1800 * NS
"""What a chart shows where no session is open and nobody asks for another span, nanoseconds."""
MOST_ALERTS = 500
PLETH = "pleth"
_AT_ONCE = 2
"""Charts that are made at a time, so that there is always a thread for what people enter."""
_DAY = 86_400 * NS

Width = Annotated[int, Query(ge=NARROWEST, le=WIDEST, description="At most so many steps a vital.")]
After = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="UTC seconds: where the run begins that you had.")
]


class _Span(NamedTuple):
    since: int
    until: int
    width: int


class _Stored(NamedTuple):
    traces: list[Trace]
    sessions: list[Session]


def router(parts: Parts, desk: Desk, board: AlertBoard, recording: Recording) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["beds"], responses=answers(401, 403, 404))
    labels = {bed.id: bed.title for bed in recording.config.beds}
    charts = asyncio.Semaphore(_AT_ONCE)

    def known(bed: str) -> None:
        if bed not in labels:
            raise Refusal(404, "not_found", "there is no such bed")

    @routes.get("/api/beds/{bed}", responses={200: {"model": shapes.BedDetails}})
    async def details(bed: str, _person: Viewer) -> JSONResponse:
        """The session that is open there, what can be chosen from, and the limits in force."""
        known(bed)
        now, session, read = parts.clock.now_ns(), desk.on_bed(bed), True
        shown = None
        if session is not None:
            found = await asyncio.to_thread(_recorded, recording, session, now)
            read = found is not None
            shown = view.full(session, recording.config.sessions, found or recorded.NOTHING, now)
        return JSONResponse(
            {
                "bed": {"id": bed, "label": labels[bed]},
                "session": shown,
                "journal_read": read,
                "offer": _offer(recording, board, bed),
                "limits": _limits(board, bed, session),
            }
        )

    @routes.get(
        "/api/beds/{bed}/trends", response_class=Response, responses={200: {"model": shapes.Chart}, **answers(422)}
    )
    async def trends(
        bed: str, _person: Viewer, since: Since = None, until: Until = None, width: Width = WIDTH
    ) -> Response:
        """A span of all its vitals, a day at most: the lowest and highest of each step, from the journal.

        From the opening of the session or half an hour ago until now, where nothing else is asked for.
        """
        known(bed)
        session = desk.on_bed(bed)
        span = _span(since, until, width, session, parts.clock.now_ns())
        async with charts:
            stored = await asyncio.to_thread(_stored, recording, bed, span, session)
            traces, sessions = stored or _Stored([], [] if session is None else [session])
            if stored is None or recording.health().error is not None:
                # Memory belongs to this thread.
                memory = chart.remembered(recording.rings, bed, span.since, span.until)
                traces = chart.completed(traces, memory)
            told = {
                "bed": bed,
                "since": iso(span.since),
                "until": iso(span.until),
                "step_s": chart.step_of(*span) / NS,
                "journal_read": stored is not None,
                "phases": chart.phases(sessions, bed, span.since, span.until),
            }
            return Response(await asyncio.to_thread(_with_vitals, told, traces, span), media_type="application/json")

    @routes.get("/api/beds/{bed}/pleth", responses={200: {"model": shapes.Pleth}, **answers(422)})
    async def pleth(bed: str, _person: Viewer, after: After = 0.0) -> JSONResponse:
        """The newest ten seconds of its pleth at most: the runs that begin after a time."""
        known(bed)
        runs = parts.hub.waves.newest(bed, PLETH, after, parts.clock.monotonic())
        return JSONResponse(
            {
                "name": PLETH,
                "rate": runs[-1].rate if runs else None,
                "runs": [{"begins_at": run.observed_at / NS, "samples": run.samples} for run in runs],
            }
        )

    @routes.get("/api/beds/{bed}/alerts", responses={200: {"model": shapes.AlertChanges}, **answers(422, 503)})
    async def alerts(bed: str, _person: Viewer, since: Since = None) -> JSONResponse:
        """What became of its alerts since then, or since yesterday: the newest first, 500 at most."""
        known(bed)
        now = parts.clock.now_ns()
        try:
            found = await asyncio.to_thread(_alerts, recording, bed, now - _DAY if since is None else since, now)
        except JournalUnusable as error:
            raise Refusal(503, "unavailable", str(error)) from None
        told = list(map(actions.told, found[:MOST_ALERTS]))
        return JSONResponse({"alerts": told, "more": len(found) > MOST_ALERTS})

    return routes


def _recorded(recording: Recording, session: Session, now: int) -> recorded.Recorded | None:
    """None where the journal cannot be read."""
    try:
        return recorded.read(History(recording.data_dir), session, now)
    except JournalUnusable:
        return None


def _span(since: int | None, until: int | None, width: int, session: Session | None, now: int) -> _Span:
    """Raises Refusal for one that is none, or too long."""
    until = now if until is None else until
    if since is None:
        opened = until - USUAL if session is None else session.opened_at
        since = max(opened if opened < until else until - USUAL, until - LONGEST)
    if since >= until:
        raise Refusal(422, "invalid", "since: is not before until")
    if until - since > LONGEST:
        raise Refusal(422, "invalid", "since: is more than a day before until")
    return _Span(since, until, width)


def _stored(recording: Recording, bed: str, span: _Span, session: Session | None) -> _Stored | None:
    """What the journal has; None where it cannot be read."""
    sessions = [] if session is None else [session]
    try:
        traces = History(recording.data_dir).chart(bed, span.since, span.until)
        # There is one session on a bed at a time.
        if session is None or span.since < session.opened_at:
            before = on_bed(recording.data_dir, bed, span.since, span.until)
            sessions += [it for it in before if session is None or it.id != session.id]
    except JournalUnusable:
        return None
    return _Stored(traces, sessions)


def _with_vitals(told: Mapping[str, Any], traces: Sequence[Trace], span: _Span) -> bytes:
    """The chart as JSON: a long one takes a while."""
    vitals = chart.columns(traces, chart.step_of(*span), span.width)
    return json.dumps({**told, "vitals": vitals}, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _alerts(recording: Recording, bed: str, since: int, now: int) -> list[AlertEvent]:
    """The newest first, one more than are told where there are more; read backwards, so that years cost nothing."""
    history = History(recording.data_dir)
    found: list[AlertEvent] = []
    width = _DAY
    # Where the clock was set back there is something after now, too.
    begins, ends = max(since, now - width), None
    while True:
        found += reversed(list(history.alerts(bed, begins, ends)))
        if begins <= since or len(found) > MOST_ALERTS:
            return found
        width *= 2
        begins, ends = max(since, begins - width), begins


def _offer(recording: Recording, board: AlertBoard, bed: str) -> dict[str, Any]:
    sessions, alerts = recording.config.sessions, recording.config.alerts
    signals = board.profile_of(bed).signals
    return {
        "planned_minutes": sessions.planned_minutes,
        "profile": alerts.profile,
        "profiles": list(alerts.all),
        "events": [{"id": event.id, "text": event.text} for event in sessions.events],
        "scales": [
            {
                "id": scale.id,
                "title": scale.title,
                "version": scale.version,
                "lowest": scale.lowest,
                "highest": scale.highest,
                "help": scale.help,
            }
            for scale in sessions.all_scales.values()
        ],
        "pause": {
            "seconds": signals.audio_pause,
            "longest": signals.longest_pause,
            "may_switch_off": signals.may_switch_off,
        },
    }


def _limits(board: AlertBoard, bed: str, session: Session | None) -> list[dict[str, Any]]:
    own = {} if session is None else session.limits
    return [
        {
            "rule": rule.id,
            "vital": vital,
            "label": VITALS[vital].label,
            "unit": VITALS[vital].unit_label,
            "side": rule.side,
            "limit": round(number, VITALS[vital].decimals + 2),
            "priority": rule.priority.value,
            "delay_s": rule.delay,
            "set_for_session": rule.id in own,
            "bounds": rule.bounds,
        }
        for vital, several in board.force_of(bed).judged.items()
        for rule, number in several
        if isinstance(rule, LimitRule)
    ]
