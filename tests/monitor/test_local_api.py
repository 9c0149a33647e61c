"""What the station tells commands of itself, and the routes on which it takes their requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from monitor import config_file
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.rules import Profile
from monitor.live import BedView, LiveHub
from monitor.sessions import desk as desk_module
from monitor.sessions.desk import Desk
from monitor.storage.journal import Journal
from monitor.storage.session_entries import SessionEntries
from monitor.web import local_api
from monitor.web.app import create_app
from monitor.web.local_api import ALERTS_ROUTE, LONGEST_BODY, ROUTE, StationAddress
from monitor.web.server import PageServer

TOKEN = "Xw3-the-token-of-this-start_9Q"
BEDS = ("chair-1", "chair-2")
ACKNOWLEDGE = {"verb": "acknowledge", "bed": "chair-1", "by": "Anna"}
OPEN = {"verb": "open", "bed": "chair-1", "reference": "P-1", "by": "Anna", "request": "0" * 32}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """One of the shipped clinic, with its journal."""
    journal = Journal(tmp_path, commit_every=0.0)
    journal.open()
    desk = Desk(config_file.load(config_file.default_path(), here=False), journal, tmp_path, SystemClock())
    await desk.load()
    yield desk
    await journal.close()


@pytest.fixture
def board() -> AlertBoard:
    """One of two beds; an alert stands on each, and one of the station itself."""
    board = AlertBoard(dict.fromkeys(BEDS, Profile()), Profile(), SystemClock())
    for bed, rule in (("chair-1", "spo2_low"), ("chair-2", "hr_high"), (STATION, "disk")):
        kind = Kind.PHYSIOLOGICAL if bed else Kind.TECHNICAL
        board.detected(bed, [AlertEvent(bed, rule, kind, Priority.HIGH, AlertState.ON, 0, "SpO₂ 86 < 90")])
    return board


@contextlib.asynccontextmanager
async def serving(desk: Desk | None, token: str = TOKEN, board: AlertBoard | None = None) -> AsyncIterator[int]:
    """A page of that desk and that board; gives its port."""
    hub = LiveHub([BedView(bed, bed, ()) for bed in BEDS], SystemClock())
    server = PageServer(create_app(hub, desk, token, board), port=0)
    server.bind()
    task = asyncio.create_task(server.serve())
    yield int(server.address.rpartition(":")[2])
    hub.close()
    await server.stop()
    await task


@pytest.fixture
async def port(desk: Desk, board: AlertBoard) -> AsyncIterator[int]:
    async with serving(desk, board=board) as port:
        yield port


async def post(port: int, body: bytes, *headers: str, method: str = "POST", route: str = ROUTE) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = (f"{method} {route} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers)
    if not any(line.startswith("Transfer-Encoding") for line in headers):
        lines = (*lines, f"Content-Length: {len(body)}")
    writer.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)
    answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(content) if b"application/json" in head else content


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


async def test_what_is_answered_as_done_is_on_disk(port: int, tmp_path: Path) -> None:
    status, answer = await ask(port, OPEN)
    assert (status, answer["recorded"], answer["bed"], answer["state"]) == (200, True, "chair-1", "check_in")
    entry = SessionEntries(tmp_path).with_request("0" * 32)
    assert entry is not None
    assert (entry.session, entry.author) == (answer["session"], "Anna")
    assert [shown["number"] for shown in answer["entries"]] == [1]


async def test_the_same_request_is_answered_again_and_done_once(port: int, tmp_path: Path) -> None:
    (_, first), (_, second) = await asyncio.gather(ask(port, OPEN), ask(port, OPEN))
    status, third = await ask(port, OPEN)
    assert status == 200
    assert first["session"] == second["session"] == third["session"]
    assert first["entries"] == third["entries"]
    assert recorded(tmp_path) == 1


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization: Bearer",),
        ("Authorization: Bearer ",),
        (f"Authorization: {TOKEN}",),
        (f"Authorization: Basic {TOKEN}",),
        (f"Authorization: Bearer {TOKEN}x",),
        (f"Authorization: Bearer {TOKEN[:-1]}",),
        ("Authorization: Bearer the-one-of-the-start-before",),
        ("Authorization: Bearer \xe4\xff",),
        (f"Cookie: token={TOKEN}",),
    ],
)
async def test_without_the_token_nothing_is_done(
    port: int, tmp_path: Path, board: AlertBoard, headers: tuple[str, ...]
) -> None:
    for method, route, fields in (
        ("POST", ROUTE, OPEN),
        ("POST", ALERTS_ROUTE, ACKNOWLEDGE),
        ("GET", ALERTS_ROUTE, {}),
    ):
        status, answer = await post(port, json.dumps(fields).encode(), *headers, method=method, route=route)
        assert (status, answer["error"]) == (401, "unauthorized")
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
async def test_a_foreign_name_is_refused_with_the_token_too(
    port: int, tmp_path: Path, board: AlertBoard, route: str, fields: object
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(fields).encode()
    head = f"POST {route} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert (await reader.read()).split()[1] == b"400"
    writer.close()
    assert recorded(tmp_path) == 0
    assert untouched(board)


@pytest.mark.parametrize(("route", "fields"), [(ROUTE, OPEN), (ALERTS_ROUTE, ACKNOWLEDGE)])
async def test_a_request_that_is_too_large(
    port: int, tmp_path: Path, board: AlertBoard, route: str, fields: dict[str, str]
) -> None:
    said = json.dumps({**fields, "by": "x" * LONGEST_BODY}).encode()
    assert (await ask(port, said, route=route))[0] == 413
    chunk = f"{len(said):x}\r\n".encode() + said + b"\r\n0\r\n\r\n"
    headers = (f"Authorization: Bearer {TOKEN}", "Transfer-Encoding: chunked")
    assert (await post(port, chunk, *headers, route=route))[0] == 413
    assert recorded(tmp_path) == 0
    assert untouched(board)


async def test_a_note_as_long_as_one_may_be_is_taken(port: int) -> None:
    await ask(port, OPEN)
    # In JSON each of these is twelve characters.
    note = {"verb": "note", "session": "chair-1", "text": "😀" * 4000, "by": "Anna"}
    status, answer = await ask(port, note)
    assert (status, answer["entries"][0]["text"]) == (200, note["text"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 20_000, "Invalid JSON"),
        (b"[]", "an object"),
        (b"null", "an object"),
        (b"{}", "verb"),
        ({**OPEN, "verb": "start the pump"}, "verb"),
        ({**OPEN, "bad": 1}, "bad: "),
        ({**OPEN, "reference": "Jane Doe"}, "reference: a pseudonym"),
        ({**OPEN, "request": "1"}, "request: 32 digits"),
        ({**OPEN, "by": "\ud800"}, ""),
        ({**OPEN, "by": "\x1b[2J"}, "by: "),
        ({"verb": "phase", "session": "chair-1", "step": "close", "by": "A"}, "step: one of baseline, start"),
        ({"verb": "score", "session": "chair-1", "scale": "moaas", "value": float("nan"), "by": "A"}, "value: "),
    ],
)
async def test_nonsense_is_named_and_not_done(port: int, tmp_path: Path, body: object, text: str) -> None:
    status, answer = await ask(port, body)
    assert (status, answer["error"]) == (422, "invalid")
    assert text in answer["text"]
    assert recorded(tmp_path) == 0


async def test_a_refusal_says_what_is_possible(port: int) -> None:
    await ask(port, OPEN)
    status, answer = await ask(port, {"verb": "phase", "session": "chair-1", "step": "stop", "by": "Anna"})
    assert (status, answer["error"]) == (409, "refused")
    assert answer["possible"] == ["baseline", "start", "close"]


async def test_a_start_with_something_open_asks(port: int) -> None:
    await ask(port, OPEN)
    start = {"verb": "phase", "session": "chair-1", "step": "start", "by": "Anna"}
    status, answer = await ask(port, start)
    assert (status, answer["error"]) == (409, "confirm")
    assert "Consent given" in answer["open"]
    assert (await ask(port, {**start, "confirm": True}))[0] == 200


async def test_what_is_not_on_disk_is_told(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "COMMIT_WITHIN", 0.2)
    foreign = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    status, answer = await ask(port, OPEN)
    assert (status, answer["recorded"], answer["state"]) == (202, False, "check_in")
    foreign.execute("ROLLBACK")
    foreign.close()
    monkeypatch.setattr(desk_module, "COMMIT_WITHIN", 30)
    status, answer = await ask(port, OPEN)
    assert (status, answer["recorded"]) == (200, True)
    assert recorded(tmp_path) == 1


async def test_what_stands_is_told_of_every_bed_and_of_the_station_itself(port: int) -> None:
    found = await stands(port)
    assert list(found) == [*BEDS, STATION]
    assert [alert["rule"] for one in found.values() for alert in one["alerts"]] == ["spo2_low", "hr_high", "disk"]
    assert {(one["audio"]["state"], one["alarm"]["state"]) for one in found.values()} == {("on", "on")}


async def test_an_acknowledgement_is_answered_with_what_is_told_and_what_stands(port: int) -> None:
    status, answer = await act(port, verb="acknowledge", rules=["spo2_low"])
    assert status == 200
    [told] = answer["told"]
    assert (told["rule"], told["state"], told["actor"], told["text"]) == (
        "spo2_low",
        "acknowledged",
        "Anna",
        "SpO₂ 86 < 90",
    )
    assert answer["alerts"] == (await stands(port))["chair-1"]["alerts"]
    assert [alert["state"] for alert in (await stands(port))["chair-2"]["alerts"]] == ["on"]
    # Whoever did not get the answer says it again.
    status, again = await act(port, verb="acknowledge", rules=["spo2_low"])
    assert (status, again) == (200, {**answer, "told": []})


async def test_audio_and_alarm_are_paused_and_switched_on_again(port: int) -> None:
    status, answer = await act(port, verb="pause", what="audio", seconds=90)
    assert (status, answer["audio"]["state"], answer["alarm"]["state"]) == (200, "paused", "on")
    assert 0 < answer["audio"]["for_s"] <= 90
    assert (await stands(port))["chair-1"]["audio"]["by"] == "Anna"
    status, answer = await act(port, verb="on", what="audio")
    assert (status, answer["audio"]["state"]) == (200, "on")
    status, answer = await act(port, verb="pause", what="alarm", bed=STATION)
    assert (status, answer["bed"], answer["alarm"]["state"]) == (200, STATION, "paused")
    assert (await stands(port))["chair-1"]["alarm"]["state"] == "on"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"verb": "off", "what": "audio"}, "the profile does not let it be switched off"),
        ({"verb": "pause", "what": "audio", "seconds": 3600}, "at most 300 s"),
        ({"verb": "acknowledge", "rules": ["mood_low"]}, "mood_low: no such alert stands"),
        ({"verb": "acknowledge", "bed": "chair-9"}, "there is no bed 'chair-9'; there are: chair-1, chair-2"),
    ],
)
async def test_what_cannot_be_done_to_alerts_is_refused(
    port: int, board: AlertBoard, fields: dict[str, Any], text: str
) -> None:
    status, answer = await act(port, **fields)
    assert (status, answer["error"]) == (409, "refused")
    assert text in answer["text"]
    assert untouched(board)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "an object"),
        ({**ACKNOWLEDGE, "verb": "silence"}, "verb"),
        ({**ACKNOWLEDGE, "rules": []}, "rules: "),
        ({**ACKNOWLEDGE, "by": "\x1b[2J"}, "by: has a character"),
        ({"verb": "acknowledge", "by": "Anna"}, "bed: Field required"),
        ({"verb": "pause", "bed": "chair-1", "by": "Anna", "what": "spo2_low"}, "what: "),
        ({"verb": "pause", "bed": "chair-1", "by": "Anna", "what": "audio", "seconds": float("nan")}, "seconds: "),
    ],
)
async def test_nonsense_about_alerts_is_named_and_not_done(
    port: int, board: AlertBoard, body: object, text: str
) -> None:
    status, answer = await ask(port, body, route=ALERTS_ROUTE)
    assert (status, answer["error"]) == (422, "invalid")
    assert text in answer["text"]
    assert untouched(board)


async def test_the_token_is_in_no_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await ask(port, OPEN)
        await ask(port, b"nonsense")
        await ask(port, OPEN, TOKEN[:-1])
    assert TOKEN[:-1] not in caplog.text


async def test_without_a_desk_and_a_board_there_are_no_such_routes() -> None:
    async with serving(None) as port:
        assert (await ask(port, OPEN))[0] == 404
        assert (await ask(port, ACKNOWLEDGE, route=ALERTS_ROUTE))[0] == 404


async def test_it_is_only_for_posting_and_what_stands_for_reading_too(port: int) -> None:
    token = f"Authorization: Bearer {TOKEN}"
    for method in ("GET", "PUT", "DELETE"):
        assert (await post(port, b"", token, method=method))[0] == 405
    for method in ("PUT", "DELETE"):
        assert (await post(port, b"", token, method=method, route=ALERTS_ROUTE))[0] == 405


def test_the_file_is_for_its_user_alone_and_goes(tmp_path: Path) -> None:
    assert local_api.read(tmp_path) is None
    local_api.remove(tmp_path)
    # A start before this one was cut off while it wrote, and anybody may read what it left.
    (tmp_path / "station.new").write_text("half")
    local_api.write(tmp_path, "http://127.0.0.1:8080", TOKEN)
    [file] = tmp_path.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("station.json", 0o600)
    assert local_api.read(tmp_path) == StationAddress("127.0.0.1", 8080, TOKEN)
    local_api.write(tmp_path, "http://127.0.0.1:8081", "next")
    assert local_api.read(tmp_path) == StationAddress("127.0.0.1", 8081, "next")
    local_api.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "host"),
    [("http://127.0.0.1:80", "127.0.0.1"), ("http://localhost:80", "127.0.0.1"), ("http://[::1]:80", "::1")],
)
def test_every_address_that_a_page_can_have(tmp_path: Path, address: str, host: str) -> None:
    local_api.write(tmp_path, address, TOKEN)
    assert local_api.read(tmp_path) == StationAddress(host, 80, TOKEN)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"address": 1, "token": "x"}', '{"address": "http://127.0.0.1:99999", "token": "x"}'],
)
def test_a_file_that_says_nothing_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "station.json").write_text(content)
    assert local_api.read(tmp_path) is None


def test_a_station_runs_on_where_the_file_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "station.json").mkdir()
    local_api.write(tmp_path, "http://127.0.0.1:8080", TOKEN)
    local_api.remove(tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "no command reaches this station" in caplog.text
    assert TOKEN not in caplog.text
