"""How long a station takes to know again what stood when it ended: the alerts, the sessions, the last readings.

The journal is that of a clinic in the middle of its work: hours of readings in blocks, on every bed a session in its
infusion with baseline, cuff readings and a limit of its own, alert changes of years, and some that stand: in every
state, of the patient, of a device, of the station, and signals that are paused or off. The product's own desk and
journal write it. A station is then opened on it some seconds after the end, on a copy each time. What it has taken up
is held against what stood, and it must have told nothing.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS, ManualClock
from drivers.events import Reading, Validity
from monitor.alarm_system import AlarmSystem
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.profile_file import DEFAULT, shipped
from monitor.config import StationConfig
from monitor.sessions.desk import FORGOTTEN, Desk
from monitor.sessions.requests import REQUEST
from monitor.station import Station
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.journal import Journal

AIM = 1.0
"""Seconds until the alerts are as they were."""
_ROUNDS = 7
_HOURS = 2
_END = day.START + _HOURS * 3600 * NS
_OPENED, _BASELINE, _INFUSION = 50 * 60, 15 * 60, 25 * 60
"""Seconds before the end at which sessions are opened; how long the baseline, and then the infusion, have lasted."""
_CUFF_EVERY = 5 * 60
_DOWN = 20.0
"""Seconds between the end and the start."""
_OLD = 100_000
"""Changes of alerts that are over."""
_DEVICE = "monitor"


class _Stood(NamedTuple):
    """An alert that stands at the end."""

    bed: str
    rule: str
    kind: Kind
    priority: Priority
    states: tuple[tuple[AlertState, Why], ...]
    """What became of it, the last last."""
    value: float | None = None


_ON = (AlertState.ON, Why.READING)
_ESCALATED = (AlertState.ON, Why.ESCALATED)
_LATCHED = (AlertState.LATCHED, Why.READING)
_SEEN = (AlertState.ACKNOWLEDGED, Why.OPERATOR)
_REMINDED = (AlertState.ACKNOWLEDGED, Why.REMINDER)
_BODY, _DEVICES, _PEOPLE = Kind.PHYSIOLOGICAL, Kind.TECHNICAL, Kind.OTHER
_STANDING = (
    *(_Stood(bed, "hr_high", _BODY, Priority.LOW, (_ON,), 104) for bed in day.BEDS[:4]),
    *(_Stood(bed, "spo2_low", _BODY, Priority.HIGH, (_ON, _ESCALATED), 91) for bed in day.BEDS[4:6]),
    *(_Stood(bed, "pr_very_high", _BODY, Priority.MEDIUM, (_ON, _SEEN, _REMINDED), 124) for bed in day.BEDS[6:8]),
    *(_Stood(bed, "spo2_very_low", _BODY, Priority.HIGH, (_ON, _LATCHED), 87) for bed in day.BEDS[8:11]),
    _Stood(day.BEDS[11], "cuff_overdue", _DEVICES, Priority.LOW, (_ON,)),
    _Stood(day.BEDS[12], "stale_etco2", _DEVICES, Priority.LOW, (_ON,)),
    _Stood(day.BEDS[13], f"probe_off_{_DEVICE}", _DEVICES, Priority.LOW, (_ON, _SEEN)),
    _Stood(day.BEDS[14], f"device_lost_{_DEVICE}", _DEVICES, Priority.MEDIUM, (_ON,)),
    _Stood(day.BEDS[15], f"low_battery_{_DEVICE}", _DEVICES, Priority.LOW, (_ON, _SEEN, _REMINDED)),
    _Stood(day.BEDS[16], FORGOTTEN, _DEVICES, Priority.LOW, (_ON,)),
    _Stood(day.BEDS[17], AUDIO, _PEOPLE, Priority.NONE, ((AlertState.PAUSED, Why.OPERATOR),), 120),
    _Stood(day.BEDS[18], ALARM, _PEOPLE, Priority.NONE, ((AlertState.OFF, Why.OPERATOR),)),
    _Stood("", "disk_nearly_full", _DEVICES, Priority.MEDIUM, (_ON,)),
)
_Standing = dict[tuple[str, str], AlertState]
"""By bed and rule."""


class Start(NamedTuple):
    """Seconds of one start."""

    take_up: float
    restored: float
    """From the beginning until the alerts are as they were."""
    opened: float
    """From the beginning until the station is open."""


def measure() -> Table:
    """Open the station several times, with the journal in the system's cache and without."""
    table = Table(
        f"Restart: {len(day.BEDS)} open sessions, {len(_STANDING)} standing alerts, {_OLD:,} old alert rows",
        f"the alerts are as they were within {AIM:g} s of the start, and nothing is told",
        ("journal", "what", "median s", "fastest", "slowest"),
        notes=[
            f"{day.count(_HOURS):,} readings in blocks: {_HOURS} h of {len(day.VITALS)} vitals a bed at 1 Hz.",
            f"A session: {_BASELINE} s of baseline, {_INFUSION} s of infusion, a cuff reading every {_CUFF_EVERY} s.",
            "Counted from the call of Station.open; the interpreter's start and imports are before it. Not in the",
            "cache: the system was asked to let go of the file's pages, as after a start of the machine.",
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        shutil.copytree(day.copy(_HOURS), made)
        asyncio.run(_fill(made))
        # What the station tells of its journal and alerts belongs to a log, not between two tables.
        logging.disable(logging.WARNING)
        try:
            for title, cached in (("in the system's cache", True), ("not in the cache", False)):
                _add(table, title, [_start(made, Path(name) / "data", cached=cached) for _ in range(_ROUNDS)])
        finally:
            logging.disable(logging.NOTSET)
    return table


def _add(table: Table, title: str, starts: list[Start]) -> None:
    table.raw += [{"journal": title, **start._asdict()} for start in starts]
    for what, times in (
        ("AlarmSystem.take_up", [start.take_up for start in starts]),
        ("until the alerts are restored", [start.restored for start in starts]),
        ("the whole Station.open", [start.opened for start in starts]),
    ):
        table.rows.append((title, what, f"{statistics.median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}"))
    if (slowest := max(start.restored for start in starts)) >= AIM:
        table.missed.append(f"{title} ({slowest:.2f} s)")


def _start(made: Path, folder: Path, *, cached: bool) -> Start:
    shutil.copytree(made, folder)
    try:
        with (folder / JOURNAL_FILE).open("rb") as file:
            if not cached:
                # Only what is on disk can be let go of.
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        gc.collect()
        return asyncio.run(_opened(folder))
    finally:
        shutil.rmtree(folder)


async def _opened(folder: Path) -> Start:
    """Raises RuntimeError where something else stands than stood, or anything was told."""
    station = Station(_settings(), ManualClock(_END + round(_DOWN * NS)), data_dir=folder, port=0)
    told: list[AlertEvent] = []
    station.alarms.board.add_listener(lambda _bed, events: told.extend(events))
    take_up = station.alarms.take_up
    moments = []

    async def timed() -> None:
        moments.append(time.perf_counter())
        await take_up()
        moments.append(time.perf_counter())

    with mock.patch.object(station.alarms, "take_up", timed):
        began = time.perf_counter()
        await station.open()
        done = time.perf_counter()
    stands, sessions = _standing(station.alarms), station.desk.open_sessions()
    heard = list(told)
    stop = asyncio.Event()
    stop.set()
    await station.run(stop)
    expected = {(one.bed, one.rule): one.states[-1][0] for one in _STANDING}
    if stands != expected or heard or len(sessions) != len(day.BEDS):
        raise RuntimeError(f"{len(sessions)} sessions, {stands.items() ^ expected.items()} differ, told: {heard}")
    return Start(moments[1] - moments[0], moments[1] - began, done - began)


def _standing(alarms: AlarmSystem) -> _Standing:
    found: _Standing = {}
    for bed, state in alarms.standing().items():
        found |= {(bed, rule): signal.event.state for rule, signal in state.alerts.items()}
        switched = {(bed, AUDIO): state.audio.state, (bed, ALARM): state.alarm.state}
        found |= {key: activation for key, activation in switched.items() if activation is not AlertState.ON}
    return found


def _settings() -> StationConfig:
    device = {"id": _DEVICE, "driver": "ivy450c", "url": "/dev/no-port"}
    beds = [{"id": bed, "devices": [device]} for bed in day.BEDS]
    return StationConfig.model_validate({"site": "bench", "web": {"port": 0}, "beds": beds}, strict=False)


async def _fill(folder: Path) -> None:
    """Add to the day's readings what people did, what the cuffs gave, and what became of alerts."""
    clock = ManualClock(_END - _OPENED * NS)
    journal = Journal(folder, commit_every=0.01)
    journal.open()
    try:
        journal.record_alerts(list(_old_alerts()))
        desk = Desk(_settings(), journal, folder, clock)
        await desk.load()
        names = [await _done(desk, "open", bed=bed, reference="R1") for bed in day.BEDS]
        await clock.advance(_OPENED - _BASELINE - _INFUSION)
        for name in names:
            await _done(desk, "phase", session=name, step="baseline")
            await _done(desk, "limit", session=name, rule="spo2_low", limit=90.0, reason="usual for him")
        await clock.advance(_BASELINE)
        for name in names:
            await _done(desk, "phase", session=name, step="start", confirm=True, reason="seen to")
        for bed, name in zip(day.BEDS, names, strict=True):
            for ago in range(_OPENED, 0, -_CUFF_EVERY):
                journal.record(bed, _DEVICE, _cuff(_END - ago * NS))
            journal.record_alerts([event._replace(session=name) for event in _of_standing(bed)])
        journal.record_alerts(list(_of_standing("")))
    finally:
        await journal.close()


async def _done(desk: Desk, verb: str, **what: object) -> str:
    """The session's name."""
    return (await desk.do(REQUEST.validate_python({"verb": verb, "by": "Ann", **what}))).session.id


def _cuff(at: int) -> list[Reading]:
    values = {"nibp_sys": 124, "nibp_dia": 78, "nibp_mean": 93}
    return [Reading(vital, value, Validity.VALID, at, at, episodic=True) for vital, value in values.items()]


def _of_standing(bed: str) -> Iterator[AlertEvent]:
    for one in _STANDING:
        if one.bed == bed:
            for ago, (state, why) in zip(range(30 * len(one.states), 0, -30), one.states, strict=True):
                actor = "Ann" if why is Why.OPERATOR else ""
                text = f"{one.rule}, which stands"
                event = AlertEvent(bed, one.rule, one.kind, one.priority, state, _END - ago * NS, text, why=why)
                yield event._replace(value=one.value, actor=actor)


def _old_alerts() -> Iterator[AlertEvent]:
    """On and off in turn, a bed and a rule after the other, a quarter of an hour apart."""
    rules = shipped(DEFAULT).compiled().rules
    kinds = itertools.cycle(itertools.product(rules, day.BEDS))
    at = day.START - _OLD // 2 * 900 * NS
    for rule, bed in itertools.islice(kinds, _OLD // 2):
        at += 900 * NS
        event = AlertEvent(bed, rule.id, _BODY, rule.priority, AlertState.ON, at, f"{rule.id} came on", why=Why.READING)
        yield event
        yield event._replace(state=AlertState.OFF, at=at + 60 * NS, text=f"{rule.id} is over")
