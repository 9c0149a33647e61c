"""What the page of a chair asks of a bed, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import NS, iso
from drivers.events import Cause, Reading, Validity, Waveform, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.storage.journal import Journal
from tests.monitor.alarm_clinic import refuse
from tests.monitor.web.served import Served, served


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as clinic:
        yield clinic


def hide(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who reads finds the journal any more."""
    monkeypatch.setattr("monitor.storage.history.JOURNAL_FILE", "elsewhere.db")
    monkeypatch.setattr("monitor.storage.bed_sessions.JOURNAL_FILE", "elsewhere.db")
    assert journal.health.error is None


async def test_a_bed_without_a_session_says_what_one_could_be_opened_with(clinic: Served) -> None:
    told = await clinic.get("/api/beds/one")
    assert (told["bed"], told["session"], told["journal_read"]) == ({"id": "one", "label": "Chair 1"}, None, True)
    offer = told["offer"]
    assert (offer["planned_minutes"], offer["profile"], offer["profiles"]) == (40, "adult_infusion", ["adult_infusion"])
    assert {"id": "nausea", "text": "Nausea"} in offer["events"]
    assert next(it for it in offer["scales"] if it["id"] == "cadss")["highest"] == 92
    assert offer["pause"] == {"seconds": 120.0, "longest": 300.0, "may_switch_off": False}
    low = {it["rule"]: it for it in told["limits"]}["spo2_low"]
    assert (low["vital"], low["label"], low["unit"], low["side"]) == ("spo2", "SpO₂", "%", "low")
    assert not low["set_for_session"]


async def test_a_session_is_told_with_what_was_measured_and_the_limits_that_were_set_for_it(clinic: Served) -> None:
    session = await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("baseline")
    await clinic.seconds(3, spo2=97, nibp_sys=118)
    await clinic.do("note", session="one", text="<b>calm</b>")
    before = {it["rule"]: it for it in (await clinic.get("/api/beds/one"))["limits"]}
    bounds = before["spo2_low"]["bounds"]
    await clinic.do("limit", session="one", rule="spo2_low", limit=bounds[0], reason="known")
    await clinic.committed()
    told = await clinic.get("/api/beds/one")
    shown = told["session"]
    assert (shown["session"], shown["reference"], shown["state"]) == (session, "P-1", "baseline")
    assert "start" in shown["possible"]
    assert shown["baseline"]["nibp_sys"]["median"] == 118
    assert [it["text"] for it in shown["entries"] if it["kind"] == "note"] == ["<b>calm</b>"]
    assert {it["item"] for it in shown["checklist"]} >= {"identity", "consent"}
    limit = {it["rule"]: it for it in told["limits"]}["spo2_low"]
    assert (limit["limit"], limit["set_for_session"]) == (bounds[0], True)
    assert (await clinic.get("/api/beds/two"))["session"] is None


async def test_a_bed_that_is_not_there_is_not_found_and_who_is_not_known_does_not_learn_even_that(
    clinic: Served,
) -> None:
    for path in ("", "/trends", "/pleth", "/alerts", "/trends?width=nonsense"):
        for bed in ("one", "three"):
            answer = await clinic.client.get(f"/api/beds/{bed}{path}", headers={"Authorization": "Bearer wrong"})
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        if "?" not in path:
            assert await clinic.refused(f"/api/beds/three{path}") == (404, "not_found")


async def test_trends_are_of_the_session_or_of_half_an_hour_and_of_what_is_asked_for(clinic: Served) -> None:
    clinic.read(ago=3600, spo2=91)
    await clinic.seconds(1, spo2=95)
    await clinic.clock.advance(1)
    await clinic.committed()
    told = await clinic.get("/api/beds/one/trends")
    assert told["vitals"]["spo2"]["low"] == [95]
    assert (told["step_s"], told["journal_read"], told["phases"]) == (3, True, [])
    opened = clinic.clock.now_ns()
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(3, spo2=97)
    await clinic.committed()
    told = await clinic.get("/api/beds/one/trends")
    assert (told["since"], told["until"]) == (iso(opened), iso(clinic.clock.now_ns()))
    assert told["vitals"]["spo2"]["low"] == [97, 97]
    assert told["phases"] == [
        {
            "session": told["phases"][0]["session"],
            "phase": "check_in",
            "state": "check_in",
            "since": iso(opened),
            "until": None,
        }
    ]
    early = await clinic.get("/api/beds/one/trends", since=iso(opened - 3700 * NS), until=iso(opened - 100 * NS))
    assert early["vitals"]["spo2"]["low"] == [91]


async def test_a_session_of_more_than_a_day_is_shown_as_its_last_day(clinic: Served) -> None:
    await clinic.do("open", bed="one", reference="P-1", at=iso(clinic.clock.now_ns() - 100_000 * NS))
    told = await clinic.get("/api/beds/one/trends")
    assert told["since"] == iso(clinic.clock.now_ns() - 86_400 * NS)


NOW = "2026-01-01T00:00:00Z"
NONSENSE: tuple[dict[str, object], ...] = (
    {"since": "yesterday"},
    {"since": "2026-01-01"},
    {"since": "2026-01-01T00:00:00"},
    {"since": NOW, "until": NOW},
    {"since": "2025-12-30T23:00:00Z", "until": NOW},
    {"until": "1960-01-01T00:00:00Z"},
    {"since": "9999-12-31T23:59:59-23:59"},
    {"since": "0001-01-01T00:00:00+23:59"},
    {"width": 99},
    {"width": 4001},
    {"width": "wide"},
)


async def test_a_span_that_is_none_is_refused(clinic: Served) -> None:
    for query in NONSENSE:
        assert await clinic.refused("/api/beds/one/trends", **query) == (422, "invalid"), query


async def test_what_waits_for_a_disk_that_refuses_is_in_the_chart(
    clinic: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.seconds(2, spo2=97)
    await clinic.committed()
    take_again = refuse(clinic.station.journal, monkeypatch)
    await clinic.seconds(2, spo2=90)
    while clinic.station.journal.health.error is None:
        await clinic.clock.advance(0)
    await clinic.clock.advance(1)
    told = await clinic.get("/api/beds/one/trends")
    assert (told["vitals"]["spo2"]["low"], told["journal_read"]) == ([97, 97, 90, 90], True)
    take_again()
    await clinic.committed()
    assert (await clinic.get("/api/beds/one/trends"))["vitals"]["spo2"]["low"] == [97, 97, 90, 90]


async def test_without_a_journal_there_is_what_memory_has_and_it_says_so(
    clinic: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("baseline")
    await clinic.seconds(2, spo2=97)
    await clinic.clock.advance(1)
    hide(clinic.station.journal, monkeypatch)
    chart = await clinic.get("/api/beds/one/trends")
    assert (chart["journal_read"], chart["vitals"]["spo2"]["low"]) == (False, [97, 97])
    assert [it["phase"] for it in chart["phases"]] == ["check_in", "baseline"]
    told = await clinic.get("/api/beds/one")
    assert (told["journal_read"], told["session"]["state"]) == (False, "baseline")
    assert told["session"]["baseline"]["spo2"]["median"] is None
    assert await clinic.refused("/api/beds/one/alerts") == (503, "unavailable")


async def test_phases_are_of_all_sessions_that_were_there_as_long_as_they_were(clinic: Served) -> None:
    start = clinic.clock.now_ns()
    first = await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("baseline", "start", pause=10)
    await clinic.clock.advance(10)
    await clinic.do("move", session="one", bed="two")
    await clinic.phases("pause", "stop", session="two", pause=10)
    await clinic.clock.advance(10)
    await clinic.do("close", session="two", reason="done")
    await clinic.clock.advance(10)
    second = await clinic.do("open", bed="one", reference="P-2")
    await clinic.clock.advance(10)
    await clinic.committed()

    async def told(bed: str, since: int = 0, until: int = 80) -> list[tuple[str, str, int, int | None]]:
        def second_of(text: str | None) -> int | None:
            return None if text is None else round(datetime.fromisoformat(text).timestamp()) - start // NS

        span = {"since": iso(start + since * NS), "until": iso(start + until * NS)}
        phases = (await clinic.get(f"/api/beds/{bed}/trends", **span))["phases"]
        return [(it["session"], it["state"], second_of(it["since"]) or 0, second_of(it["until"])) for it in phases]

    assert await told("one") == [
        (first, "check_in", 0, 10),
        (first, "baseline", 10, 20),
        (first, "running", 20, 30),
        (second, "check_in", 70, None),
    ]
    # Of what was there at any time of the span all is told, also where nothing was entered meanwhile.
    assert [it[0] for it in await told("one", 21, 29)] == [first] * 3
    assert await told("one", 31, 69) == []
    assert await told("two") == [(first, "running", 30, 40), (first, "paused", 40, 50), (first, "stopped", 50, 60)]


def clinic_ns(text: str) -> int:
    from datetime import datetime

    from monitor.web.asking import Since  # noqa: F401

    return round(datetime.fromisoformat(text).timestamp()) * NS


async def test_the_newest_seconds_of_the_pleth_come_in_runs_after_the_one_that_was_had(clinic: Served) -> None:
    begun = []
    for _ in range(12):
        await clinic.clock.advance(1)
        now = clinic.clock.now_ns()
        begun.append(now / NS)
        clinic.give(Waveform("pleth", tuple(range(75)), 75.0, now, now))
    told = await clinic.get("/api/beds/one/pleth")
    assert (told["name"], told["rate"]) == ("pleth", 75)
    assert [run["begins_at"] for run in told["runs"]] == begun[1:]
    assert told["runs"][0]["samples"] == list(range(75))
    after = await clinic.get("/api/beds/one/pleth", after=repr(begun[-3]))
    assert [run["begins_at"] for run in after["runs"]] == begun[-2:]
    assert await clinic.get("/api/beds/two/pleth") == {"name": "pleth", "rate": None, "runs": []}
    for nonsense in ("nan", "inf", "-1", "x"):
        assert await clinic.refused("/api/beds/one/pleth", after=nonsense) == (422, "invalid")


async def test_alerts_are_told_the_newest_first_and_of_that_bed(clinic: Served) -> None:
    await clinic.seconds(40, spo2=80)
    await clinic.seconds(40, "two", spo2=97)
    await clinic.committed()
    told = await clinic.get("/api/beds/one/alerts")
    assert not told["more"]
    assert {it["bed"] for it in told["alerts"]} == {"one"}
    assert any(it["rule"] == "spo2_low" and it["state"] == "on" for it in told["alerts"])
    times = [it["at"] for it in told["alerts"]]
    assert times == sorted(times, reverse=True)
    assert (await clinic.get("/api/beds/one/alerts", since=iso(clinic.clock.now_ns())))["alerts"] == []


async def test_of_many_alerts_over_years_there_are_the_newest_five_hundred(clinic: Served) -> None:
    now = clinic.clock.now_ns()
    hour = 3600 * NS
    await clinic.clock.advance(1)
    events = [
        AlertEvent("one", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, now - it * 17 * hour, str(it))
        for it in range(600)
    ]
    clinic.station.journal.record_alerts(events[::-1])
    await clinic.committed()
    told = await clinic.get("/api/beds/one/alerts", since="2020-01-01T00:00:00Z")
    # Among them is that nobody answers at the device's address.
    assert (len(told["alerts"]), told["more"]) == (500, True)
    assert numbers_of(told) == list(range(499))
    told = await clinic.get("/api/beds/one/alerts", since=iso(now - 100 * 17 * hour))
    assert (numbers_of(told), told["more"]) == (list(range(101)), False)


def numbers_of(told: dict[str, Any]) -> list[int]:
    return [int(it["text"]) for it in told["alerts"] if it["rule"] == "spo2_low"]


async def test_what_is_invalid_is_no_number_and_is_counted(clinic: Served) -> None:
    now = clinic.clock.now_ns()
    clinic.give(
        missing("spo2", now, now, Cause.SENSOR_OFF),
        Reading("pulse_rate", 60.0, Validity.QUESTIONABLE, now, now, Cause.ARTIFACT),
    )
    await clinic.clock.advance(1)
    await clinic.committed()
    vitals = (await clinic.get("/api/beds/one/trends"))["vitals"]
    assert (vitals["spo2"]["low"], vitals["spo2"]["invalid"]) == ([None], [1])
    assert (vitals["pulse_rate"]["low"], vitals["pulse_rate"]["questionable"]) == ([60], [1])
