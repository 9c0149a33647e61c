"""The live stream over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from typing import Any

import pytest
import uvicorn

import monitor.pulse
import monitor.web.server
import monitor.web.stream
from drivers.clock import SystemClock
from drivers.events import measured
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.monitor.web.wire import ask, port_of, send
from tests.server import PATIENCE


async def next_snapshot(reader: asyncio.StreamReader) -> Any:
    while True:
        line = await reader.readline()
        if line.startswith(b"data: "):
            return json.loads(line[6:])
        if not line:
            raise EOFError


async def test_the_stream_gives_the_present_at_once_then_changes_then_a_heartbeat(
    server: PageServer, hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No heartbeat for now: what comes is the present, and then the change.
    monkeypatch.setattr(monitor.pulse, "SLOWEST", 3600)
    reader, writer = stream = await send(port_of(server.address), "/api/live")
    head = await stream.head()
    assert (head.status, head.header("content-type")) == (200, "text/event-stream; charset=utf-8")
    assert head.header("cache-control") == "no-store"
    async with asyncio.timeout(PATIENCE):
        assert (await next_snapshot(reader))["beds"][0]["vitals"]["spo2"]["state"] == "missing"
        now = time.time_ns()
        hub.receive("chair-1", "oximeter", [measured("spo2", 97, now, now)])
        monkeypatch.setattr(monitor.pulse, "SLOWEST", 0.01)
        assert (await next_snapshot(reader))["beds"][0]["vitals"]["spo2"]["value"] == 97
        for _ in range(2):
            await next_snapshot(reader)
    writer.close()


async def test_pages_are_counted_while_their_streams_are_open(server: PageServer, hub: LiveHub) -> None:
    async def viewers(count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while hub.viewers != count:
                await asyncio.sleep(0.01)

    streams = [await send(port_of(server.address), "/api/live") for _ in range(3)]
    await viewers(3)
    for _, writer in streams[:2]:
        writer.close()
    await viewers(1)
    await ask(port_of(server.address), "/api/snapshot")
    assert hub.viewers == 1
    streams[2].writer.close()
    await viewers(0)


async def test_one_client_leaves_connections_for_the_others(
    server: PageServer, hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.web.stream, "EACH", 2)
    port = port_of(server.address)
    streams = [await send(port, "/api/live") for _ in range(2)]
    for stream in streams:
        assert (await stream.head()).status == 200
    refused = await ask(port, "/api/live")
    assert (refused.status, refused.json()["error"], refused.header("retry-after")) == (429, "too_many", "5")
    streams[0].writer.close()
    async with asyncio.timeout(PATIENCE):
        while hub.viewers != 1:
            await asyncio.sleep(0.01)
    again = await send(port, "/api/live")
    assert (await again.head()).status == 200
    for _, writer in (streams[1], again):
        writer.close()


async def test_open_streams_end_at_once_when_the_hub_is_closed(
    server: PageServer, hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither a heartbeat nor the server's impatience ends them.
    monkeypatch.setattr(monitor.pulse, "SLOWEST", 3600)
    monkeypatch.setattr(monitor.web.server, "GRACE", 3600)
    streams = [await send(port_of(server.address), "/api/live") for _ in range(3)]
    for stream in streams:
        await stream.head()
    hub.close()
    async with asyncio.timeout(PATIENCE):
        for reader, writer in streams:
            await reader.read()
            writer.close()
        await server.stop()


async def test_a_page_that_does_not_read_costs_no_memory_and_does_not_hold_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(monitor.pulse, "FASTEST", 0.002)
    monkeypatch.setattr(monitor.web.stream, "SEND_TIMEOUT", 0.5)
    # Uvicorn itself would wait for that page for ever.
    config = uvicorn.Config
    patient = {"timeout_graceful_shutdown": None}
    monkeypatch.setattr(uvicorn, "Config", lambda app, **options: config(app, **options | patient))
    oximeter = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))
    hub = LiveHub([BedView(f"chair-{it}", "Chair", (oximeter,)) for it in range(200)], SystemClock())
    made: list[int] = []
    snapshot = hub.snapshot
    monkeypatch.setattr(hub, "snapshot", lambda: [made.append(1), snapshot()][1])
    server = PageServer(create_app(Parts(hub)), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    page.setblocking(False)
    await asyncio.get_running_loop().sock_connect(page, ("127.0.0.1", port_of(server.address)))
    await asyncio.get_running_loop().sock_sendall(page, b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with caplog.at_level(logging.WARNING, "monitor.web"):
        deadline = time.monotonic() + PATIENCE
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
    hub.close()
    async with asyncio.timeout(PATIENCE):
        await server.stop()
        await serving
    page.close()
