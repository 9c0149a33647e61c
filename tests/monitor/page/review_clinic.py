"""A real station whose journal has sessions of the past: what a test of the review pages looks at.

Patient P-017 has two sessions. `late` lasts two hours: baseline at minute 1, infusion from minute 20 to 60. There is a
pulse of 70 and a saturation of 97, with one second at 71 (minute 50), no reading from minute 30 to 33, half a minute of
questionable ones from minute 40 on and ten invalid ones at minute 45; a cuff reading every five minutes, whose systolic
is 120 and a minute later in the hour one more, and a provisional one at minute 42. `early` is a day before, and lasts
half an hour. P-018 has a session without anything measured.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from drivers.clock import NS, SystemClock
from drivers.events import Cause, Event, measured, missing
from monitor import config_file
from monitor.alerts.conditions import AlertEvent, AlertState, Priority
from monitor.alerts.conditions import Kind as AlertKind
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.requests import REQUEST
from monitor.station import Station
from monitor.storage.journal import Journal
from tests.monitor.page.chair_clinic import NAMED

LATE = 1_780_000_200 * NS
EARLY = LATE - 86_400 * NS
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & more"
_SITE = """
site: clinic
sessions:
  checklist: [{id: consent, text: Consent given}]
beds:
  - {id: chair-1, label: Chair 1, devices: [{id: oximeter, driver: nonin, url: simulated}]}
  - {id: chair-2, label: Chair 2, devices: [{id: other, driver: nonin, url: simulated}]}
"""
_RULES = {
    "profile": "page",
    "rules": {"spo2_low": {"vital": "spo2", "below": 90, "priority": "high", "bounds": [80, 95]}},
}


def at(minutes: float, of: int = LATE) -> int:
    """UTC nanoseconds so many minutes after the opening of a session."""
    return of + round(minutes * 60 * NS)


def _second(second: int) -> Iterator[Event]:
    when = LATE + second * NS
    minute = second / 60
    if 30 <= minute < 33:
        return
    if second == 50 * 60:
        yield measured("spo2", 71.0, when, when)
    elif 45 * 60 <= second < 45 * 60 + 10:
        yield missing("spo2", when, when, Cause.SENSOR_OFF)
    elif 40 <= minute < 40.5:
        yield measured("spo2", 96.0, when, when, (Cause.ARTIFACT,))
    else:
        yield measured("spo2", 97.0, when, when)
    yield measured("pulse_rate", 70.0, when, when)


def _cuffs(of: int, minutes: int) -> Iterator[Event]:
    for minute in range(5, minutes, 5):
        when = at(minute, of)
        values = (("nibp_sys", 120.0 + minute % 60), ("nibp_dia", 75.0), ("nibp_mean", 90.0))
        yield from (measured(vital, value, when, when) for vital, value in values)


class _Writer:
    """Entries of one session, with their numbers."""

    def __init__(self, session: str, of: int) -> None:
        self.entries: list[Entry] = []
        self._session = session
        self._of = of

    def __call__(self, kind: Kind, minutes: float, content: dict[str, Any], entered: float | None = None) -> None:
        number = len(self.entries) + 1
        when, written = at(minutes, self._of), at(minutes if entered is None else entered, self._of)
        request = f"{self._session}{number}"
        made = Entry(self._session, number, kind, when, written, "Kim", "chair-1", content, request)
        self.entries.append(made)

    def visit(self, reference: str, closed: float, *, infusion: bool = True) -> None:
        opened = {"reference": reference, "planned_minutes": 40, "profile": "page", "rules": _RULES}
        self(Kind.OPENED, 0, opened)
        self(Kind.STEP, 1, {"step": "baseline"})
        if infusion:
            self(Kind.STEP, min(20, closed / 3), {"step": "start"})
            self(Kind.NOTE, closed / 4 + 1, {"text": HOSTILE})
            self(Kind.STEP, closed / 2, {"step": "stop"})
            self(Kind.STEP, closed / 2 + 1, {"step": "recovery"})
            self(Kind.CORRECTION, closed / 2 + 2, {"corrects": 4, "text": "calm", "reason": "wrong patient"})
        criterion = {"id": "spo2", "text": "SpO₂ as at baseline", "met": True, "detail": "97 %"}
        self(Kind.CLOSED, closed, {"criteria": [criterion], "reason": ""})


def _alert(rule: str, kind: AlertKind, priority: Priority, state: AlertState, minutes: float, text: str) -> AlertEvent:
    actor = "Kim" if state is AlertState.ACKNOWLEDGED else ""
    return AlertEvent("chair-1", rule, kind, priority, state, at(minutes), text, session="late", actor=actor)


async def fill(folder: Path) -> None:
    """Write the journal of the sessions above."""
    journal = Journal(folder, seal_every=0.01)
    journal.open()
    for minute in range(120):
        seconds = range(minute * 60, minute * 60 + 60)
        journal.record("chair-1", "oximeter", [event for second in seconds for event in _second(second)])
    provisional = measured("nibp_sys", 181.0, at(42), at(42), (Cause.PROVISIONAL,))
    journal.record("chair-1", "cuff", [*_cuffs(LATE, 120), provisional])
    journal.record("chair-1", "cuff", list(_cuffs(EARLY, 30)))
    for name, of, reference, closed in (("early", EARLY, "P-017", 30), ("late", LATE, "P-017", 120)):
        writer = _Writer(name, of)
        writer.visit(reference, closed)
        journal.record_entries(writer.entries)
    other = _Writer("other", LATE + 10 * 86_400 * NS)
    other.visit("P-018", 10, infusion=False)
    journal.record_entries(other.entries)
    low = "spo2_low", AlertKind.PHYSIOLOGICAL, Priority.HIGH
    stale = "stale_spo2", AlertKind.TECHNICAL, Priority.LOW
    journal.record_alerts(
        [
            _alert(*low, AlertState.ON, 50, "SpO₂ 71 < 90"),
            _alert(*low, AlertState.ACKNOWLEDGED, 50.5, "SpO₂ 71 < 90"),
            _alert(*low, AlertState.OFF, 51, "SpO₂ 97"),
            _alert(*stale, AlertState.ON, 30.2, "SpO₂: no value"),
            _alert(*stale, AlertState.OFF, 33, "SpO₂: back"),
        ]
    )
    assert await journal.committed(30)
    await journal.close()


async def _fill_up(folder: Path, count: int) -> None:
    journal = Journal(folder)
    journal.open()
    for number in range(count):
        writer = _Writer(f"more-{number}", LATE + (11 + number) * 86_400 * NS)
        writer.visit(f"Q-{number}", 10, infusion=False)
        journal.record_entries(writer.entries)
    assert await journal.committed(30)
    await journal.close()


class ReviewClinic:
    """The station, which has no devices; `folder` has its journal."""

    def __init__(self, station: Station) -> None:
        self.station = station
        station.devices.clear()

    @property
    def address(self) -> str:
        return self.station.page.address

    async def do(self, verb: str, **fields: Any) -> Any:
        return await self.station.desk.do(REQUEST.validate_python({"verb": verb, "by": "Ben", **fields}))

    async def open(
        self, browser: Browser, path: str, said: list[str] | None = None, *, live: bool = True, **options: Any
    ) -> Page:
        """That path of the page; what its console says is added to `said`."""
        page = await browser.new_page(**({"viewport": {"width": 1280, "height": 800}} | options))
        if said is not None:
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
        page.set_default_timeout(10_000)
        await page.add_init_script(NAMED)
        await page.goto(self.address + path)
        if live:
            await expect(page.locator("#connection")).to_have_text("Live")
        return page


async def drawn(page: Page) -> Locator:
    """The chart, when all that was asked for has come."""
    chart = page.locator(".review-chart")
    await expect(chart.locator(".drawing")).to_be_visible()
    await expect(chart).to_have_attribute("data-step", re.compile(r"\d"))
    await expect(chart).not_to_have_attribute("data-busy", "yes")
    return chart


@asynccontextmanager
async def review_clinic(folder: Path, filled: Path, *, more: int = 0) -> AsyncIterator[ReviewClinic]:
    """One that runs meanwhile, on a copy of the journal in `filled`, with so many `more` sessions."""
    shutil.copytree(filled, folder / "data")
    if more:
        await _fill_up(folder / "data", more)
    path = folder / "site.yaml"
    path.write_text(_SITE, encoding="utf-8")
    station = Station(config_file.load(path), SystemClock(), data_dir=folder / "data", port=0)
    await station.open()
    stop = asyncio.Event()
    task = asyncio.create_task(station.run(stop))
    try:
        yield ReviewClinic(station)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
