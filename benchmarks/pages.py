"""How long a reading takes to every open page, and what many pages take of one core.

The web part of a station runs in a process of its own, bound to one core: the live hub with its beds, each given a
reading of every vital once a second, at a moment of its own. The pages are connections of this process that read the
whole stream, as a browser does, and look at one bed each.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import time
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection

import psutil

from benchmarks.table import Table, quantile
from drivers.clock import NS, SystemClock
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.signals import Signal, SignalState
from monitor.live import BedView, DeviceView, LiveHub
from monitor.trends import KEPT
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer

_CASES = ((1, 2), (10, 40), (50, 40), (200, 40))
"""Pages and beds."""
_AIM_MS = 500.0
"""From a reading to the page, the slowest of a hundred, with 200 pages of 40 beds."""
_SETTLE, _SECONDS = 4.0, 20.0
_GIVEN = ("spo2", "pulse_rate", "heart_rate", "resp_rate", "temp")
_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")


def measure() -> Table:
    """Every number of pages in turn."""
    table = Table(
        f"Pages: a reading -> every open page, {len(_GIVEN)} vitals a bed at 1 Hz, {_SECONDS:g} s, server on one core",
        f"p99 under {_AIM_MS:g} ms with 200 pages of 40 beds",
        ("pages", "beds", "p50 ms", "p99 ms", "max ms", "messages/s a page", "kB a message", "CPU %", "RSS MB"),
        notes=["A page is told four times a second at most, so half of the time is waiting for that beat."],
    )
    for pages, beds in _CASES:
        found = _case(pages, beds)
        times = sorted(found.times)
        p50, p99, most = (quantile(times, share) * 1e3 for share in (0.5, 0.99, 1.0))
        table.rows.append(
            (
                str(pages),
                str(beds),
                f"{p50:.0f}",
                f"{p99:.0f}",
                f"{most:.0f}",
                f"{found.messages / pages / _SECONDS:.1f}",
                f"{found.octets / max(1, found.messages) / 1e3:.1f}",
                f"{found.cpu:.0f}",
                f"{found.resident / 1e6:.0f}",
            )
        )
        table.raw.append({"pages": pages, "beds": beds, "cpu_percent": found.cpu, "seconds": times})
        if pages == _CASES[-1][0] and p99 >= _AIM_MS:
            table.missed.append(f"{pages} pages ({p99:.0f} ms)")
    return table


class _Found:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.messages = self.octets = 0
        self.cpu = self.resident = 0.0


def _case(pages: int, beds: int) -> _Found:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(beds, theirs), daemon=True)
    server.start()
    try:
        port: int = ours.recv()
        return asyncio.run(_look(pages, beds, port, psutil.Process(server.pid)))
    finally:
        server.terminate()
        server.join()


async def _look(pages: int, beds: int, port: int, server: psutil.Process) -> _Found:
    found = _Found()
    loop = asyncio.get_running_loop()
    made = []
    for number in range(pages):
        page = partial(_Page, number % beds, found)
        transport, _ = await loop.create_connection(page, "127.0.0.1", port)
        made.append(transport)
    await asyncio.sleep(_SETTLE)
    found.times.clear()
    found.messages = found.octets = 0
    before, began = sum(server.cpu_times()[:2]), time.perf_counter()
    await asyncio.sleep(_SECONDS)
    found.cpu = (sum(server.cpu_times()[:2]) - before) / (time.perf_counter() - began) * 100
    found.resident = server.memory_info().rss
    # What comes while the connections are closed is not counted.
    times, messages, octets = list(found.times), found.messages, found.octets
    for transport in made:
        transport.abort()
    found.times, found.messages, found.octets = times, messages, octets
    return found


class _Page(asyncio.Protocol):
    """One page: notes how old the newest reading of its bed is when a message has come whole."""

    def __init__(self, bed: int, found: _Found) -> None:
        self._marker = f'"id":"chair-{bed}"'.encode()
        self._found = found
        self._parts: list[bytes] = []
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if not data.endswith(b"\r\n\r\n\r\n"):
            return
        now = time.time()
        message = b"".join(self._parts)
        self._parts.clear()
        self._found.messages += 1
        self._found.octets += len(message)
        at = message.find(b'"observed_at":"', message.find(self._marker)) + 15
        observed = message[at : at + 27]
        if observed != self._seen and observed[:2] == b"20":
            self._seen = observed
            self._found.times.append(now - datetime.fromisoformat(observed.decode()).timestamp())


def serve(beds: int, told: Connection) -> None:
    """The web part of a station with so many beds, in this process, on its first core; tells its port."""
    os.sched_setaffinity(0, {0})
    asyncio.run(_serving(beds, told))


async def _serving(beds: int, told: Connection) -> None:
    devices = (DeviceView("monitor", "Monitor", _GIVEN), DeviceView("cuff", "Cuff", _CUFF))
    hub = LiveHub([BedView(f"chair-{it}", f"Chair {it}", devices) for it in range(beds)], SystemClock())
    server = PageServer(create_app(Parts(hub)), port=0)
    _remember(hub, beds)
    server.bind()
    told.send(int(server.address.rpartition(":")[2]))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        for bed in range(beds):
            group.create_task(_measure(hub, f"chair-{bed}", random.Random(bed)))
            group.create_task(_alert(hub, f"chair-{bed}", random.Random(bed)))


def _remember(hub: LiveHub, beds: int) -> None:
    """Ten minutes of trends, as a station has them that has run for that long."""
    now = time.time_ns()
    for seconds in range(KEPT, 0, -1):
        at = now - seconds * NS
        for bed in range(beds):
            hub.trends.receive(f"chair-{bed}", [measured(vital, 60 + seconds % 40, at, at) for vital in _GIVEN], now)


async def _measure(hub: LiveHub, bed: str, chance: random.Random) -> None:
    now = time.time_ns()
    hub.receive(bed, "cuff", [measured(vital, 90 + place, now, now) for place, vital in enumerate(_CUFF)])
    await asyncio.sleep(chance.random())
    while True:
        now = time.time_ns()
        hub.receive(bed, "monitor", [measured(vital, chance.randint(60, 99), now, now) for vital in _GIVEN])
        await asyncio.sleep(1.0)


async def _alert(hub: LiveHub, bed: str, chance: random.Random) -> None:
    """An alert comes and goes; on one bed in four at any time."""
    while True:
        await asyncio.sleep(chance.uniform(15, 45))
        event = AlertEvent(
            bed, "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, time.time_ns(), "SpO₂ 86 < 90", "spo2"
        )
        hub.alerts_changed(bed, SignalState({event.rule: Signal(event, True, event.at, 0.0)}))
        await asyncio.sleep(chance.uniform(5, 15))
        hub.alerts_changed(bed, SignalState())
