"""When an alert of a value comes on and goes off: the rules of the engine, one by one and as properties."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Cause, Reading, Validity
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.in_force import Visit
from monitor.alerts.rules import (
    CombinedRule,
    Profile,
    RateRule,
    Threshold,
)
from tests.monitor.alerts.bed import Run, limit


def test_a_limit_without_delay_alerts_with_the_very_reading() -> None:
    (alert,) = Run().read(10, "heart_rate", 49)
    assert alert == AlertEvent(
        "bed", "heart_rate_low", Kind.PHYSIOLOGICAL, Priority.MEDIUM, AlertState.ON, 10 * NS,
        "HR 49 < 50", "heart_rate", "dev", 49, 50, "heart_rate_low", Why.READING,
    )  # fmt: skip


def test_the_limit_itself_is_inside() -> None:
    run = Run()
    assert run.read(0, "heart_rate", 50) == []
    assert run.read(1, "heart_rate", 120) == []


def test_a_delay_must_be_held_without_a_break() -> None:
    run = Run()
    for t in range(5):
        assert run.read(t, "spo2", 85) == []
    assert run.read(4.5, "spo2", 91) == []
    for t in range(5, 10):
        assert run.read(t, "spo2", 85) == []
    assert [change.state for change in run.read(10, "spo2", 85)] == [AlertState.ON]


def test_hysteresis_keeps_it_on_until_the_value_is_well_inside() -> None:
    run = Run()
    run.read(0, "heart_rate", 121)
    assert run.read(1, "heart_rate", 118) == []
    assert [change.state for change in run.read(2, "heart_rate", 117)] == [AlertState.OFF]


def test_an_invalid_reading_neither_raises_nor_clears() -> None:
    run = Run()
    run.read(0, "heart_rate", 40)
    assert run.read(1, "heart_rate", None, Cause.SENSOR_OFF) == []
    assert "heart_rate_low" in run.state.on


def test_a_questionable_value_counts() -> None:
    run = Run()
    run.read(0, "heart_rate", 70)
    assert len(run.read(1, "heart_rate", 40, Cause.ARTIFACT)) == 1


def test_a_provisional_systolic_never_alerts() -> None:
    run = Run()
    assert run.read(0, "nibp_sys", 190, Cause.PROVISIONAL) == []
    assert len(run.read(10, "nibp_sys", 190)) == 1


def test_a_gap_keeps_a_standing_alert_and_a_pending_one() -> None:
    run = Run()
    for t in range(6):
        run.read(t, "spo2", 80)
    assert run.story == [("spo2_low", "on")]
    run.tick(100)
    run.read(120, "spo2", 80)
    assert run.story == [("spo2_low", "on"), ("stale_spo2", "on"), ("stale_spo2", "off")]

    pending = Run()
    pending.read(0, "spo2", 80)
    pending.read(60, "spo2", 80)
    assert pending.story == [("spo2_low", "on")]


@given(st.floats(0.1, 600))
def test_a_value_that_is_always_outside_alerts_however_seldom_it_comes(pause: float) -> None:
    run = Run()
    for number in range(52):
        run.read(number * pause, "spo2", 80)
        run.tick(number * pause)
    assert "spo2_low" in run.state.on


def test_a_backlog_is_recorded_and_alerts_nobody() -> None:
    run = Run()
    assert run.read(3600, "heart_rate", 30, age=3000) == []
    assert run.read(3601, "nibp_sys", 190, age=3000) == []
    assert len(run.read(3602, "nibp_sys", 190, age=120)) == 1


values = st.one_of(st.none(), st.integers(20, 220).map(float))
steps = st.lists(st.tuples(st.floats(0.1, 30), st.sampled_from(["spo2", "heart_rate"]), values), max_size=60)


@given(steps)
def test_on_and_off_alternate_and_the_state_knows_which_stand(sequence: list[tuple[float, str, float | None]]) -> None:
    run, t = Run(), 0.0
    for wait, vital, value in sequence:
        t += wait
        run.tick(t)
        run.read(t, vital, value)
    by_rule: dict[str, list[str]] = {}
    for rule, state in run.story:
        by_rule.setdefault(rule, []).append(state)
    for rule, states in by_rule.items():
        assert states == ["on", "off"] * (len(states) // 2) + ["on"] * (len(states) % 2)
        assert (rule in run.state.on) == (states[-1] == "on")


@given(steps)
def test_an_alert_is_only_for_a_condition_that_held_its_whole_delay(
    sequence: list[tuple[float, str, float | None]],
) -> None:
    run, t, outside_since = Run(), 0.0, None
    for wait, vital, value in sequence:
        t += wait
        changes = run.read(t, vital, value)
        if vital != "spo2" or value is None:
            continue
        if value >= 90:
            outside_since = None
        elif outside_since is None:
            outside_since = t
        for change in changes:
            if (change.rule, change.state) == ("spo2_low", AlertState.ON):
                assert outside_since is not None
                assert t - outside_since >= 5


@given(steps)
def test_the_state_of_before_is_never_changed(sequence: list[tuple[float, str, float | None]]) -> None:
    run, t = Run(), 0.0
    for wait, vital, value in sequence:
        t += wait
        before = run.state
        copy = deepcopy(before)
        run.read(t, vital, value)
        assert before == copy


def test_a_reading_that_lies_about_its_validity_is_still_no_value() -> None:
    assert Run().reading(0, Reading("heart_rate", None, Validity.INVALID, 0, 0, "no_data")) == []


def test_a_questionable_value_may_be_left_out_of_one_rule() -> None:
    careful = limit("spo2", "low", 90, id="careful", questionable=False)
    run = Run(Profile("test", (careful, limit("spo2", "low", 90, id="plain"))))
    run.read(0, "spo2", 97)
    run.read(1, "spo2", 80, Cause.LOW_PERFUSION)
    assert run.story == [("plain", "on")]
    run.read(2, "spo2", 95, Cause.LOW_PERFUSION)
    run.read(3, "spo2", 80)
    assert run.story == [("plain", "on"), ("plain", "off"), ("careful", "on"), ("plain", "on")]


def test_a_vital_alerts_only_once_it_was_validly_measured() -> None:
    run = Run()
    assert run.read(0, "heart_rate", 30, Cause.ARTIFACT) == []
    assert run.read(1, "heart_rate", 30, Cause.ARTIFACT) == []
    assert len(run.read(2, "heart_rate", 30)) == 1


def test_several_priorities_on_one_side_are_one_group() -> None:
    rules = (
        limit("spo2", "low", 92, id="spo2_lowish", priority=Priority.LOW),
        limit("spo2", "low", 85, id="spo2_very_low", priority=Priority.HIGH),
    )
    run = Run(Profile("test", rules))
    run.read(0, "spo2", 97)
    run.read(1, "spo2", 91)
    run.read(2, "spo2", 84)
    assert [(change.rule, change.priority, change.group) for change in run.changes] == [
        ("spo2_lowish", Priority.LOW, "spo2_low"),
        ("spo2_very_low", Priority.HIGH, "spo2_low"),
    ]


@pytest.mark.parametrize(
    ("values", "comes_on_with"),
    [([190, 190], 1), ([190, 120, 190], None), ([120, 190, 191, 120], 2), ([190], None)],
)
def test_a_cuff_pressure_is_confirmed_by_the_next_reading(values: list[int], comes_on_with: int | None) -> None:
    run = Run(Profile("test", (limit("nibp_sys", "high", 180, readings=2, of=2),)))
    came = [number for number, value in enumerate(values) if run.read(number * 300, "nibp_sys", value)]
    assert came[:1] == ([] if comes_on_with is None else [comes_on_with])


def test_two_of_three_readings() -> None:
    run = Run(Profile("test", (limit("nibp_sys", "high", 180, readings=2, of=3),)))
    for t, value in enumerate([190, 120, 190]):
        changes = run.read(t, "nibp_sys", value)
    assert [change.rule for change in changes] == ["nibp_sys_high"]
    assert [change.state for change in run.read(3, "nibp_sys", 120)] == [AlertState.OFF]
    assert [change.state for change in run.read(4, "nibp_sys", 190)] == [AlertState.ON], "190 - 120 - 190"


def test_a_provisional_systolic_confirms_nothing() -> None:
    run = Run(Profile("test", (limit("nibp_sys", "low", 90, readings=2, of=2),)))
    run.read(0, "nibp_sys", 88)
    assert run.read(290, "nibp_sys", 80, Cause.PROVISIONAL) == []
    assert run.read(300, "nibp_sys", 95) == []


def test_a_gap_may_begin_a_delay_anew() -> None:
    run = Run(Profile("test", (limit("spo2", "low", 90, delay=10, gap=30),)))
    run.read(0, "spo2", 80)
    assert run.read(31, "spo2", 80) == []
    assert len(run.read(41, "spo2", 80)) == 1


def test_a_gap_never_ends_what_stands() -> None:
    run = Run(Profile("test", (limit("spo2", "low", 90, gap=30),)))
    run.read(0, "spo2", 80)
    for t in range(100, 1000, 100):
        assert run.read(t, "spo2", 80) == []


BY_PHASE = limit(
    "nibp_sys", "high", 0, by_phase={"baseline": Threshold(140), "infusion": Threshold(percent=20)}, hysteresis=5
)


def test_limits_differ_by_phase_and_are_relative_to_the_baseline() -> None:
    run = Run(Profile("test", (BY_PHASE,)))
    assert run.read(0, "nibp_sys", 200) == [], "no session: the rule has no limit"
    run.phase(1, "baseline")
    for t, value in ((10, 118), (310, 122), (400, 139)):
        assert run.read(t, "nibp_sys", value) == []
    run.phase(500, "infusion")
    assert run.state.baseline == {"nibp_sys": 122}
    assert run.read(600, "nibp_sys", 146) == []
    (alert,) = run.read(900, "nibp_sys", 147)
    assert alert.limit == pytest.approx(146.4)
    (ended,) = run.phase(1000, "recovery")
    assert (ended.state, ended.why) == (AlertState.OFF, Why.SESSION)


def test_a_standing_alert_stands_when_the_next_phase_judges_it_too() -> None:
    run = Run(Profile("test", (BY_PHASE,)))
    run.phase(1, "baseline")
    run.read(10, "nibp_sys", 141)
    run.read(20, "nibp_sys", 141)
    assert run.phase(30, "infusion") == []
    (ended,) = run.read(40, "nibp_sys", 150)
    assert (ended.state, ended.text) == (AlertState.OFF, "NIBP sys 150: back inside 169.2")


def test_without_a_baseline_a_relative_limit_judges_nothing() -> None:
    run = Run(Profile("test", (BY_PHASE,)))
    run.phase(1, "infusion")
    assert run.read(10, "nibp_sys", 300) == []


def test_a_baseline_that_was_measured_before_a_restart_or_a_move_counts() -> None:
    run = Run(Profile("test", (BY_PHASE,)))
    run.visit(1, Visit("s1", "infusion", 0, None, {"nibp_sys": (100.0, 110.0)}))
    assert len(run.read(10, "nibp_sys", 127)) == 1


def test_a_rule_may_begin_so_long_after_its_phase() -> None:
    run = Run(Profile("test", (limit("nibp_sys", "high", 140, phases=frozenset({"recovery"}), phase_since=3600),)))
    run.phase(0, "recovery")
    run.read(3590, "nibp_sys", 150)
    run.tick(3599)
    assert run.read(3600, "nibp_sys", 150) == []
    run.tick(3600)
    assert len(run.read(3601, "nibp_sys", 150)) == 1


def test_a_fast_fall_alerts_and_a_slow_one_does_not() -> None:
    rule = RateRule("spo2_falls", Priority.HIGH, vital="spo2", side="low", change=6, within=30, hysteresis=1)
    run = Run(Profile("test", (rule,)))
    for t in range(60):
        assert run.read(t, "spo2", 98 - t / 10) == []
    (alert,) = run.read(60, "spo2", 88)
    assert (alert.value, alert.limit, alert.text) == (88, 6, "SpO₂ 88: fell by 6 % or more within 30 s")
    assert run.read(61, "spo2", 89.8) == [], "5.1 % below the highest of half a minute: not yet less than 6 - 1"
    assert [change.state for change in run.read(62, "spo2", 90)] == [AlertState.OFF]


def test_a_combination_holds_while_its_members_do() -> None:
    rules = (
        limit("spo2", "low", 90, priority=Priority.NONE),
        limit("heart_rate", "low", 50, priority=Priority.NONE),
        CombinedRule("both", Priority.HIGH, members=("spo2_low", "heart_rate_low")),
        CombinedRule("any", Priority.LOW, members=("spo2_low", "heart_rate_low"), every=False, delay=10),
    )
    run = Run(Profile("test", rules))
    run.read(0, "spo2", 80)
    assert [change.rule for change in run.read(5, "heart_rate", 40)] == ["heart_rate_low", "both"]
    assert run.tick(9) == []
    assert [change.rule for change in run.tick(10)] == ["any"]
    assert [(c.rule, c.state) for c in run.read(11, "spo2", 95)] == [
        ("spo2_low", AlertState.OFF),
        ("both", AlertState.OFF),
    ]
    assert [change.rule for change in run.read(12, "heart_rate", 60)] == ["heart_rate_low", "any"]


@given(steps)
def test_what_is_passed_over_as_quiet_changes_no_alert(sequence: list[tuple[float, str, float | None]]) -> None:
    """The short way of a reading that is inside every limit gives what the long way gives."""
    short, long, t = Run(), Run(), 0.0
    for wait, vital, value in sequence:
        t += wait
        for run in (short, long):
            run.tick(t)
            run.read(t, vital, value)
        long.state = long.state._replace(quiet={})
    assert short.changes == long.changes


def test_a_combination_that_begins_to_apply_by_time_alone_looks_at_what_is_on() -> None:
    rules = (
        limit("spo2", "low", 90),
        CombinedRule("late", Priority.HIGH, frozenset({"recovery"}), 600, members=("spo2_low",)),
    )
    run = Run(Profile("test", rules))
    run.phase(0, "recovery")
    run.read(590, "spo2", 80)
    run.tick(599)
    assert [change.rule for change in run.tick(600)] == ["late"]
