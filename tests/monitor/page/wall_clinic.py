"""A clinic of many beds for tests of the wall: real snapshots, stream and server; what is measured is the test's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Browser, Locator, Page, expect

from drivers.clock import Clock, SystemClock
from drivers.events import Cause, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.signals import Activation, Signal, SignalState
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.server import free_port

OXIMETER = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))
MONITOR = DeviceView("monitor", "Ivy 450C", ("heart_rate", "spo2", "resp_rate", "temp"))
CUFF = DeviceView("cuff", "GE Dinamap", ("nibp_sys", "nibp_dia", "nibp_mean"))
GIVEN = Activation()
EVIL = "<img src=x onerror=alert(1)>"
"""The second chair is called that."""


class Clinic:
    """Beds that are given values, and a page server that can be stopped and started."""

    def __init__(self, count: int = 2, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.beds = [
            BedView(f"chair-{it}", f"Chair {it}" if it != 2 else EVIL, (MONITOR if it == 2 else OXIMETER, CUFF))
            for it in range(1, count + 1)
        ]
        self._shown: dict[str, dict[str, Any]] = {}
        """By bed, what its snapshot has in place of what it would have."""
        self.port = free_port()
        self._standing: dict[str, dict[str, Signal]] = {}

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def open(self) -> None:
        """Start, with nothing measured yet."""
        self.hub = LiveHub(self.beds, self.clock, "clinic")
        snapshot = self.hub.snapshot

        def changed() -> dict[str, Any]:
            told = snapshot()
            for bed in told["beds"]:
                bed.update(self._shown.get(bed["id"], {}))
            return told

        self.hub.snapshot = changed  # type: ignore[method-assign]  # what a test wants shown
        self.server = PageServer(create_app(Parts(self.hub)), port=self.port)
        self.server.bind()
        self._serving = asyncio.create_task(self.server.serve())

    async def stop(self) -> None:
        """End; harmless where it has ended."""
        self.hub.close()
        await self.server.stop()
        await self._serving

    def show(self, bed: str, **fields: Any) -> None:
        """Have the snapshot of a bed say this, in place of what it would."""
        self._shown[bed] = fields
        self.hub._pulse.changed()

    def give(self, bed: str, device: str, *, ago: float | None = None, **values: float | None) -> None:
        """Have a device measure these, now or so many seconds ago; None is an invalid reading."""
        now = time.time_ns()
        at = now - int((ago or 0) * 1e9)
        self.hub.receive(
            bed,
            device,
            [
                missing(key, at, now, Cause.SENSOR_OFF) if value is None else measured(key, value, at, now)
                for key, value in values.items()
            ],
        )

    def alert(
        self,
        bed: str,
        rule: str,
        priority: Priority,
        text: str,
        vital: str = "",
        state: AlertState = AlertState.ON,
        kind: Kind = Kind.PHYSIOLOGICAL,
        actor: str = "",
    ) -> None:
        """Show an alert on a bed, or no longer; what stands there already stays, as after it is told."""
        now = time.time_ns()
        event = AlertEvent(bed, rule, kind, priority, state, now, text, vital, actor=actor)
        alerts = self._standing.setdefault(bed, {})
        if state is AlertState.OFF:
            del alerts[rule]
        else:
            begun = alerts[rule].begun if rule in alerts else now
            alerts[rule] = Signal(event, state is not AlertState.LATCHED, begun, 0.0)
        self.signals(bed)

    def signals(self, bed: str, audio: Activation = GIVEN, alarm: Activation = GIVEN) -> None:
        """Have the signals of a bed given, paused or off."""
        self.hub.alerts_changed(bed, SignalState(self._standing.get(bed, {}), audio, alarm))

    @asynccontextmanager
    async def measuring(self, **values: float | None) -> AsyncIterator[None]:
        """Give chair 1 these values twice a second meanwhile."""

        async def measure() -> None:
            while True:
                self.give("chair-1", "oximeter", **values)
                await asyncio.sleep(0.5)

        task = asyncio.create_task(measure())
        try:
            yield
        finally:
            task.cancel()


async def open_page(browser: Browser, clinic: Clinic, **options: Any) -> tuple[Page, list[str]]:
    """The wall, and the list of all that its console says."""
    page = await browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(clinic.server.address)
    await expect(page.locator("#connection")).to_have_text("Live")
    return page, said


def tile(page: Page, bed: str) -> Locator:
    """The tile of a bed."""
    return page.locator(f"#bed-{bed}")


def numeric(page: Page, bed: str, key: str) -> Locator:
    """A numeric of a bed's tile."""
    return tile(page, bed).locator(f".numeric[data-key={key}]")
