"""What the engine says of what is missing, of devices, of the end of a session and after a restart."""

from __future__ import annotations

import pytest

from drivers.clock import NS
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, measured
from monitor.alerts.conditions import AlertState, Kind, Priority, Why
from monitor.alerts.engine import on_restart
from monitor.alerts.rules import (
    OverdueRule,
    ProbeOffRule,
    Profile,
    StaleRule,
)
from tests.monitor.alerts.bed import STALE, Run, limit


def test_a_vital_is_stale_only_after_it_was_measured() -> None:
    run = Run()
    assert run.tick(1000) == []
    run.read(1000, "spo2", 97)
    assert run.tick(1009) == []
    run.read(1009, "spo2", None, Cause.SENSOR_OFF)
    (stale,) = run.tick(1010)
    assert (stale.kind, stale.priority, stale.text) == (
        Kind.TECHNICAL,
        Priority.LOW,
        "SpO₂: no value for 10 s (sensor off)",
    )
    assert run.tick(1011) == []
    assert [change.state for change in run.read(1012, "spo2", 97)] == [AlertState.OFF]


def test_a_cuff_pressure_does_not_go_stale_within_seconds() -> None:
    run = Run()
    run.read(0, "nibp_sys", 120)
    assert run.tick(600) == []


@pytest.mark.parametrize("link", [LinkState.LOST, LinkState.SILENT, LinkState.UNDECODABLE, LinkState.REFUSED])
def test_a_lost_device_is_one_alert_and_not_one_for_each_vital(link: LinkState) -> None:
    run = Run()
    run.link(0, LinkState.RECEIVING)
    run.read(0, "spo2", 97)
    run.read(0, "heart_rate", 70)
    (lost,) = run.link(1, link)
    assert (lost.rule, lost.kind, lost.state) == ("device_lost_dev", Kind.TECHNICAL, AlertState.ON)
    assert run.tick(100) == []
    assert [change.state for change in run.link(101, LinkState.RECEIVING)] == [AlertState.OFF]


def test_one_kind_of_loss_after_another_is_still_one_alert() -> None:
    run = Run()
    run.link(0, LinkState.SILENT)
    run.link(1, LinkState.LOST)
    run.link(2, LinkState.REFUSED)
    assert run.story == [("device_lost_dev", "on")]


def test_the_end_of_a_capture_ends_its_alerts() -> None:
    run = Run()
    run.link(0, LinkState.RECEIVING)
    run.read(0, "heart_rate", 30)
    run.link(1, LinkState.ENDED)
    assert run.story == [("heart_rate_low", "on"), ("heart_rate_low", "off")]


def test_a_spot_check_does_not_go_stale() -> None:
    run = Run()
    run.reading(0, measured("spo2", 97, 0, 0)._replace(episodic=True))
    assert run.tick(600) == []


def test_the_end_of_a_capture_alerts_nobody() -> None:
    run = Run()
    run.link(0, LinkState.RECEIVING)
    run.read(0, "spo2", 97)
    run.link(1, LinkState.ENDED)
    assert run.tick(100) == []
    assert run.story == []


def test_another_patient_disarms() -> None:
    run = Run()
    run.read(0, "heart_rate", 70)
    run.phase(1, "baseline", "s1")
    assert run.read(2, "heart_rate", 30, Cause.ARTIFACT) == []


def test_a_cuff_reading_is_overdue_after_its_interval_and_two_minutes() -> None:
    run = Run(Profile("test", (OverdueRule("cuff_overdue", Priority.LOW, vital="nibp_sys", grace=120),)))
    run.phase(0, "infusion", cuff_every=300)
    assert run.tick(419) == []
    (alert,) = run.tick(420)
    assert (alert.kind, alert.text) == (Kind.TECHNICAL, "NIBP sys: no reading for 7 min")
    assert run.tick(421) == []
    assert run.read(430, "nibp_sys", 120, Cause.PROVISIONAL) == []
    assert [change.state for change in run.read(440, "nibp_sys", 120)] == [AlertState.OFF]
    assert run.tick(859) == []
    assert len(run.tick(860)) == 1
    assert [change.state for change in run.phase(900, "recovery", cuff_every=900)] == [AlertState.OFF]
    assert run.tick(1919) == []
    assert len(run.tick(1920)) == 1


def test_without_a_session_nothing_is_overdue() -> None:
    run = Run(Profile("test", (OverdueRule("cuff_overdue", vital="nibp_sys"),)))
    run.read(0, "nibp_sys", 120)
    assert run.tick(100_000) == []


def test_stale_is_more_urgent_while_the_infusion_runs() -> None:
    long = StaleRule("stale_long", Priority.MEDIUM, phases=frozenset({"infusion"}), after=30)
    run = Run(Profile("test", (STALE, long)))
    run.phase(0, "infusion")
    run.read(1, "spo2", 97)
    run.tick(11)
    run.tick(31)
    assert [(c.rule, c.priority, c.group) for c in run.changes] == [
        ("stale_spo2", Priority.LOW, "stale_spo2"),
        ("stale_long_spo2", Priority.MEDIUM, "stale_spo2"),
    ]
    assert [(c.rule, c.state) for c in run.phase(40, "recovery")] == [("stale_long_spo2", AlertState.OFF)]


PROBE = Profile("test", (ProbeOffRule("probe_off", Priority.LOW, after=5), STALE))


def test_a_probe_that_is_off_is_one_line_and_its_vitals_are_not_stale_as_well() -> None:
    run = Run(PROBE)
    for vital in ("spo2", "pulse_rate"):
        run.read(0, vital, 90)
    for vital in ("spo2", "pulse_rate"):
        run.read(1, vital, None, Cause.SENSOR_OFF)
    assert run.tick(5) == []
    (alert,) = run.tick(6)
    assert (alert.rule, alert.kind, alert.text) == ("probe_off_dev", Kind.TECHNICAL, "dev: sensor off the patient")
    assert run.tick(100) == []
    assert run.read(101, "spo2", 97) == [], "the pulse is still missing its sensor"
    assert [change.state for change in run.read(102, "pulse_rate", 70)] == [AlertState.OFF]


def test_a_probe_that_was_never_on_a_patient_is_no_alert() -> None:
    run = Run(PROBE)
    run.read(0, "spo2", None, Cause.SENSOR_OFF)
    assert run.tick(100) == []


def test_what_a_device_says_of_itself_is_passed_on() -> None:
    run = Run()
    (low,) = run.device(0, DeviceStatus("low_battery", True, "Battery low", 0))
    assert (low.rule, low.kind, low.priority) == ("low_battery_dev", Kind.TECHNICAL, Priority.LOW)
    (alarm,) = run.device(1, DeviceAlarm("hr", True, "HR HIGH", 0))
    assert (alarm.rule, alarm.kind, alarm.text) == ("device_alarm_dev_hr", Kind.PHYSIOLOGICAL, "dev: HR HIGH")
    assert run.device(2, DeviceAlarm("hr", True, "HR HIGH", 0)) == []
    assert [change.state for change in run.device(3, DeviceAlarm("hr", False, "HR HIGH", 0))] == [AlertState.OFF]


@pytest.mark.parametrize(("same_arm", "story"), [(True, ["held_back_stale_spo2"]), (False, ["stale_spo2"])])
def test_a_dropout_is_held_back_while_the_cuff_on_the_same_arm_measures(*, same_arm: bool, story: list[str]) -> None:
    run = Run(Profile("test", (STALE,), same_arm=same_arm))
    run.read(0, "spo2", 97)
    run.device(2, DeviceStatus("cuff_busy", True, "cuff: measuring", 0))
    run.tick(12)
    assert [change.rule for change in run.changes] == story
    run.tick(13)
    assert len(run.changes) == 1, "it is told once"


def test_what_is_held_back_is_recorded_and_comes_after_a_minute_at_most() -> None:
    run = Run(Profile("test", (STALE,), same_arm=True))
    run.read(0, "spo2", 97)
    run.device(2, DeviceStatus("cuff_busy", True, "cuff: measuring", 0))
    for t in range(3, 62):
        run.tick(t)
    assert run.story == [("held_back_stale_spo2", "on")]
    assert (run.changes[0].kind, run.changes[0].priority) == (Kind.OTHER, Priority.NONE)
    run.tick(62)
    assert run.story == [("held_back_stale_spo2", "on"), ("held_back_stale_spo2", "off"), ("stale_spo2", "on")]


def test_a_pulse_that_comes_back_after_the_cuff_is_never_told_as_missing() -> None:
    run = Run(Profile("test", (STALE,), same_arm=True))
    run.read(0, "spo2", 97)
    run.read(2, "nibp_sys", 130, Cause.PROVISIONAL)
    for t in range(3, 30):
        run.tick(t)
    run.read(30, "nibp_sys", 131)
    run.read(35, "spo2", 97)
    for t in range(36, 50):
        run.read(t, "spo2", 97)
        run.tick(t)
    assert run.story == [("held_back_stale_spo2", "on"), ("held_back_stale_spo2", "off")]


def test_a_low_value_is_never_held_back() -> None:
    run = Run(Profile("test", (limit("spo2", "low", 90),), same_arm=True))
    run.device(2, DeviceStatus("cuff_busy", True, "cuff: measuring", 0))
    assert len(run.read(3, "spo2", 80)) == 1


def test_the_end_of_a_session_ends_what_concerned_the_patient() -> None:
    run = Run()
    run.phase(0, "infusion")
    run.read(1, "heart_rate", 40)
    run.read(1, "spo2", 97)
    run.device(1, DeviceStatus("low_battery", True, "Battery low", 0))
    run.tick(12)
    assert {change.rule for change in run.changes} == {
        "heart_rate_low", "low_battery_dev", "stale_spo2", "stale_heart_rate",
    }  # fmt: skip
    ended = run.visit(20, None)
    assert {change.rule for change in ended} == {"heart_rate_low", "stale_spo2", "stale_heart_rate"}
    assert {change.why for change in ended} == {Why.SESSION}
    assert run.tick(1000) == [], "nobody is there: nothing is stale"


def restarted(run: Run, t: float) -> Run:
    """The same bed after a restart at `t`, from what stood."""
    again = Run(run.profile)
    again.visit(t, run.state.visit)
    again.state, changes = on_restart(again.state, list(run.state.on.values()), t, int(t * NS))
    again.changes += changes
    return again


def test_a_restart_neither_raises_again_nor_ends_what_stands() -> None:
    run = Run()
    run.read(0, "heart_rate", 40)
    again = restarted(run, 100)
    assert again.read(101, "heart_rate", 41) == []
    assert [change.state for change in again.read(102, "heart_rate", 60)] == [AlertState.OFF]


def test_a_restart_ends_what_no_rule_can_end_any_more() -> None:
    run = Run()
    run.read(0, "heart_rate", 40)
    again = Run(Profile("other", ()))
    again.state, changes = on_restart(again.state, list(run.state.on.values()), 100, 100 * NS)
    assert [(change.state, change.why) for change in changes] == [(AlertState.OFF, Why.RESTART)]


def test_after_a_restart_a_device_has_to_tell_again_what_it_said_of_itself() -> None:
    run = Run()
    run.device(0, DeviceStatus("low_battery", True, "Battery low", 0))
    told, silent = restarted(run, 100), restarted(run, 100)
    assert told.device(105, DeviceStatus("low_battery", True, "Battery low", 0)) == []
    assert told.tick(200) == []
    assert silent.tick(129) == []
    assert [change.state for change in silent.tick(130)] == [AlertState.OFF]


def test_a_device_that_is_still_lost_after_a_restart_is_not_told_again() -> None:
    run = Run()
    run.link(0, LinkState.LOST)
    again = restarted(run, 100)
    assert again.link(101, LinkState.LOST) == []
    assert again.tick(200) == []
    assert [change.state for change in again.link(201, LinkState.RECEIVING)] == [AlertState.OFF]


def test_a_restored_probe_off_ends_with_the_next_value() -> None:
    run = Run(PROBE)
    run.read(0, "spo2", 97)
    run.read(1, "spo2", None, Cause.SENSOR_OFF)
    run.tick(10)
    again = restarted(run, 100)
    assert [change.rule for change in again.read(101, "spo2", 97)] == ["probe_off_dev"]
