"""`infusion-monitor alerts`: what became of the alerts of a visit, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.clock import NS
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.storage.journal import Journal
from tests.monitor.program import call

START = 1_767_225_600 * NS
VISIT = "2026-01-01-chair-1"
FIRST = AlertEvent(
    *("chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.MEDIUM, AlertState.ON, START, "SpO₂ 86 < 90", "spo2", "ox"),
    *(86.0, 90.0, "spo2_low", Why.READING, "", VISIT),
)


def told(second: int, state: AlertState, why: Why, actor: str = "", **others: object) -> AlertEvent:
    return FIRST._replace(at=START + second * NS, state=state, why=why, actor=actor, **others)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    journal = Journal(tmp_path)
    journal.open()
    by_hand = {"rule": AUDIO, "kind": Kind.OTHER, "priority": Priority.NONE, "vital": "", "device": "", "limit": None}
    journal.record_alerts(
        [
            FIRST,
            told(60, AlertState.ON, Why.ESCALATED, priority=Priority.HIGH),
            told(61, AlertState.PAUSED, Why.OPERATOR, "Kim Möller", text="Audio paused", value=120.0, **by_hand),
            told(70, AlertState.ACKNOWLEDGED, Why.OPERATOR, "Kim Möller"),
            told(80, AlertState.LATCHED, Why.READING, text="SpO₂ 94: back inside 90"),
            # As journals have it that were written before.
            AlertEvent("", "sink", Kind.TECHNICAL, Priority.LOW, AlertState.OFF, START + 81 * NS, "InfluxDB answers"),
        ]
    )
    await journal.close()
    return tmp_path


def test_alerts_for_people_say_what_became_of_them_and_by_whom_or_why(folder: Path) -> None:
    assert call("alerts", "--data-dir", folder).stdout.splitlines() == [
        "2026-01-01T00:00:00.000000Z  chair-1  medium  on            SpO₂ 86 < 90  (reading)",
        "2026-01-01T00:01:00.000000Z  chair-1  high    on            SpO₂ 86 < 90  (escalated)",
        "2026-01-01T00:01:01.000000Z  chair-1  none    paused        Audio paused  by Kim Möller",
        "2026-01-01T00:01:10.000000Z  chair-1  medium  acknowledged  SpO₂ 86 < 90  by Kim Möller",
        "2026-01-01T00:01:20.000000Z  chair-1  medium  latched       SpO₂ 94: back inside 90  (reading)",
        "2026-01-01T00:01:21.000000Z  station  low     off           InfluxDB answers",
    ]


def test_alerts_for_programs_have_what_is_new_after_what_was_there_before(folder: Path) -> None:
    rows = [json.loads(line) for line in call("alerts", "--data-dir", folder, "--json").stdout.splitlines()]
    assert list(rows[0]) == [
        *("bed", "rule", "kind", "priority", "state", "at", "text", "vital", "device", "value", "limit"),
        *("group", "why", "actor", "session"),
    ]
    assert list(rows[3].values())[-4:] == ["spo2_low", "operator", "Kim Möller", VISIT]
    assert (rows[2]["kind"], rows[2]["state"], rows[2]["value"]) == ("other", "paused", 120.0)
    assert list(rows[5].values())[-4:] == ["", "", "", ""]
