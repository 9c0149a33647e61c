"""What a page that was away is given: what it missed of the trends, and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

import monitor.pulse
from drivers.clock import NS, ManualClock
from drivers.events import measured, missing
from monitor.live import BedView, DeviceView, LiveHub
from monitor.trends import KEPT
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.server import PATIENCE

VITALS = ("spo2", "pulse_rate", "nibp_sys")
BEDS = ("one", "two")
Steps = dict[tuple[str, str, int], tuple[float | None, float | None]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hub(clock: ManualClock) -> LiveHub:
    return LiveHub([BedView(bed, bed, (DeviceView("monitor", "Ivy", VITALS),)) for bed in BEDS], clock)


@pytest.fixture
async def client(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(monitor.pulse, "FASTEST", 0.001)
    monkeypatch.setattr(monitor.pulse, "SLOWEST", 0.005)
    server = PageServer(create_app(Parts(hub)), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
        yield client
    hub.close()
    await server.stop()
    await serving


class Message:
    def __init__(self, block: bytes) -> None:
        fields = dict(line.split(": ", 1) for line in block.decode().splitlines())
        self.id = fields["id"]
        self.data: dict[str, Any] = json.loads(fields["data"])

    @property
    def number(self) -> int:
        return int(self.id.partition(".")[2])


class Page:
    """Keeps what it is told of the trends, as the contract of the stream has it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.last = ""
        self.held: Steps = {}
        self.twice = 0
        """Steps that it was told although it had them."""

    async def look(self, until: int, chance: random.Random | None = None) -> None:
        """Read on until that number; with `chance` break off anywhere, maybe in the middle of a message."""
        how: dict[str, Any] = {}
        if self.last:
            by_header = chance is None or chance.random() < 0.5
            how = {"headers": {"Last-Event-ID": self.last}} if by_header else {"params": {"last": self.last}}
        async with self._client.stream("GET", "/api/live", **how) as stream:
            body = b""
            async for part in stream.aiter_raw():
                breaks = chance is not None and chance.random() < 0.3
                body += part[: chance.randrange(len(part))] if breaks and chance else part
                *blocks, body = body.split(b"\r\n\r\n")
                for block in blocks:
                    message = Message(block)
                    self.take(message)
                    if message.number >= until:
                        return
                if breaks:
                    return

    def take(self, message: Message) -> None:
        if message.data["trends_from"] == "start":
            self.held.clear()
        for bed, vitals in message.data["trends"].items():
            for vital, steps in vitals.items():
                for begins, low, high in steps:
                    self.twice += self.held.get((bed, vital, begins)) == (low, high)
                    self.held[bed, vital, begins] = low, high
        self.last = message.id


def all_of(hub: LiveHub) -> Steps:
    return {
        (bed, vital, int(begins or 0)): (low, high)
        for bed, vitals in hub.trends.since(0).items()
        for vital, steps in vitals.items()
        for begins, low, high in steps
    }


def something(hub: LiveHub, clock: ManualClock, chance: random.Random) -> None:
    """A few readings: of now, late, or invalid."""
    now = clock.now_ns()
    for _ in range(chance.randrange(4)):
        at = now - chance.choice((0, 0, 0, 7, 100, KEPT - 60)) * NS
        vital = chance.choice(VITALS)
        invalid = chance.random() < 0.1
        reading = missing(vital, at, now) if invalid else measured(vital, chance.randrange(60, 100), at, now)
        hub.receive(chance.choice(BEDS), "monitor", [reading])


@pytest.mark.parametrize("seed", range(6))
async def test_no_step_is_lost_or_doubled_whenever_the_line_breaks(
    hub: LiveHub, client: httpx.AsyncClient, clock: ManualClock, seed: int
) -> None:
    chance = random.Random(seed)
    page = Page(client)
    for _ in range(40):
        for _ in range(chance.randrange(1, 5)):
            something(hub, clock, chance)
            await clock.advance(chance.choice((0.3, 1, 6)))
        if chance.random() < 0.7:
            await page.look(hub.trends.number, chance)
    await page.look(hub.trends.number)
    now = all_of(hub)
    assert len(now) > 50
    # What is older than ten minutes a page forgets by itself.
    assert {key: page.held[key] for key in now} == now
    assert page.twice == 0


async def test_a_page_that_has_all_is_told_nothing_again(hub: LiveHub, client: httpx.AsyncClient) -> None:
    something(hub, ManualClock(), random.Random(1))
    page = Page(client)
    await page.look(hub.trends.number)
    had = dict(page.held)
    await page.look(hub.trends.number)
    assert (page.held, page.twice) == (had, 0)


async def test_a_page_of_another_start_or_with_nonsense_begins_anew(hub: LiveHub, client: httpx.AsyncClient) -> None:
    give = measured("spo2", 97, hub._clock.now_ns(), hub._clock.now_ns())
    hub.receive("one", "monitor", [give])
    boot = hub.boot
    for last in (
        "another.1",
        f"{boot}",
        f"{boot}.",
        f"{boot}.x",
        f"{boot}.-1",
        f"{boot}.1e0",
        f"{boot}.1.1",
        f"{boot}.2",
        f"{boot}.{'9' * 30}",
        f"{boot}.\u0661",
        ".1",
        "\x00",
        "a" * 5000,
    ):
        async with client.stream("GET", "/api/live", params={"last": last}) as stream:
            message = await first(stream)
        assert message.data["trends_from"] == "start", last[:40]
        assert message.data["trends"]["one"]["spo2"]
    async with client.stream("GET", "/api/live", params={"last": f"{boot}.1"}) as stream:
        message = await first(stream)
    assert (message.data["trends_from"], message.data["trends"]) == ("id", {})
    assert message.id == f"{boot}.1"


async def first(stream: httpx.Response) -> Message:
    body = b""
    async for part in stream.aiter_raw():
        body += part
        if b"\r\n\r\n" in body:
            break
    return Message(body.partition(b"\r\n\r\n")[0])


async def test_pages_that_are_equally_far_share_the_text(
    hub: LiveHub, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    snapshot = hub.snapshot

    def counted() -> dict[str, Any]:
        nonlocal made
        made += 1
        return {**snapshot(), "made": made}

    monkeypatch.setattr(hub, "snapshot", counted)
    seen: list[list[int]] = [[], [], []]

    async def watch(place: int) -> None:
        async with client.stream("GET", "/api/live") as stream:
            body = b""
            async for part in stream.aiter_raw():
                *blocks, body = (body + part).split(b"\r\n\r\n")
                seen[place] += [Message(block).data["made"] for block in blocks]
                if len(seen[place]) > 20:
                    return

    await asyncio.gather(*(watch(place) for place in range(3)))
    # Each of them has had a first message of its own.
    assert len(set(seen[0]) & set(seen[1]) & set(seen[2])) > 10
    assert made < 3 * 20
