"""What the tests of the alarm system share: one with a real journal and desk, its devices and clock in hand."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.clock import ManualClock
from drivers.events import Reading, measured
from monitor import config_file
from monitor.alarm_system import AlarmSystem
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.live import BedView, DeviceView, LiveHub
from monitor.sessions.desk import Desk
from monitor.sessions.requests import REQUEST
from monitor.storage.history import History
from monitor.storage.journal import Journal

HALVES: dict[str, Any] = {
    "profile": "halves",
    "rules": {
        "spo2_low": {"vital": "spo2", "below": 90, "for": 5, "clears_at": 92, "priority": "high"},
        "spo2_falls": {"vital": "spo2", "falls": 6, "within": 60, "priority": "low"},
        "hr_low": {"vital": "heart_rate", "below": 50, "priority": "none"},
        "slow_and_low": {"all": ["spo2_low", "hr_low"], "priority": "high"},
        "sys_risen": {"vital": "nibp_sys", "above": {"infusion": "+20 %"}, "hysteresis": 5},
        "sys_high": {"vital": "nibp_sys", "above": {"infusion": 165}, "hysteresis": 5, "bounds": [140, 180]},
        "cuff_overdue": {"overdue": "nibp_sys", "grace": 60, "priority": "low"},
        "stale": {"stale_after": 10, "priority": "low"},
        "stale_long": {"stale_after": 30, "priority": "medium", "phases": ["infusion"]},
        "probe_off": {"probe_off_after": 5, "priority": "low"},
    },
}


DRIVERS = {"oxi": "nonin", "oximeter": "nonin"}


class Clinic:
    """Two chairs with an oximeter, a monitor and a cuff each; the devices are the test's."""

    def __init__(self, folder: Path, beds: Sequence[str] = ("one", "two"), devices: Sequence[str] = ("oxi",)) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.beds = beds
        self.devices = devices
        self.same_arm = False
        self.told: list[AlertEvent] = []
        """Since the last start."""
        self.profile = HALVES

    async def start(self) -> Clinic:
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        (site / "halves.yaml").write_text(json.dumps(self.profile))
        beds = [
            {
                "id": bed,
                "same_arm": self.same_arm,
                "devices": [{"id": it, "driver": DRIVERS[it], "url": "simulated"} for it in self.devices],
            }
            for bed in self.beds
        ]
        alerts = {"profile": "halves", "profiles": ["halves.yaml"]}
        (site / "site.yaml").write_text(json.dumps({"site": "clinic", "alerts": alerts, "beds": beds}))
        config = config_file.load(site / "site.yaml")
        self.told = []
        self.journal = Journal(self.folder, commit_every=0.001)
        self.journal.open()
        self.desk = Desk(config, self.journal, self.folder, self.clock)
        views = tuple(DeviceView(it, it, ()) for it in self.devices)
        self.hub = LiveHub([BedView(bed, bed, views) for bed in self.beds], self.clock)
        self.alarms = AlarmSystem(config, self.desk, self.hub, self.journal, self.folder, self.clock)
        self.alarms.told_by(SimpleNamespace(notify=self.told.extend))  # type: ignore[arg-type]  # all that it asks for
        await self.desk.load()
        await self.alarms.take_up()
        return self

    async def restart(self, seconds: float = 5.0) -> None:
        """As after a kill: at its end the alarm system does nothing but commit."""
        await self.journal.close()
        await self.clock.advance(seconds)
        await self.start()

    async def do(self, verb: str, **fields: object) -> str:
        done = await self.desk.do(REQUEST.validate_python({"verb": verb, "by": "anna", **fields}))
        return done.session.id

    async def phases(self, bed: str, *steps: str, pause: float = 1) -> None:
        for step in steps:
            await self.clock.advance(pause)
            await self.do("phase", session=bed, step=step, confirm=True)

    def give(self, bed: str, device: str, *readings: Reading) -> None:
        self.alarms.board.receive(bed, device, list(readings))
        self.journal.record(bed, device, list(readings))

    def read(self, bed: str = "one", device: str = "oxi", **values: float) -> None:
        at = self.clock.now_ns()
        self.give(bed, device, *(measured(vital, value, at, at) for vital, value in values.items()))

    async def seconds(self, count: int, bed: str = "one", device: str = "oxi", **values: float) -> None:
        """So many seconds, each with a reading and a tick."""
        for _ in range(count):
            await self.clock.advance(1)
            if values:
                self.read(bed, device, **values)
            self.alarms.tick([], {})

    def on(self, bed: str = "one") -> Mapping[str, AlertState]:
        return {rule: signal.event.state for rule, signal in self.alarms.board.signals_of(bed).alerts.items()}

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(event.rule, event.state.value) for event in self.told]

    async def committed(self) -> None:
        """All that was recorded is on disk."""
        done = asyncio.Event()
        self.journal.record("", "", (), done.set)
        await done.wait()

    async def noticed(self, condition: Callable[[], bool]) -> None:
        """Wait for the journal's thread."""
        while not condition():
            await asyncio.sleep(0.01)

    def recorded(self, rule: str) -> list[str]:
        return [event.state.value for event in History(self.folder).alerts() if event.rule == rule]


async def in_infusion(clinic: Clinic, *baseline: float) -> None:
    """A session in its infusion, with these cuff readings in its baseline."""
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("one", "baseline")
    for systolic in baseline:
        await clinic.seconds(1, spo2=97, nibp_sys=systolic)
    await clinic.phases("one", "start")


def damage(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SQLite find the file damaged at the next commit."""
    monkeypatch.setattr("monitor.storage.commit_queue._RETRY_SECONDS", 0.01)

    def fails(*_: object) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(journal._database, "write", fails)


def refuse(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the disk refuse everything; gives what makes it take it again."""
    database = journal._database
    assert database is not None
    write = database.write
    monkeypatch.setattr("monitor.storage.commit_queue._RETRY_SECONDS", 0.01)

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "write", fails)
    return lambda: monkeypatch.setattr(database, "write", write)
