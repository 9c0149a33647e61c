"""`/api/alerts`: what stands on each bed, and what people do to it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from drivers.clock import SystemClock
from drivers.errors import AlertActionRefused
from monitor.alerts import actions
from monitor.alerts.actions import ALERT_REQUEST
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import ALARM, AUDIO, AlertState
from monitor.alerts.signals import SignalState
from monitor.sessions.desk import COMMIT_WITHIN
from monitor.web.asking import asked, described
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts
from monitor.web.station_file import ALERTS
from monitor.web.who import Nurse, Viewer, origin


def router(parts: Parts, board: AlertBoard) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["alerts"], responses=answers(401, 403))

    @routes.get(ALERTS)
    async def stands(_person: Viewer) -> dict[str, Any]:
        """What stands on each bed, and of the station itself under an empty name."""
        now = SystemClock.monotonic()
        beds = (*board.beds, STATION)
        return {"beds": [actions.standing(bed, board.signals_of(bed), now) for bed in beds]}

    @routes.post(
        ALERTS,
        openapi_extra=described(ALERT_REQUEST),
        responses=answers(409, 413, 422) | {202: {"description": "Waits for the disk"}},
    )
    async def do(request: Request, person: Nurse, response: Response) -> dict[str, Any]:
        """Acknowledge, pause, switch off or on: `verb` says what. Answered when it is on disk, or with 202."""
        wanted = await asked(request, ALERT_REQUEST, person)
        try:
            before = board.signals_of(wanted.bed) if wanted.bed in (*board.beds, STATION) else SignalState()
            told = actions.do(board, wanted)
        except AlertActionRefused as error:
            raise Refusal(409, "refused", str(error)) from None
        for event in told:
            parts.audit(
                person.login or wanted.by,
                f"alert {wanted.verb}",
                f"{event.bed or 'station'}: {event.rule}: {event.text}",
                origin=origin(request, person),
                old=_state(before, event.rule),
                new=event.state.value,
            )
        recorded = not told or await parts.committed(COMMIT_WITHIN)
        stand = actions.standing(wanted.bed, board.signals_of(wanted.bed), SystemClock.monotonic())
        response.status_code = 200 if recorded else 202
        return {"told": list(map(actions.told, told)), **stand, "recorded": recorded}

    return routes


def _state(signals: SignalState, rule: str) -> str:
    if rule in {AUDIO, ALARM}:
        return (signals.audio if rule == AUDIO else signals.alarm).state.value
    signal = signals.alerts.get(rule)
    return AlertState.OFF.value if signal is None else signal.event.state.value
