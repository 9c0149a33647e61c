"""The station's own token: for commands on this machine, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from monitor.accounts.accounts import Accounts
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.alerts.board import AlertBoard
from monitor.sessions.desk import Desk
from tests.monitor.web import wire
from tests.monitor.web.commands import (
    ACKNOWLEDGE,
    ALERTS_ROUTE,
    OPEN,
    ROUTE,
    TOKEN,
    ask,
    post,
    recorded,
    serving,
    untouched,
)

ASKED = (("POST", ROUTE, OPEN), ("POST", ALERTS_ROUTE, ACKNOWLEDGE), ("GET", ALERTS_ROUTE, {}))
WRONG = [
    "Authorization: Bearer",
    "Authorization: Bearer ",
    f"Authorization: {TOKEN}",
    f"Authorization: Basic {TOKEN}",
    f"Authorization: Bearer {TOKEN}x",
    f"Authorization: Bearer {TOKEN[:-1]}",
    "Authorization: Bearer the-one-of-the-start-before",
    "Authorization: Bearer \xe4\xff",
    f"Cookie: token={TOKEN}",
    f"Cookie: infusion-monitor={TOKEN}",
    f"X-CSRF-Token: {TOKEN}",
]


@pytest.fixture
async def accounts(tmp_path: Path, quick: Passwords) -> Accounts:
    """With one account: nobody is let in without one."""
    accounts = Accounts(tmp_path, SystemClock(), lambda *_said, **_more: None, passwords=quick)
    await accounts.load()
    await accounts.add_user("anna", "Anna", Role.ADMIN, None, by="test")
    return accounts


async def test_without_the_token_nothing_is_done(
    desk: Desk, board: AlertBoard, accounts: Accounts, tmp_path: Path
) -> None:
    async with serving(desk, board=board, accounts=accounts) as port:
        for headers in ((), *((line,) for line in WRONG)):
            for method, route, fields in ASKED:
                status, answer = await post(port, json.dumps(fields).encode(), *headers, method=method, route=route)
                assert (status, answer["error"]) == (401, "unauthorized"), headers
        assert (await ask(port, OPEN))[0] == 200
    assert recorded(tmp_path) == 1
    assert untouched(board)


@pytest.mark.parametrize("header", [line for line in WRONG if line.startswith("Authorization")])
async def test_who_gives_a_wrong_token_is_not_taken_for_one_who_tries_it_out(
    port: int, tmp_path: Path, board: AlertBoard, header: str
) -> None:
    for method, route, fields in ASKED:
        status, _ = await post(port, json.dumps(fields).encode(), header, method=method, route=route)
        assert status == 401
    assert recorded(tmp_path) == 0
    assert untouched(board)


async def test_a_page_without_a_token_takes_none(desk: Desk, tmp_path: Path, board: AlertBoard) -> None:
    async with serving(desk, "", board) as port:
        for route, fields in ((ROUTE, OPEN), (ALERTS_ROUTE, ACKNOWLEDGE)):
            assert (await ask(port, fields, "", route))[0] == 401
            assert (await post(port, json.dumps(fields).encode(), "Authorization: Bearer ", route=route))[0] == 401
    assert recorded(tmp_path) == 0
    assert untouched(board)


@pytest.mark.parametrize(("route", "fields"), [(ROUTE, OPEN), (ALERTS_ROUTE, ACKNOWLEDGE)])
@pytest.mark.parametrize(
    ("host", "header", "status"),
    [
        ("evil.example", "Accept: */*", 400),
        ("127.0.0.1", "X-Forwarded-For: 127.0.0.1", 403),
        ("127.0.0.1", "Forwarded: for=127.0.0.1", 403),
        ("127.0.0.1", "Via: 1.1 proxy", 403),
    ],
)
async def test_it_counts_under_no_foreign_name_and_past_no_proxy(
    port: int, tmp_path: Path, board: AlertBoard, route: str, fields: object, host: str, header: str, status: int
) -> None:
    answer = await wire.post(port, route, fields, f"Authorization: Bearer {TOKEN}", header, host=host)
    assert answer.status == status
    assert recorded(tmp_path) == 0
    assert untouched(board)
