"""A visit `s` that has everything, and others around it: what the tests of charts from InfluxDB forward.

It has readings of every validity and cause, pressures of a cuff, a recording from before that was assigned, a move to
another bed, corrections, a void limit, a clock that was set, a signature and a late note; alerts, silences and device
events of one moment; and texts of several lines, scripts and quotes.
"""

from __future__ import annotations

from typing import Any

from drivers.clock import NS
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, Reading, Validity, measured, missing
from monitor.alerts import profile_file
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Priority, Why
from monitor.alerts.conditions import Kind as Of
from monitor.sessions.entries import Entry, Kind
from monitor.storage.journal import Journal

T0 = 1_790_000_000 * NS
HARD = 'SpO₂ "86" < 90 \\ \\" Übelkeit\r\nsecond line\t\u2028 気分 \U0001f642 ,=\\'


def at(minutes: float) -> int:
    """UTC nanoseconds so many minutes after the visit began."""
    return T0 + round(minutes * 60 * NS)


def entered(session: str, *of: tuple[Kind, float, dict[str, Any]], bed: str = "chair-1", first: int = 1) -> list[Entry]:
    """Entries of a session: kind, minute and content of each."""
    return [
        Entry(session, number, kind, at(when), at(when) + number * 1001, "Kim", bed, content, f"{session}-{number}")
        for number, (kind, when, content) in enumerate(of, start=first)
    ]


def opening(reference: str = "P-17") -> dict[str, Any]:
    rules = profile_file.shipped("adult_infusion").model_dump(mode="json", exclude_defaults=True)
    return {"reference": reference, "planned_minutes": 40, "profile": "adult_infusion", "rules": rules}


VISIT = [
    *entered(
        "s",
        (Kind.OPENED, 0, opening()),
        (Kind.CHECK, 0, {"item": "consent", "title": "Consent", "answer": HARD}),
        (Kind.STEP, 0, {"step": "baseline"}),
        (Kind.ASSIGNED, 1, {"bed": "chair-9", "since": at(-5), "until": at(-3)}),
        (Kind.STEP, 2, {"step": "start"}),
        (Kind.NOTE, 2, {"text": HARD}),
        (Kind.LIMIT, 3, {"rule": "spo2_low", "limit": 88.0, "reason": "low baseline"}),
        (Kind.MOVED, 4, {"from": "chair-1", "to": "chair-2"}),
    ),
    *entered(
        "s",
        (Kind.CLOCK_SET, 5, {"seconds": -1.5}),
        (Kind.STEP, 6, {"step": "stop"}),
        (Kind.STEP, 6, {"step": "recovery"}),
        (Kind.CORRECTION, 7, {"corrects": 5, "reason": "by the pump", "at": at(2.5)}),
        (Kind.CORRECTION, 7, {"corrects": 7, "reason": "wrong patient", "void": True}),
        (Kind.CLOSED, 8, {"criteria": [{"id": "spo2", "text": "SpO₂", "met": None}], "reason": ""}),
        bed="chair-2",
        first=9,
    ),
    # Long after, with the visits of others in between.
    *entered("s", (Kind.SIGNED, 300, {"through": 14}), (Kind.NOTE, 50_000, {"text": "late"}), bed="", first=15),
]
OTHERS = [
    *entered("without-bed", (Kind.OPENED, 0, opening("")), (Kind.NOTE, 0, {"text": "waits"}), bed=""),
    *entered("open", (Kind.OPENED, 20, opening("P-18")), bed="chair-1"),
    *entered("moved-to-july", (Kind.OPENED, 400, opening()), bed="chair-3"),
    *entered("moved-to-july", (Kind.CORRECTION, 405, {"corrects": 1, "reason": "-", "at": at(30)}), bed="", first=2),
]


def alert(rule: str, when: float, state: AlertState, priority: Priority = Priority.HIGH, **others: Any) -> AlertEvent:
    values: dict[str, Any] = {
        "bed": "chair-1",
        "kind": Of.PHYSIOLOGICAL,
        "text": HARD,
        "why": Why.READING,
        "session": "s",
    }
    return AlertEvent(rule=rule, at=at(when), state=state, priority=priority, **{**values, **others})


ALERTS = [
    # All of one moment, in an order that neither names nor priorities give; some of one series, some of several.
    alert("spo2_low", 1, AlertState.ON, vital="spo2", device="oximeter", value=86.0, limit=90.0, group="oxygen"),
    alert("hr_high", 1, AlertState.ON, Priority.MEDIUM, value=125.5),
    alert("spo2_low", 1, AlertState.ACKNOWLEDGED, actor='Kim "K"\nMöller', why=Why.OPERATOR),
    alert("hr_high", 1, AlertState.OFF, Priority.MEDIUM),
    alert("spo2_low", 1, AlertState.OFF, Priority.LOW),
    alert("spo2_low", 1, AlertState.ON, Priority.MEDIUM, value=-0.0),
    alert("hr_high", 1, AlertState.ON, Priority.MEDIUM),
    alert("part", 1, AlertState.ON, Priority.NONE),
    alert(AUDIO, 2, AlertState.PAUSED, Priority.NONE, kind=Of.OTHER, value=120.0, actor="Kim", why=Why.OPERATOR),
    alert(AUDIO, 3, AlertState.ON, Priority.NONE, kind=Of.OTHER, why=Why.TIME),
    alert("device_lost_oximeter", 5, AlertState.ON, Priority.LOW, kind=Of.TECHNICAL, bed="chair-2", session=""),
    alert("device_lost_oximeter", 8, AlertState.OFF, Priority.LOW, kind=Of.TECHNICAL, bed="chair-2"),
    alert("spo2_low", 20.5, AlertState.ON, session="open"),
    alert("sink_behind", 1, AlertState.ON, kind=Of.TECHNICAL, bed="", session=""),
]


def _of_a_second(moment: int, bed: str) -> list[Reading]:
    second = (moment - T0) // NS
    spo2 = 90.0 + second % 9
    doubts = {0: [], 1: [Cause.ARTIFACT], 2: [Cause.ARTIFACT, Cause.LOW_PERFUSION]}[second // 50 % 3]
    readings = [
        measured("spo2", spo2, moment, moment + 5, doubts),
        measured("heart_rate", 400.0 if second % 77 == 0 else 60 + second % 7 / 3, moment + second % 3, moment),
    ]
    if second % 60 < 10:
        readings[0] = missing("spo2", moment, moment + 5, Cause.SENSOR_OFF)
    if second % 60 == 20:
        readings.append(Reading("temp", 36.6, Validity.VALID, moment, moment, Cause.AGE_UNKNOWN))
        readings.append(Reading("etco2", None, Validity.INVALID, moment, moment))
        readings.append(Reading("a_vital_of_tomorrow", 1e-300, Validity.QUESTIONABLE, moment, moment))
    if second % 60 == 29 and bed == "chair-1":
        readings.append(measured("nibp_sys", 140.0, moment, moment, [Cause.PROVISIONAL]))
    if second % 60 == 30:
        readings += [measured("nibp_sys", 120.0, moment, moment), missing("nibp_dia", moment, moment)]
    return readings


def record(journal: Journal) -> None:
    """What devices say, on three beds; entries and alerts are not in it."""
    for second in range(-360, 540):
        for bed in ("chair-1", "chair-2", "chair-9"):
            journal.record(bed, "monitor", _of_a_second(T0 + second * NS, bed))
    journal.record("chair-2", "oximeter", [measured("spo2", 97.25, at(5), at(5))])
    for active in (True, False, True):
        events = [DeviceStatus(code, active, HARD, at(4.5)) for code in ("clock_behind", "low_battery")]
        journal.record("chair-2", "monitor", [*events, DeviceAlarm("7", active, "", at(4.5))])
        state = LinkState.LOST if active else LinkState.RECEIVING
        journal.record_link("chair-2", "monitor", state, f"unplugged {active}", at(4.5))
        journal.record_link("chair-2", "a-cuff", state, "unplugged", at(4.5))
    journal.record_link("chair-9", "monitor", LinkState.RECEIVING, "", at(-4))
