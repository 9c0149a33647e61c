"""A clinic with a past: simulated patients whose last hour is in the journal of a station that goes on from there.

The hour is played in seconds, through the desk, the alarm system and the journal as they are, by a clock in the hand.
Then the same patients are measured by simulated devices. They are the same at every run; what the clock says is not.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from drivers.clock import NS, ManualClock, SystemClock
from drivers.events import Cause, LinkState, measured, missing
from monitor import config_file
from monitor.alarm_system import AlarmSystem
from monitor.alerts import actions
from monitor.alerts.actions import ALERT_REQUEST
from monitor.buffer import Rings
from monitor.config import StationConfig
from monitor.live import BedView, DeviceView, LiveHub
from monitor.sessions.desk import Desk
from monitor.sessions.requests import REQUEST
from monitor.station import Bed, Station
from monitor.storage.journal import Journal
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.patient import Episode, Patient

NURSE = "Anna Berg"
"""Who does everything."""
HOUR = 3600
DRIVERS = {"oximeter": "nonin", "monitor": "ivy450c", "cuff": "dinamap"}
VITALS = {
    "oximeter": ["spo2", "pulse_rate"],
    "monitor": ["heart_rate", "resp_rate", "spo2", "pulse_rate"],
    "cuff": ["nibp_sys", "nibp_dia", "nibp_mean"],
}
FEW = 12
"""Beds up to which they are measured every second in the past, too."""

Done = tuple[float, dict[str, Any]]
"""Minutes from now, below 0 in the past, and what is asked of the station then."""


class Chair(NamedTuple):
    """One patient; minutes and seconds are counted from now."""

    seed: int
    done: Sequence[Done] = ()
    episodes: tuple[Episode, ...] = ()
    started: float = 1e6
    """Minute in which the infusion begins."""
    monitor: bool = False
    """With an ECG monitor in place of the oximeter."""
    pleth: bool = False
    """Whether the oximeter sends its pulse wave."""

    @property
    def devices(self) -> tuple[str, ...]:
        """What stands beside it."""
        return ("monitor" if self.monitor else "oximeter", "cuff")

    def options(self, device: str) -> dict[str, str]:
        """Of the device's driver."""
        return {"format": "2" if self.pleth else "8"} if device == "oximeter" else {}


def visit(number: int, started: float, *later: tuple[float, str], minutes: int = 40) -> list[Done]:
    """A visit of which nothing is asked but its steps."""
    opened = {"verb": "open", "reference": f"KE-{number}", "planned_minutes": minutes}
    steps = [(started - 6, "baseline"), (started, "start"), *later]
    phases = [(at, {"verb": "phase", "step": step, "confirm": step == "start"}) for at, step in steps]
    return [(started - 8, opened), *phases]


def fall(first: float, lasts: float, by: float) -> Episode:
    """SpO2 falls once, and is lowest for half of that time."""
    return Episode(first, lasts, 10 * HOUR, spo2_falls_by=by)


class DemoClinic:
    """A station of these chairs; configuration and journal are in `folder`. Needs a running loop."""

    def __init__(self, folder: Path, chairs: Sequence[Chair]) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._chairs = {f"chair-{number}": chair for number, chair in enumerate(chairs, start=1)}
        self._patients = {
            bed: Patient(chair.seed, infusion_at=60 * chair.started, episodes=chair.episodes)
            for bed, chair in self._chairs.items()
        }
        self._config = self._load()
        self._now = time.time_ns()
        """The moment 0 of the patients: their devices count from now on, too."""
        self.endpoints = {
            # Behind links of their own: an unplugged one's port may be somebody else's by the next moment.
            (bed, device): PtyEndpoint(
                make_side(DRIVERS[device], self._patients[bed], chair.options(device)),
                SystemClock(),
                folder / f"{bed}-{device}",
            )
            for bed, chair in self._chairs.items()
            for device in chair.devices
        }

    def _load(self) -> StationConfig:
        beds = []
        for bed, chair in self._chairs.items():
            devices = [
                {
                    "id": it,
                    "driver": DRIVERS[it],
                    "url": "simulated",
                    "options": chair.options(it),
                    "vitals": VITALS[it],
                }
                for it in chair.devices
            ]
            beds.append({"id": bed, "label": bed.replace("chair-", "Chair "), "devices": devices})
        path = self._folder / "clinic.yaml"
        path.write_text(json.dumps({"site": "demo-clinic", "beds": beds}))
        return config_file.load(path)

    async def play_past(self) -> None:
        """Measure, and do what was done, in the hour until now."""
        clock = ManualClock(self._now - HOUR * NS)
        journal = Journal(self._folder, commit_every=0.01)
        journal.open()
        desk = Desk(self._config, journal, self._folder, clock)
        views = [
            BedView(bed.id, bed.title, tuple(DeviceView(it.id, "", ()) for it in bed.devices))
            for bed in self._config.beds
        ]
        hub = LiveHub(views, clock, self._config.site)
        alarms = AlarmSystem(self._config, desk, hub, journal, self._folder, clock)
        beds = [Bed(bed, alarms, Rings(), hub, journal) for bed in self._config.beds]
        for bed in beds:
            for device in self._chairs[bed.id].devices:
                bed.link_changed(device, LinkState.RECEIVING, "", clock.now_ns())
        due = [(60 * at, bed, asked) for bed, chair in self._chairs.items() for at, asked in chair.done]
        due.sort(key=lambda it: it[0])
        every = 1 if len(beds) <= FEW else 4
        while clock.now_ns() < time.time_ns():
            at = clock.monotonic() - HOUR
            for bed in beds:
                self._give(bed, at, every)
            while due and due[0][0] <= at:
                _, name, asked = due.pop(0)
                await do(desk, alarms, name, asked)
            # The board alone: nobody was to look at a page in that hour.
            alarms.board.tick()
            await clock.advance(every)
        await journal.close()

    def _give(self, bed: Bed, at: float, every: int) -> None:
        patient, now = self._patients[bed.id], self._now + round(at * NS)
        device = self._chairs[bed.id].devices[0]
        values = {
            "spo2": patient.spo2(at),
            "pulse_rate": patient.heart_rate(at),
            "heart_rate": patient.heart_rate(at),
            "resp_rate": patient.resp_rate(at),
        }
        off = patient.probe_off(at)
        given = [
            missing(vital, now, now, Cause.SENSOR_OFF) if off else measured(vital, round(values[vital]), now, now)
            for vital in VITALS[device]
        ]
        bed.receive(device, [*given], None)
        ended = patient.last_cuff_at(at)
        if at - ended < every:
            found, then = patient.pressure(ended), self._now + round(ended * NS)
            pressures = zip(VITALS["cuff"], (found.sys, found.dia, found.mean), strict=True)
            bed.receive("cuff", [measured(vital, value, then, now) for vital, value in pressures], None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Station]:
        """The station, from now on."""
        addresses = {place: endpoint.address for place, endpoint in self.endpoints.items()}
        station = Station(self._config, SystemClock(), data_dir=self._folder, port=0, addresses=addresses)
        await station.open()
        stop = asyncio.Event()
        devices = [asyncio.create_task(endpoint.serve()) for endpoint in self.endpoints.values()]
        serving = asyncio.create_task(station.run(stop))
        try:
            yield station
        finally:
            stop.set()
            await serving
            for device in devices:
                device.cancel()
            await asyncio.gather(*devices, return_exceptions=True)


async def do(desk: Desk, alarms: AlarmSystem, bed: str, asked: dict[str, Any]) -> None:
    """Do something on a bed, to its session or to its alerts, where any stand."""
    if asked["verb"] in {"acknowledge", "pause"}:
        if not alarms.board.signals_of(bed).alerts:
            return
        actions.do(alarms.board, ALERT_REQUEST.validate_python({**asked, "bed": bed, "by": NURSE}))
        return
    place = "bed" if asked["verb"] == "open" else "session"
    await desk.do(REQUEST.validate_python({**asked, place: bed, "by": NURSE}))
