"""A page of a desk and of a board, and the requests that a command makes of it with the station's token."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from drivers.clock import SystemClock
from monitor.accounts.accounts import Accounts
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AlertState
from monitor.live import BedView, LiveHub
from monitor.sessions.desk import Desk
from monitor.storage.session_entries import SessionEntries
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from monitor.web.station_file import ALERTS as ALERTS_ROUTE
from monitor.web.station_file import SESSIONS as ROUTE
from tests.monitor.web import wire

TOKEN = "Xw3-the-token-of-this-start_9Q"
BEDS = ("chair-1", "chair-2")
ACKNOWLEDGE = {"verb": "acknowledge", "bed": "chair-1", "by": "Anna"}
OPEN = {"verb": "open", "bed": "chair-1", "reference": "P-1", "by": "Anna", "request": "0" * 32}


@contextlib.asynccontextmanager
async def serving(
    desk: Desk | None, token: str = TOKEN, board: AlertBoard | None = None, accounts: Accounts | None = None
) -> AsyncIterator[int]:
    """A page of that desk and that board; gives its port."""
    hub = LiveHub([BedView(bed, bed, ()) for bed in BEDS], SystemClock())
    server = PageServer(create_app(Parts(hub, desk, board, accounts, token=token)), port=0)
    server.bind()
    task = asyncio.create_task(server.serve())
    yield wire.port_of(server.address)
    hub.close()
    await server.stop()
    await task


async def post(port: int, body: bytes, *headers: str, method: str = "POST", route: str = ROUTE) -> tuple[int, Any]:
    """The status, and what is answered: of JSON what it says."""
    said = ("Content-Type: application/json", *headers)
    answer = await wire.ask(port, route, method, headers=said, body=body)
    is_json = answer.header("content-type") == "application/json"
    return answer.status, answer.json() if is_json else answer.body


async def ask(port: int, fields: object, token: str = TOKEN, route: str = ROUTE) -> tuple[int, Any]:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return await post(port, body, f"Authorization: Bearer {token}", route=route)


async def act(port: int, **fields: object) -> tuple[int, Any]:
    return await ask(port, {"bed": "chair-1", "by": "Anna", **fields}, route=ALERTS_ROUTE)


async def stands(port: int) -> dict[str, Any]:
    """What the station says that stands, by bed."""
    status, answer = await post(port, b"", f"Authorization: Bearer {TOKEN}", method="GET", route=ALERTS_ROUTE)
    assert status == 200
    return {one["bed"]: one for one in answer["beds"]}


def untouched(board: AlertBoard) -> bool:
    """Whether everything stands as it did."""
    signals = [board.signals_of(bed) for bed in (*BEDS, STATION)]
    return all(alert.event.state is AlertState.ON for one in signals for alert in one.alerts.values()) and all(
        it.state is AlertState.ON for one in signals for it in (one.audio, one.alarm)
    )


def recorded(folder: Path) -> int:
    return sum(map(len, SessionEntries(folder).all()))
