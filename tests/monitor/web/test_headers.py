"""What every answer says to browsers, and which names of the station are answered at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from drivers.clock import SystemClock
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.monitor.web.wire import ask, assert_guarded, port_of

EVIL = "<img src=x onerror=alert(1)>"
PATHS = ("/", "/static/page.js", "/api/snapshot", "/healthz", "/nowhere", "/static/../app.py", "/static/nowhere.js")


FOREIGN = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1:80",
    "",
    "[::2]",
    "127.0.0.1:80@evil.example",
    "evil.example/127.0.0.1",
    "127.0.0.1, evil.example",
    "127.0.0.1:port",
    "::1",
    None,
)


@pytest.fixture
def hub() -> LiveHub:
    oximeter = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))
    return LiveHub([BedView("chair-1", EVIL, (oximeter,))], SystemClock())


@pytest.fixture
async def port(hub: LiveHub) -> AsyncIterator[int]:
    server = PageServer(create_app(Parts(hub)), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    yield port_of(server.address)
    hub.close()
    await server.stop()
    await serving


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_every_answer_has_the_security_headers(port: int, method: str) -> None:
    for path in PATHS:
        answer = await ask(port, path, method, headers=["Origin: https://evil.example"])
        missing = "nowhere" in path or ".." in path
        if method == "GET":
            assert answer.status == (404 if missing else 200), path
        else:
            assert answer.status in {404, 405}, path
        assert_guarded(answer)
        kept = path == "/" or path.startswith("/static")
        assert answer.header("cache-control") == ("no-cache" if kept else "no-store"), path
        if missing:
            assert set(answer.json()) == {"error", "text"}


async def test_an_answer_that_failed_has_them_too(port: int, hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "snapshot", lambda: 1 / 0)
    answer = await ask(port, "/api/snapshot")
    assert answer.status == 500
    assert answer.json() == {"error": "failed", "text": "the station failed at this, its log says how"}
    assert_guarded(answer)


async def test_a_name_that_is_not_this_machines_own_is_refused(port: int) -> None:
    for host in FOREIGN:
        for path in ("/", "/api/live", "/api/snapshot", "/healthz"):
            answer = await ask(port, path, host=host)
            assert answer.status == 400, (host, path)
            assert b"beds" not in answer.body
            if host is not None:
                assert_guarded(answer)


async def test_two_names_are_none(port: int) -> None:
    assert (await ask(port, "/", headers=["Host: evil.example"])).status == 400


async def test_this_machines_own_names_are_answered(port: int) -> None:
    for host in ("127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"):
        assert (await ask(port, "/healthz", host=host)).status == 200, host


async def test_nothing_can_be_changed_where_there_is_only_something_to_see(port: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        for path in PATHS[:4]:
            assert (await ask(port, path, method)).status == 405, (method, path)


async def test_the_page_brings_all_it_needs_and_nothing_inline(port: int) -> None:
    for path in ("/", "/beds/chair-1", "/static/login.html"):
        answer = await ask(port, path)
        page = answer.body.decode()
        assert answer.header("content-type") == "text/html; charset=utf-8"
        assert "://" not in page
        assert "style=" not in page
        assert "<style" not in page
        assert "<script" in page
        assert page.count("<script") == page.count('<script type="module" src=')
    assert (await ask(port, "/static/symbols.svg")).header("content-type") == "image/svg+xml"
    for source in ("page.js", "wall.js", "alerts.js", "numerics.js"):
        answer = await ask(port, f"/static/{source}")
        assert (answer.status, answer.header("content-type").partition(";")[0]) == (200, "text/javascript")
        assert b"innerHTML" not in answer.body


async def test_the_snapshot_and_the_health_are_json(port: int, hub: LiveHub) -> None:
    answer = await ask(port, "/api/snapshot")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert json.loads(answer.body)["beds"][0]["label"] == EVIL
    assert (await ask(port, "/healthz")).json() == {"status": "ok"}
    hub.close()
    assert (await ask(port, "/healthz")).status == 503
