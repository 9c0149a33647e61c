import asyncio
import contextlib
import json
import logging
import socket
import time

import pytest

import monitor.pulse
import monitor.web.stream
from drivers.clock import SystemClock
from drivers.errors import ConfigError, PortInUse
from drivers.events import measured
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.app import create_app
from monitor.web.server import PageServer

OXIMETER = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))


@pytest.fixture
def hub():
    return LiveHub([BedView("chair-1", "<img src=x onerror=alert(1)>", (OXIMETER,))], SystemClock())


@pytest.fixture
async def server(hub):
    server = PageServer(create_app(hub), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    yield server
    hub.close()
    await server.stop()
    await serving


def port_of(server):
    return int(server.address.rpartition(":")[2])


async def open_request(server, path, *, host="127.0.0.1", method="GET"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, reader, writer


async def ask(server, path, **kwargs):
    status, headers, reader, writer = await open_request(server, path, **kwargs)
    body = await reader.read()
    writer.close()
    return status, headers, body


async def next_snapshot(reader):
    while True:
        line = await reader.readline()
        if line.startswith(b"data: "):
            return json.loads(line[6:])
        if not line:
            raise EOFError


PATHS = ("/", "/static/page.js", "/api/snapshot", "/healthz", "/nowhere", "/static/../app.py", "/static/nowhere.js")


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_security_headers(server, path):
    status, headers, _ = await ask(server, path)
    assert status == (404 if "nowhere" in path or ".." in path else 200)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if path == "/" or path.startswith("/static") else "no-store")
    assert "server" not in headers


async def test_an_answer_that_failed_has_them_too(server, hub, monkeypatch, caplog):
    monkeypatch.setattr(hub, "snapshot", lambda: 1 / 0)
    status, headers, body = await ask(server, "/api/snapshot")
    assert (status, body) == (500, b"Internal Server Error")
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", "", "[::2]"])
@pytest.mark.parametrize("path", ["/", "/api/live", "/api/snapshot"])
async def test_a_name_that_is_not_this_machines_own_is_refused(server, path, host):
    status, headers, body = await ask(server, path, host=host)
    assert status == 400
    assert headers["x-frame-options"] == "DENY"
    assert b"beds" not in body


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
async def test_this_machines_own_names_are_answered(server, host):
    assert (await ask(server, "/healthz", host=host))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_changed(server, method):
    for path in PATHS[:4]:
        assert (await ask(server, path, method=method))[0] == 405


async def test_the_page_brings_all_it_needs_and_nothing_inline(server):
    _, headers, body = await ask(server, "/")
    page = body.decode()
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "://" not in page
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1
    assert (await ask(server, "/static/symbols.svg"))[1]["content-type"] == "image/svg+xml"
    for source in ("page.js", "wall.js", "alerts.js", "numerics.js"):
        status, headers, script = await ask(server, f"/static/{source}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/javascript")
        assert b"innerHTML" not in script


async def test_the_snapshot_and_the_health_are_json(server, hub):
    status, headers, body = await ask(server, "/api/snapshot")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["beds"][0]["label"] == "<img src=x onerror=alert(1)>"
    assert json.loads((await ask(server, "/healthz"))[2]) == {"status": "ok"}
    hub.close()
    assert (await ask(server, "/healthz"))[0] == 503


async def test_the_stream_gives_the_present_at_once_then_changes_then_a_heartbeat(server, hub):
    status, headers, reader, writer = await open_request(server, "/api/live")
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert headers["cache-control"] == "no-store"
    assert (await asyncio.wait_for(next_snapshot(reader), 0.5))["beds"][0]["vitals"]["spo2"]["state"] == "missing"
    now = time.time_ns()
    hub.receive("chair-1", "oximeter", [measured("spo2", 97, now, now)])
    assert (await asyncio.wait_for(next_snapshot(reader), 0.5))["beds"][0]["vitals"]["spo2"]["value"] == 97
    for _ in range(2):
        start = time.monotonic()
        await asyncio.wait_for(next_snapshot(reader), 1.5)
        assert time.monotonic() - start > 0.5
    writer.close()


async def test_pages_are_counted_while_their_streams_are_open(server, hub):
    async def viewers(count):
        async with asyncio.timeout(10):
            while hub.viewers != count:
                await asyncio.sleep(0.01)

    streams = [await open_request(server, "/api/live") for _ in range(3)]
    await viewers(3)
    for _, _, _, writer in streams[:2]:
        writer.close()
    await viewers(1)
    await ask(server, "/api/snapshot")
    assert hub.viewers == 1
    streams[2][3].close()
    await viewers(0)


async def test_open_streams_end_at_once_when_the_hub_is_closed(server, hub):
    streams = [await open_request(server, "/api/live") for _ in range(3)]
    start = time.monotonic()
    hub.close()
    for _, _, reader, writer in streams:
        await asyncio.wait_for(reader.read(), 0.5)
        writer.close()
    await server.stop()
    assert time.monotonic() - start < 1


async def test_a_page_that_does_not_read_costs_no_memory_and_does_not_hold_the_end(monkeypatch, caplog):
    monkeypatch.setattr(monitor.pulse, "FASTEST", 0.002)
    monkeypatch.setattr(monitor.web.stream, "SEND_TIMEOUT", 0.5)
    hub = LiveHub([BedView(f"chair-{it}", "Chair", (OXIMETER,)) for it in range(200)], SystemClock())
    made = []
    snapshot = hub.snapshot
    monkeypatch.setattr(hub, "snapshot", lambda: made.append(1) or snapshot())
    server = PageServer(create_app(hub), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.setblocking(False)
    await asyncio.get_running_loop().sock_connect(page, ("127.0.0.1", port_of(server)))
    await asyncio.get_running_loop().sock_sendall(page, b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with caplog.at_level(logging.WARNING, "monitor.web"):
        deadline = time.monotonic() + 20
        while "has not read" not in caplog.text and time.monotonic() < deadline:
            hub.receive("chair-0", "oximeter", [measured("spo2", 97, time.time_ns(), time.time_ns())])
            await asyncio.sleep(0.005)
    assert "has not read" in caplog.text
    assert hub.viewers == 0
    stuck = len(made)
    for _ in range(20):
        hub.receive("chair-0", "oximeter", [measured("spo2", 97, time.time_ns(), time.time_ns())])
        await asyncio.sleep(0.005)
    assert len(made) == stuck
    start = time.monotonic()
    hub.close()
    await server.stop()
    await serving
    assert time.monotonic() - start < 1
    page.close()


async def test_a_taken_port_is_said_with_its_address(server):
    other = PageServer(create_app(LiveHub([], SystemClock())), port=port_of(server))
    with pytest.raises(PortInUse, match=rf"http://127\.0\.0\.1:{port_of(server)} is already taken"):
        other.bind()


async def test_a_port_is_taken_from_the_moment_it_is_bound_until_it_is_closed():
    first = PageServer(create_app(LiveHub([], SystemClock())), "localhost", 0)
    first.bind()
    first.bind()
    second = PageServer(create_app(LiveHub([], SystemClock())), port=port_of(first))
    with pytest.raises(PortInUse):
        second.bind()
    first.close()
    second.bind()
    await second.stop()
    await second.serve()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org", ""])
def test_only_this_machines_own_addresses_are_served(host):
    with pytest.raises(ConfigError, match="this machine only"):
        PageServer(create_app(LiveHub([], SystemClock())), host, 0)


async def test_a_server_that_was_cancelled_gives_the_port_back(hub):
    server = PageServer(create_app(hub), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    _, _, reader, writer = await open_request(server, "/api/live")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 0.5)
    writer.close()
    again = PageServer(create_app(hub), port=port_of(server))
    again.bind()
    again.close()
