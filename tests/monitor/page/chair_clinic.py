"""A real station of one chair for tests of its page: the readings and samples are the test's, all else is as it is."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from drivers.clock import SystemClock
from drivers.events import Event, LinkState, Waveform, measured
from monitor import config_file
from monitor.sessions.requests import REQUEST
from monitor.station import Bed, Station

PROFILE = """
profile: page
rules:
  spo2_low: {vital: spo2, below: 90, priority: high, bounds: [80, 95]}
  pr_high: {vital: pulse_rate, above: 120, priority: medium}
"""
SITE = """
site: clinic
alerts: {profile: page, profiles: [page.yaml]}
sessions:
  checklist: [{id: consent, text: Consent given}, {id: escort, text: Escort named}]
  events: [{id: nausea, text: Nausea}, {id: oxygen, text: Oxygen given}]
beds:
  - id: chair-1
    label: LABEL
    devices:
      - {id: oximeter, driver: nonin, url: simulated}
      - {id: cuff, driver: dinamap, url: simulated, vitals: [nibp_sys, nibp_dia, nibp_mean]}
"""
RATE = 75
NAMED = "localStorage.setItem('who.name', 'Anna Berg')"


class ChairClinic:
    """The station runs in the test's own loop; it has no devices, but what they would give is taken as theirs."""

    def __init__(self, station: Station) -> None:
        self.station = station
        listener = station.devices[0]._listener
        assert isinstance(listener, Bed)
        self._bed = listener
        station.devices.clear()
        for device in ("oximeter", "cuff"):
            listener.link_changed(device, LinkState.RECEIVING, "", time.time_ns())

    @property
    def address(self) -> str:
        return f"{self.station.page.address}/beds/chair-1"

    def give(self, device: str = "oximeter", /, **values: float) -> None:
        now = time.time_ns()
        events: list[Event] = [measured(key, value, now, now) for key, value in values.items()]
        self._bed.receive(device, events, None)

    def pulse(self, seconds: int) -> None:
        """So many seconds of pleth, which end now."""
        now = time.time_ns()
        samples = tuple(round(100 + 80 * math.sin(it / RATE * 2 * math.pi)) for it in range(RATE))
        begins = (now - it * 10**9 for it in range(seconds, 0, -1))
        self._bed.receive("oximeter", [Waveform("pleth", samples, RATE, at, now) for at in begins], None)

    async def do(self, verb: str, **fields: Any) -> Any:
        return await self.station.desk.do(REQUEST.validate_python({"verb": verb, "by": "Ben", **fields}))

    async def running(self) -> str:
        """A session with its infusion started."""
        session = (await self.do("open", bed="chair-1", reference="P-017")).session.id
        await self.do("phase", session=session, step="start", confirm=True)
        return str(session)

    def entries(self) -> list[str]:
        """The kinds of the open session's entries."""
        session = self.station.desk.on_bed("chair-1")
        assert session is not None
        return [entry.kind.value for entry in session.entries]

    @asynccontextmanager
    async def measuring(self, **values: float) -> AsyncIterator[dict[str, float]]:
        """Give these twice a second meanwhile; what is yielded can be changed."""

        async def measure() -> None:
            while True:
                self.give(**values)
                await asyncio.sleep(0.5)

        task = asyncio.create_task(measure())
        try:
            yield values
        finally:
            task.cancel()


@asynccontextmanager
async def chair_clinic(folder: Path, label: str = "Chair 1") -> AsyncIterator[ChairClinic]:
    """One that runs meanwhile; its journal is in `folder / "data"`."""
    (folder / "page.yaml").write_text(PROFILE)
    path = folder / "site.yaml"
    path.write_text(SITE.replace("LABEL", json.dumps(label)), encoding="utf-8")
    station = Station(config_file.load(path), SystemClock(), data_dir=folder / "data", port=0)
    await station.open()
    clinic = ChairClinic(station)
    stop = asyncio.Event()
    task = asyncio.create_task(station.run(stop))
    try:
        yield clinic
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def open_chair(browser: Browser, address: str, *, named: bool = True, **options: Any) -> tuple[Page, list[str]]:
    """The page of a chair, and the list of all that its console says."""
    page = await browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_default_timeout(10_000)
    if named:
        await page.add_init_script(NAMED)
    await page.goto(address)
    await expect(page.locator("#connection")).to_have_text("Live")
    return page, said


def button(where: Page | Locator, name: str) -> Locator:
    """The button of exactly that name."""
    return where.get_by_role("button", name=name, exact=True)


def recorded(page: Page) -> Locator:
    """The line that says what was recorded last."""
    return page.locator("#chair .line .status")
