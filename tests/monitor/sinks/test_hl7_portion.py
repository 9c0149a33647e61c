"""Which readings and alerts are sent, and as whose, however the journal is cut into portions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import hl7
import pytest

from drivers.clock import NS
from drivers.events import Cause, measured, missing
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Kind, Priority
from monitor.sessions import entries
from monitor.sessions.entries import Entry
from monitor.sinks.hl7_portion import Portions
from monitor.sinks.hl7_settings import Hl7Config
from monitor.storage import backlog
from monitor.storage.backlog import Backlog
from monitor.storage.journal import Journal
from tests.monitor.sinks.hl7_reading import Told, alert_told, readings_told

MINUTE = 60
AT = 1_790_000_040 * NS
"""A whole minute, UTC nanoseconds."""


@pytest.fixture
async def journal(tmp_path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path, commit_every=0.001)
    journal.open()
    yield journal
    await journal.close()


def told(journal: Journal, **options) -> list[str]:
    """The messages of all portions, from the first on."""
    folder = journal.path.parent
    portions = Portions(Hl7Config(host="localhost", **options), "clinic", folder)
    messages: list[str] = []
    with contextlib.closing(Backlog(folder)) as log:
        through = 0
        while (portion := log.next(through)).through > through:
            messages += portions.messages(portion)
            through = portion.through
    return messages


def readings(messages: list[str]) -> list[Told]:
    return [reading for message in messages if "ORU^R01" in message for reading in readings_told(message)]


def alerts(messages: list[str]) -> list[dict]:
    return [alert_told(message) for message in messages if "ORU^R40" in message]


def at(seconds: float) -> int:
    return AT + round(seconds * NS)


async def put(journal: Journal, seconds: float, vital: str = "spo2", value: float | None = 97.0, **where) -> None:
    moment = at(seconds)
    one = missing(vital, moment, moment, Cause.SENSOR_OFF) if value is None else measured(vital, value, moment, moment)
    journal.record(where.get("bed", "chair-1"), where.get("device", "monitor"), [one])
    await journal.committed(10)


async def test_the_first_reading_of_each_minute_is_sent_and_every_cuff_reading(journal, monkeypatch) -> None:
    for second in range(5, 3 * MINUTE, 10):
        await put(journal, second, value=90.0 + second / 100 if second != MINUTE + 5 else None)
    await put(journal, 62.5, "resp_rate", 14.0)
    await put(journal, 7, bed="chair-2")
    for second in (30, 40, 50):
        await put(journal, second, "nibp_sys", 120.0 + second)
    one_portion = told(journal)
    # A first one without a value is the first: the minute is not given that of a later one.
    assert sorted(
        (reading[0].split("^")[0], reading[1] - AT // 1_000_000, *reading[2:4]) for reading in readings(one_portion)
    ) == [
        ("chair-1.monitor", 5_000, "spo2", 90.05),
        ("chair-1.monitor", 30_000, "nibp_sys", 150.0),
        ("chair-1.monitor", 40_000, "nibp_sys", 160.0),
        ("chair-1.monitor", 50_000, "nibp_sys", 170.0),
        ("chair-1.monitor", 62_500, "resp_rate", 14.0),
        ("chair-1.monitor", 65_000, "spo2", None),
        ("chair-1.monitor", 125_000, "spo2", 91.25),
        ("chair-2.monitor", 7_000, "spo2", 97.0),
    ]
    # Each commit a portion: nothing more, nothing less, and the same messages.
    monkeypatch.setattr(backlog, "ROWS", 1)
    assert sorted(told(journal)) == sorted(one_portion)
    assert len(readings(told(journal, every_s=0.0))) == 18 + 1 + 1 + 3
    assert len(readings(told(journal, every_s=30.0))) == 2 * 3 + 1 + 1 + 3


async def test_a_reading_that_comes_late_is_not_one_of_a_minute_that_had_one(journal) -> None:
    await put(journal, 30)
    await put(journal, 40, value=95.0)
    assert [reading[3] for reading in readings(told(journal))] == [97.0]
    await put(journal, 20, value=96.0)
    assert [reading[3] for reading in readings(told(journal))] == [96.0]


async def test_what_one_device_measured_at_one_moment_is_one_message(journal) -> None:
    moment = at(0)
    both = [measured("spo2", 97.0, moment, moment), measured("pulse_rate", 70.0, moment, moment)]
    journal.record("chair-1", "oximeter", both)
    journal.record("chair-1", "ecg", [measured("heart_rate", 71.0, moment, moment)])
    await journal.committed(10)
    messages = told(journal)
    assert sorted(len(readings_told(message)) for message in messages) == [1, 2]


def entry(
    number: int, kind: entries.Kind, seconds: float, content: dict, session: str = "s1", bed: str = "chair-1"
) -> Entry:
    return Entry(session, number, kind, at(seconds), at(seconds), "Kim", bed, content, f"{session}-{number}")


async def test_readings_are_of_the_session_that_was_on_the_bed_then(journal) -> None:
    opened = {"reference": "P-1", "planned_minutes": 40, "profile": "default"}
    journal.record_entries(
        [
            entry(1, entries.Kind.OPENED, 10, opened),
            entry(2, entries.Kind.MOVED, 20, {"from": "chair-1", "to": "chair-2"}),
            entry(3, entries.Kind.CLOSED, 30, {"criteria": [], "reason": ""}, bed="chair-2"),
            entry(1, entries.Kind.OPENED, 30, opened | {"reference": "P-2"}, session="s2", bed="chair-2"),
        ]
    )
    for bed in ("chair-1", "chair-2"):
        for second in (5, 15, 25, 35):
            await put(journal, second, value=float(second), bed=bed)
    found = {}
    for message in told(journal, every_s=0.0):
        parsed = hl7.parse(message)
        visit = str(parsed.segment("PV1"))
        [(device, _, _, value, *_)] = readings_told(message)
        found[device[:7], value] = str(parsed.segment("PID")[3]), visit.rpartition("|")[2].partition("^")[0]
    nobody, first = ("", "clinic"), ("P-1^^^clinic^PI", "s1")
    assert found == {
        ("chair-1", 5.0): nobody,
        ("chair-1", 15.0): first,
        ("chair-1", 25.0): nobody,
        ("chair-1", 35.0): nobody,
        ("chair-2", 5.0): nobody,
        ("chair-2", 15.0): nobody,
        ("chair-2", 25.0): first,
        ("chair-2", 35.0): ("P-2^^^clinic^PI", "s2"),
    }


async def test_all_that_is_told_of_one_alert_has_one_order_number(journal, monkeypatch) -> None:
    def alert(seconds: float, state: AlertState, rule: str = "spo2_low", **more) -> AlertEvent:
        made = AlertEvent("chair-1", rule, Kind.PHYSIOLOGICAL, Priority.HIGH, state, at(seconds), "SpO₂ 86 < 90")
        return made._replace(**{"vital": "spo2", "value": 86.0, "limit": 90.0, **more})

    part = alert(1, AlertState.ON, "part_of_something", priority=Priority.NONE)
    audio = AlertEvent(
        "chair-1", AUDIO, Kind.OTHER, Priority.NONE, AlertState.PAUSED, at(4), "audio paused", value=120.0
    )
    life = [
        alert(1, AlertState.ON),
        alert(2, AlertState.ACKNOWLEDGED, actor="Kim"),
        alert(3, AlertState.OFF),
        alert(5, AlertState.ON),
        alert(6, AlertState.LATCHED),
        # It comes again before anybody has seen that it was over.
        alert(7, AlertState.ON),
        alert(8, AlertState.OFF, value=97.0),
    ]
    for event in (part, *life[:3], audio, audio._replace(state=AlertState.ON, at=at(4.5)), *life[3:]):
        journal.record_alerts([event])
        await journal.committed(10)
    whole = told(journal)
    found = [(it["order"].split(".")[1:], it["phase"], it["limits"]) for it in alerts(whole)]
    first, second, paused = (
        ["spo2_low", f"{at(1)}^clinic"],
        ["spo2_low", f"{at(5)}^clinic"],
        ["audio", f"{at(4)}^clinic"],
    )
    assert found == [
        (first, "start", ">90"),
        (first, "continue", ">90"),
        (first, "end", ">90"),
        (paused, "start", ""),
        (paused, "end", ""),
        (second, "start", ">90"),
        (second, "continue", ">90"),
        (second, "continue", ">90"),
        (second, "end", ">90"),
    ]
    monkeypatch.setattr(backlog, "ROWS", 1)
    assert told(journal) == whole
    assert told(journal, alerts=False) == []


async def test_an_alert_says_itself_of_which_session_it_is(journal) -> None:
    opened = {"reference": "P-1", "planned_minutes": 40, "profile": "default"}
    journal.record_entries([entry(1, entries.Kind.OPENED, 10, opened)])
    low = AlertEvent("chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, at(20), "low")
    journal.record_alerts([low._replace(session="s1"), low._replace(at=at(21), rule="other")])
    await journal.committed(10)
    assert [str(hl7.parse(message).segment("PID")[3]) for message in told(journal)] == ["P-1^^^clinic^PI", ""]
