"""What was meant to be more than a name or a text stays one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.events import DeviceStatus
from monitor.accounts.people import Role
from monitor.web import app as web_app
from tests.monitor.web.served import Served, served
from tests.monitor.web.wire import Answer, ask, port_of

SOURCE = "create_app"
"""A word of it."""
BEDS = (
    "..%2f",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5c",
    "%00",
    "one%00",
    "one%0d%0aSet-Cookie:%20a=b",
    "%ff%fe",
    "%F0%9F%92%89",
    "%E2%80%AEeno",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "one'%20OR%20'1'='1",
    "%25one",
    "One",
    "one%20",
    "a" * 10_000,
)
FILES = (
    "../app.py",
    "../../web/app.py",
    "..%2fapp.py",
    "%2e%2e/app.py",
    "..%252fapp.py",
    "..%5capp.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "....//app.py",
    "%00",
    "page.js%00",
    "%ff",
    "",
    "vendor",
    "a" * 300,
    "a/" * 3000,
)
TEXTS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{7*7}} ${7*7} #{7*7}",
    "'; DROP TABLE session_entries; --",
    "%s %n {0} \\u003cb\\u003e",
)
UNPRINTABLE = "\u202eedirer\x00\x1b[2J"
"""No person can enter that, a device can send it."""


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as clinic:
        yield clinic


async def asked(clinic: Served, path: str) -> Answer:
    said = f"Authorization: {clinic.client.headers['authorization']}"
    return await ask(port_of(clinic.station.page.address), path, headers=[said])


def assert_only_json(answer: Answer, status: int, about: str) -> Any:
    assert (answer.status, answer.header("content-type")) == (status, "application/json"), about
    assert answer.header("x-content-type-options") == "nosniff", about
    assert answer.all("set-cookie") == []
    return answer.json()


async def test_a_bed_of_any_name_is_not_found(clinic: Served) -> None:
    for bed in BEDS:
        for rest in ("", "/trends", "/pleth", "/alerts"):
            said = assert_only_json(await asked(clinic, f"/api/beds/{bed}{rest}"), 404, bed[:50])
            assert said["error"] == "not_found"
            assert len(json.dumps(said)) < 200, "what was asked is not said again"


async def test_no_path_leads_out_of_the_files_of_the_page(clinic: Served) -> None:
    assert SOURCE in Path(web_app.__file__).read_text()
    for file in FILES:
        answer = await asked(clinic, f"/static/{file}")
        assert_only_json(answer, 404, file[:50])
        assert SOURCE.encode() not in answer.body


async def test_a_text_comes_back_as_it_was_written(clinic: Served) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    for text in TEXTS:
        await clinic.do("note", session="one", text=text)
        await clinic.do("note", session="one", event="nausea", text=text)
    said = (*TEXTS, UNPRINTABLE)
    for place, text in enumerate(said):
        clinic.give(DeviceStatus(f"payload_{place}", True, text, clinic.clock.now_ns()))
    await clinic.committed()
    told = assert_only_json(await asked(clinic, "/api/beds/one"), 200, "session")
    notes = [it["content"]["text"] for it in told["session"]["entries"] if it["kind"] in {"note", "event"}]
    assert notes == [text for text in TEXTS for _ in range(2)]
    snapshot = assert_only_json(await asked(clinic, "/api/snapshot"), 200, "snapshot")
    assert snapshot["beds"][0]["devices"][0]["notices"] == list(said)


async def test_a_text_cannot_end_a_message_of_the_stream_or_begin_one(clinic: Served) -> None:
    text = "a\n\ndata: {}\r\n\r\nid: evil\n\n\u2028b\u2029c\x85d\x0be\x0cf\x1eg\x00h"
    clinic.give(DeviceStatus("payload", True, text, clinic.clock.now_ns()))
    async with clinic.client.stream("GET", "/api/live") as stream:
        body = b""
        async for part in stream.aiter_raw():
            body += part
            if body.count(b"\r\n\r\n"):
                break
    lines = body.partition(b"\r\n\r\n")[0].split(b"\n")
    assert sorted(line.partition(b":")[0] for line in lines) == [b"data", b"id", b"retry"]
    [data] = [line.rstrip(b"\r") for line in lines if line.startswith(b"data: ")]
    assert json.loads(data[6:])["beds"][0]["devices"][0]["notices"] == [text]


async def test_a_body_that_wants_to_wear_the_station_out_is_refused(clinic: Served) -> None:
    port = port_of(clinic.station.page.address)
    command = clinic.client.headers["authorization"].removeprefix("Bearer ")
    bodies = (
        (b"[" * 60_000, 422),
        (b'{"verb":' * 8_000, 422),
        (b'{"verb": "note", "session": "one", "by": "Anna", "text": ' + b"9" * 60_000 + b"}", 422),
        (b'{"verb": "score", "session": "one", "by": "Anna", "scale": "pain", "value": NaN}', 422),
        (b'{"verb": "note", "session": "one", "by": "Anna", "text": "\\ud800"}', 422),
        (b'{"verb": "note", "session": "one", "by": {"a": 1}, "text": ["a"]}', 422),
        (b"\xff\xfe", 422),
        (b"[]", 422),
        (b"x" * 70_000, 413),
    )
    # Of a machine's request the station writes the name anew, of a command's it does not.
    for token in (command, await clinic.token(Role.NURSE)):
        said = [f"Authorization: Bearer {token}", "Content-Type: application/json"]
        for body, status in bodies:
            answer = await ask(port, "/api/sessions", "POST", headers=said, body=body)
            assert_only_json(answer, status, repr(body[:60]))


async def test_whoever_is_known_acts_in_no_other_name(clinic: Served) -> None:
    said = [f"Authorization: Bearer {await clinic.token(Role.NURSE)}", "Content-Type: application/json"]
    for body in (
        b'{"verb": "open", "bed": "one", "reference": "P-1", "by": "Anna"}',
        b'{"verb": "note", "session": "one", "text": "a", "by": "Anna", "by": "Ben"}',
        b'{"verb": "note", "session": "one", "text": "a", "\\u0062y": "Anna"}',
        b'{"verb": "note", "session": "one", "text": "a"}',
    ):
        answer = await ask(port_of(clinic.station.page.address), "/api/sessions", "POST", headers=said, body=body)
        assert {it["by"] for it in answer.json()["entries"]} == {"machine-nurse"}, body
