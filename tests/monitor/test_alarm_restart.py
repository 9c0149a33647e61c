"""What stands, and what was learned, outlasts a restart of the alarm system: with a real journal."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.events import Cause, DeviceStatus, LinkState, measured, missing
from monitor.alerts.conditions import AUDIO, AlertState, Priority, Why
from monitor.alerts.signals import Acknowledge, Pause
from monitor.storage.history import History
from monitor.storage.standing import standing
from tests.monitor.alarm_clinic import HALVES, Clinic, damage, in_infusion
from tests.monitor.program import Start, call, wait_for


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    clinic = await Clinic(tmp_path).start()
    yield clinic
    await clinic.journal.close()


async def test_what_stands_is_told_once_over_restarts(clinic: Clinic) -> None:
    await clinic.seconds(3, spo2=97, heart_rate=70)
    await clinic.seconds(7, spo2=88, heart_rate=70)
    assert clinic.on() == {"spo2_falls": "on", "spo2_low": "on"}
    clinic.alarms.board.operate("one", Acknowledge("anna", ("spo2_low",)))
    for _ in range(3):
        await clinic.restart()
        await clinic.seconds(2, spo2=87, heart_rate=70)
        assert [story for story in clinic.story if story[0] == "spo2_low"] == []
        assert clinic.on()["spo2_low"] == AlertState.ACKNOWLEDGED
    await clinic.seconds(1, spo2=95, heart_rate=70)
    await clinic.restart()
    assert clinic.recorded("spo2_low") == ["on", "acknowledged", "off"]


async def test_the_page_has_the_sessions_last_cuff_reading_again_with_its_age_and_nothing_else(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(1, nibp_sys=121, spo2=97)
    await clinic.restart(40)
    bed = clinic.hub.snapshot()["beds"][0]
    cuff = bed["vitals"]["nibp_sys"]
    assert (cuff["value"], cuff["age_s"], cuff["state"]) == (121, 40, "fresh")
    assert "spo2" not in bed["vitals"]


async def test_a_reading_of_an_earlier_phase_raises_nothing_silently_at_a_restart(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(1, nibp_sys=172)
    await clinic.phases("one", "baseline", "start")
    await clinic.restart()
    await clinic.seconds(1, nibp_sys=175)
    assert ("sys_high", "on") in clinic.story


async def test_a_restart_adds_nothing_to_the_baseline(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(1, nibp_sys=170)
    await clinic.seconds(1, nibp_sys=172)
    await clinic.phases("one", "baseline")
    await clinic.seconds(1, nibp_sys=120)
    await clinic.restart()
    assert dict(clinic.alarms.board.learned("one").baseline) == {"nibp_sys": (120.0,)}
    await clinic.phases("one", "start")
    await clinic.seconds(1, nibp_sys=150)
    assert ("sys_risen", "on") in clinic.story


async def test_the_cuff_readings_of_who_was_on_the_bed_before_are_not_this_patient_s(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("one", "baseline", "start")
    await clinic.seconds(1, "two", nibp_sys=172)
    await clinic.do("move", session="one", bed="two")
    await clinic.restart()
    await clinic.seconds(1, "two", nibp_sys=175)
    assert ("sys_high", "on") in clinic.story


async def test_a_vital_that_was_doubtful_for_long_still_alerts_after_a_restart(clinic: Clinic) -> None:
    async def doubtful(count: int, value: float) -> None:
        for _ in range(count):
            await clinic.clock.advance(1)
            at = clinic.clock.now_ns()
            clinic.give("one", "oxi", measured("spo2", value, at, at, (Cause.LOW_PERFUSION,)))
            clinic.alarms.tick([], {})

    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(3, spo2=97)
    await doubtful(70, 95)
    await clinic.restart()
    await doubtful(10, 80)
    assert ("spo2_low", "on") in clinic.story


async def test_what_was_imported_meanwhile_hides_no_vital_that_went_missing(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(3, spo2=97)
    await clinic.clock.advance(90)
    at = clinic.clock.now_ns()
    clinic.journal.record("one", "imported", [measured("spo2", 60.0, at - second * NS, at) for second in range(30)])
    await clinic.restart()
    for _ in range(15):
        await clinic.clock.advance(1)
        clinic.alarms.tick([], {})
    assert ("stale_spo2", "on") in clinic.story
    assert "spo2_low" not in clinic.on()


async def test_a_restart_ends_no_combination_of_what_is_only_its_part(clinic: Clinic) -> None:
    await clinic.seconds(2, spo2=97, heart_rate=70)
    await clinic.seconds(10, spo2=85, heart_rate=45)
    assert clinic.on()["slow_and_low"] == AlertState.ON
    await clinic.restart()
    await clinic.seconds(3, spo2=85, heart_rate=45)
    assert [story for story in clinic.story if story[0] == "slow_and_low"] == []


async def test_a_fall_goes_on_over_a_restart(clinic: Clinic) -> None:
    await clinic.seconds(20, spo2=97)
    await clinic.seconds(5, spo2=91)
    assert clinic.on() == {"spo2_falls": "on"}
    await clinic.restart()
    await clinic.seconds(5, spo2=91)
    assert clinic.on() == {"spo2_falls": "on"}


async def test_a_vital_that_lost_its_value_long_before_a_restart_is_over_in_another_phase(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(100, heart_rate=70)
    assert clinic.on()["stale_long_spo2"] == AlertState.ON
    await clinic.restart()
    await clinic.phases("one", "stop", "recovery")
    await clinic.seconds(5, spo2=97)
    assert "stale_long_spo2" not in clinic.on()


async def test_a_device_that_was_lost_is_not_also_stale_after_a_restart(clinic: Clinic) -> None:
    await clinic.seconds(3, spo2=97)
    clinic.alarms.board.link_changed("one", "oxi", LinkState.LOST, "", clinic.clock.now_ns())
    await clinic.seconds(15)
    assert clinic.on() == {"device_lost_oxi": "on"}
    await clinic.restart()
    await clinic.seconds(3)
    assert clinic.story == []


async def test_a_restart_itself_makes_nothing_stale(clinic: Clinic) -> None:
    await clinic.seconds(3, spo2=97)
    await clinic.restart(20)
    await clinic.seconds(1)
    await clinic.seconds(2, spo2=97)
    assert clinic.story == []


async def test_what_a_device_said_that_is_not_there_any_more_ends(clinic: Clinic) -> None:
    await clinic.seconds(3, spo2=97)
    for _ in range(20):
        await clinic.seconds(1)
        at = clinic.clock.now_ns()
        clinic.give("one", "oxi", missing("spo2", at, at, Cause.SENSOR_OFF))
    assert clinic.on() == {"probe_off_oxi": "on"}
    clinic.devices = ("oximeter",)
    await clinic.restart()
    await clinic.seconds(60, device="oximeter", spo2=97)
    assert clinic.on() == {}


async def test_the_clock_set_back_and_a_restart_keep_no_cuff_from_being_overdue(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    await clinic.seconds(1, spo2=97, nibp_sys=121)
    clinic.clock.jump(-7200)
    await clinic.seconds(1, spo2=97)
    await clinic.restart()
    for _ in range(40):
        await clinic.clock.advance(9)
        await clinic.seconds(1, spo2=97)
    assert ("cuff_overdue", "on") in clinic.story


async def test_a_clock_of_long_ago_does_not_have_the_whole_journal_read(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.seconds(3000, spo2=97)
    clinic.clock.jump(-86_400 * 400)
    rows = 0
    read = History.readings

    def counted(self: History, *args: object, **kwargs: object) -> object:
        nonlocal rows
        for row in read(self, *args, **kwargs):  # type: ignore[arg-type]  # passed on as they came
            rows += 1
            yield row

    monkeypatch.setattr(History, "readings", counted)
    await clinic.restart()
    assert rows < 1000


async def test_what_stood_in_a_session_that_is_over_is_not_carried_on(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal may have had a commit between the closing and what ended with it."""
    await in_infusion(clinic, 120)
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(8, spo2=85)
    clinic.alarms.board.operate("one", Pause("anna", AUDIO))
    assert clinic.on()["spo2_low"] == AlertState.ON
    await clinic.phases("one", "stop", "recovery")
    monkeypatch.setattr(clinic.journal, "record_alerts", lambda _events: None)  # the power goes here
    await clinic.do("close", session="one", reason="done")
    await clinic.restart()
    assert "spo2_low" not in clinic.on()


async def test_what_was_held_back_is_over_after_a_restart(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.same_arm = True
    await clinic.start()
    await clinic.seconds(3, spo2=97)
    at = clinic.clock.now_ns()
    clinic.alarms.board.receive("one", "oxi", [DeviceStatus("cuff_busy", True, "cuff: measuring", at)])
    await clinic.seconds(15)
    assert clinic.recorded("held_back_stale_spo2") in ([], ["on"])
    await clinic.restart()
    await clinic.seconds(3, spo2=97)
    await clinic.journal.close()
    assert [one.event.rule for one in standing(tmp_path) if one.event.rule.startswith("held_back")] == []
    assert clinic.recorded("held_back_stale_spo2") == ["on", "off"]


async def test_a_rule_and_a_bed_that_are_renamed_leave_nothing_standing(tmp_path: Path) -> None:
    clinic = await Clinic(tmp_path).start()
    for bed in ("one", "two"):
        await clinic.seconds(3, bed, spo2=97)
        await clinic.seconds(7, bed, spo2=88)
    clinic.alarms.board.operate("two", Pause("anna", AUDIO))
    assert clinic.on("two")["spo2_low"] == AlertState.ON
    rules = dict(HALVES["rules"])
    rules["oxygen_low"] = rules.pop("spo2_low")
    rules["slow_and_low"] = {"all": ["oxygen_low", "hr_low"], "priority": "high"}
    clinic.profile = {"profile": "halves", "rules": rules}
    clinic.beds = ("one", "three")
    await clinic.restart()
    assert {(event.bed, event.rule, event.state) for event in clinic.told} >= {
        ("one", "spo2_low", AlertState.LATCHED),
        ("two", "spo2_low", AlertState.OFF),
        ("two", AUDIO, AlertState.ON),
    }
    await clinic.seconds(7, spo2=88)
    assert clinic.on()["oxygen_low"] == AlertState.ON
    clinic.alarms.board.operate("one", Acknowledge("anna"))
    await clinic.seconds(1, spo2=97)
    await clinic.restart()
    await clinic.journal.close()
    assert [one.event.rule for one in standing(tmp_path) if one.event.bed] == []


async def test_a_new_journal_begins_with_what_stands_and_a_restart_takes_it_up(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_infusion(clinic, 120)
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(8, spo2=85)
    clinic.alarms.board.operate("one", Acknowledge("anna", ("spo2_low",)))
    clinic.alarms.board.operate("one", Pause("anna", AUDIO))
    before = clinic.on()
    session = clinic.desk.on_bed("one")
    assert session is not None
    await clinic.committed()
    damage(clinic.journal, monkeypatch)
    await clinic.seconds(1, spo2=85)
    await clinic.restart()
    assert clinic.journal.damaged
    assert clinic.on() == before
    assert clinic.alarms.board.signals_of("one").audio.state is AlertState.PAUSED
    assert {one.event.session for one in standing(clinic.folder) if one.event.bed} == {session.id}


async def test_why_and_priority_of_what_a_restart_ends(clinic: Clinic) -> None:
    clinic.alarms.board.receive("one", "oxi", [DeviceStatus("low_battery", True, "low", clinic.clock.now_ns())])
    await clinic.restart()
    await clinic.seconds(31)
    assert [(event.rule, event.state, event.priority, event.why) for event in clinic.told] == [
        ("low_battery_oxi", AlertState.OFF, Priority.LOW, Why.RESTART)
    ]


SITE = """
site: clinic
beds:
  - id: chair-1
    simulated_patient: {scenario: infusion, seed: 1}
    devices:
      - {id: oximeter, driver: nonin, url: simulated, options: {format: 2}}
  - id: chair-2
    simulated_patient: {scenario: desaturation, seed: 2}
    devices:
      - {id: monitor, driver: ivy450c, url: simulated}
alerts: {profile: quick, profiles: [quick.yaml]}
"""
QUICK = """
profile: quick
extends: adult_infusion
rules:
  spo2_low: {below: 100, hysteresis: 0, for: 0, bounds: null}
  spo2_very_low: {below: 100, hysteresis: 0, for: 2, bounds: null}
  stale: null
"""


def told_of(data: Path) -> dict[tuple[str, str], list[str]]:
    """Of each alert of a bed all that was told of it, without reminders."""
    told: dict[tuple[str, str], list[str]] = {}
    for event in History(data).alerts():
        if event.bed and event.why not in {Why.REMINDER, Why.ESCALATED}:
            told.setdefault((event.bed, event.rule), []).append(event.state)
    return told


def test_a_station_that_is_killed_again_and_again_tells_each_alert_once(tmp_path: Path, start_station: Start) -> None:
    data = tmp_path / "data"
    (tmp_path / "quick.yaml").write_text(QUICK)
    (tmp_path / "site.yaml").write_text(SITE)
    station = start_station(data, "--config", tmp_path / "site.yaml")
    opened = call("session", "open", "chair-2", "--reference", "P-1", "--by", "anna", "--data-dir", data)
    assert opened.returncode == 0, opened.stderr
    low, very_low = ("chair-2", "spo2_low"), ("chair-2", "spo2_very_low")
    wait_for(lambda: told_of(data).get(low, [])[-1:] == ["on"])
    acknowledged = call("alert", "acknowledge", "chair-2", "spo2_low", "--by", "anna", "--data-dir", data)
    assert acknowledged.returncode == 0, acknowledged.stderr
    wait_for(lambda: told_of(data).get(very_low, [])[-1:] == ["on"])
    for _ in range(2):
        before = told_of(data)
        station.stop(signal.SIGKILL)
        station = start_station(data, "--config", tmp_path / "site.yaml")
        count = len(list(History(data).readings()))
        wait_for(lambda count=count: len(list(History(data).readings())) > count + 20)
        told = told_of(data)
        assert {key: told[key] for key in (low, very_low)} == {key: before[key] for key in (low, very_low)}
    assert told[low][-2:] == ["on", "acknowledged"]
    assert [one.event.actor for one in standing(data) if (one.event.bed, one.event.rule) == low] == ["anna"]
    code, said = station.stop()
    assert code == 0, said
    printed = call("alerts", "--json", "--data-dir", data).stdout.splitlines()
    assert len(printed) == len(list(History(data).alerts()))
    for key, states in told_of(data).items():
        for one, next_ in pairwise(states):
            assert (one, next_) in FOLLOWS, (key, states)


FOLLOWS = {
    ("on", "acknowledged"),
    ("on", "latched"),
    ("on", "off"),
    ("latched", "on"),
    ("latched", "off"),
    ("acknowledged", "off"),
    ("off", "on"),
}


async def test_a_new_journal_has_each_change_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(8, spo2=85)
    await clinic.committed()
    damage(clinic.journal, monkeypatch)
    await clinic.seconds(2, spo2=85, heart_rate=45)
    await clinic.committed()
    assert clinic.recorded("slow_and_low") == ["on"]
    assert clinic.recorded("spo2_low") == ["on"]
