"""`/api/sessions`: what commands and the page ask of sessions."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from pathlib import Path

import pytest

from monitor.alerts.board import AlertBoard
from monitor.sessions import desk as desk_module
from monitor.storage.session_entries import SessionEntries
from monitor.web.asking import LONGEST_BODY
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
