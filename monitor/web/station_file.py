"""How a command on this machine reaches the station that holds the data folder.

The station leaves a file there, for its own user only, with the address of its page and a token that is new at each
start; who can read that file could write the journal itself. Its routes take what `sessions.requests` and
`alerts.actions` describe.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drivers.clock import SystemClock
from drivers.errors import AlertActionRefused, StepRefused
from monitor.alerts import actions
from monitor.alerts.actions import ALERT_REQUEST, AlertRequest
from monitor.alerts.board import STATION, AlertBoard
from monitor.sessions import requests, view
from monitor.sessions.desk import COMMIT_WITHIN, Desk
from monitor.sessions.requests import REQUEST
from monitor.sessions.steps import Step

ADDRESS_FILE = "station.json"
ROUTE = "/api/sessions"
ALERTS_ROUTE = "/api/alerts"
LONGEST_BODY = 65_536
"""Bytes; the longest request has a note of 4000 characters."""

_EXPECTED = {
    "reference": "a pseudonym is expected: letters, digits, '.', '_' and '-', without blanks, at most 32",
    "request": "32 digits of 0-9a-f are expected",
    "step": f"one of {', '.join(step for step in Step if step is not Step.CLOSE)} is expected",
}
"""By field: in place of what the library says of patterns and choices."""

_log = logging.getLogger(__name__)

_Asked = TypeVar("_Asked")
_Endpoint = Callable[[Request], Awaitable[Response]]
Committed = Callable[[float], Awaitable[bool]]
"""Waits, so many seconds at most, until all that was recorded is on disk; gives whether it is."""


class StationAddress(NamedTuple):
    """Where the running station is to be asked."""

    host: str
    port: int
    token: str


def write(data_dir: Path, address: str, token: str) -> None:
    """Say where the station is, `address` being that of its page; nobody ever reads half of it.

    Where it cannot be written the log says so, and the station runs on: it records, and commands do not reach it.
    """
    path = data_dir / ADDRESS_FILE
    half = path.with_suffix(".new")
    try:
        half.unlink(missing_ok=True)
        file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump({"address": address, "token": token}, stream)
        half.replace(path)
    except OSError as error:
        _log.warning("%s cannot be written, so that no command reaches this station: %s", path, error)


def remove(data_dir: Path) -> None:
    """Take back what `write` has said, or what a station said that was killed. Harmless where there is nothing."""
    path = data_dir / ADDRESS_FILE
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # It leads to nobody: its token is refused.
        _log.warning("%s cannot be removed: %s", path, error)


def read(data_dir: Path) -> StationAddress | None:
    """Where the station is; None where none has said so yet. Raises OSError where the file may not be read."""
    try:
        said = json.loads((data_dir / ADDRESS_FILE).read_bytes())
        where = urlsplit(said["address"])
        # `localhost` may also be ::1, where the station does not listen.
        host = "127.0.0.1" if where.hostname == "localhost" else where.hostname
        if host and where.port and isinstance(said["token"], str):
            return StationAddress(host, where.port, said["token"])
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        # A power cut can leave a file without its content.
        pass
    return None


def session_route(desk: Desk, token: str) -> Route:
    """`POST /api/sessions`: a request for `desk`, from who has the token."""

    async def do(asked: requests.Request) -> Response:
        try:
            done = await desk.do(asked)
        except StepRefused as error:
            return JSONResponse(view.refusal(error), 409)
        answer = view.answer(done.session, done.entries, SystemClock.now_ns(), recorded=done.recorded)
        return JSONResponse(answer, 200 if done.recorded else 202)

    return Route(ROUTE, _guarded(token, _reading(REQUEST, do)), methods=["POST"])


async def at_once(_within: float) -> bool:
    """Nothing is recorded, so nothing is waited for."""
    return True


def alert_routes(board: AlertBoard, token: str, committed: Committed = at_once) -> list[Route]:
    """`/api/alerts`, for who has the token: GET is what stands on each bed, POST does something to it.

    Who does something is answered when it is on disk, or told that it waits in memory.
    """

    async def stands(_request: Request) -> Response:
        now = SystemClock.monotonic()
        beds = (*board.beds, STATION)
        return JSONResponse({"beds": [actions.standing(bed, board.signals_of(bed), now) for bed in beds]})

    async def do(asked: AlertRequest) -> Response:
        try:
            told = actions.do(board, asked)
        except AlertActionRefused as error:
            return _fault(409, "refused", str(error))
        recorded = not told or await committed(COMMIT_WITHIN)
        stands = actions.standing(asked.bed, board.signals_of(asked.bed), SystemClock.monotonic())
        answer = {"told": list(map(actions.told, told)), **stands, "recorded": recorded}
        return JSONResponse(answer, 200 if recorded else 202)

    return [
        Route(ALERTS_ROUTE, _guarded(token, stands), methods=["GET"]),
        Route(ALERTS_ROUTE, _guarded(token, _reading(ALERT_REQUEST, do)), methods=["POST"]),
    ]


def faults(error: ValidationError) -> list[str]:
    """What is wrong with a request, `field: text` each."""
    found = []
    for one in error.errors(include_url=False, include_input=False):
        # The first step of a field's path is the verb.
        field = ".".join(str(step).replace("_", " ") for step in one["loc"][1:])
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] in {"string_pattern_mismatch", "literal_error"}:
            text = _EXPECTED.get(field, text)
        found.append(f"{field}: {text}" if field else text)
    return found


def _guarded(token: str, endpoint: _Endpoint) -> _Endpoint:
    """The same for who has the token alone."""

    async def guarded(request: Request) -> Response:
        if not _authorized(request, token):
            return _fault(401, "unauthorized", "the station's token is needed", {"WWW-Authenticate": "Bearer"})
        return await endpoint(request)

    return guarded


def _reading(form: TypeAdapter[_Asked], do: Callable[[_Asked], Awaitable[Response]]) -> _Endpoint:
    """Has what is asked in that form done; what is no such request is named."""

    async def ask(request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _fault(413, "too_large", f"more than {LONGEST_BODY} bytes", {"Connection": "close"})
        try:
            asked = form.validate_json(body)
        except ValidationError as error:
            return _fault(422, "invalid", "; ".join(faults(error)))
        return await do(asked)

    return ask


def _authorized(request: Request, token: str) -> bool:
    said = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(said.encode(), f"Bearer {token}".encode())


async def _body(request: Request) -> bytes | None:
    """None where it is too large; no more than that is ever held."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            return None
    return body


def _fault(status: int, error: str, text: str, headers: dict[str, str] | None = None) -> Response:
    content: dict[str, Any] = {"error": error, "text": text}
    return JSONResponse(content, status, headers=headers)
