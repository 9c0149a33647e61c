"""When an alert comes on and goes off: the rules of the engine, one by one and as properties."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Cause, LinkState, Reading, Validity, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Limit, Priority
from monitor.alerts.engine import BedState, Profile, on_link, on_reading, on_tick

PROFILE = Profile(
    limits=(
        Limit("spo2", "low", 90, Priority.HIGH, delay=5, hysteresis=2),
        Limit("heart_rate", "low", 50, Priority.MEDIUM),
        Limit("heart_rate", "high", 120, Priority.MEDIUM, hysteresis=3),
        Limit("nibp_sys", "high", 165, Priority.MEDIUM),
    )
)


@dataclass
class Run:
    """One bed under the engine, fed by hand; times in seconds."""

    profile: Profile = PROFILE
    state: BedState = field(default_factory=BedState)
    changes: list[AlertEvent] = field(default_factory=list)

    def read(self, t: float, vital: str, value: float | None, *causes: Cause, age: float = 0) -> list[AlertEvent]:
        received = int(t * NS)
        observed = int((t - age) * NS)
        if value is None:
            return self.reading(t, missing(vital, observed, received, *causes))
        return self.reading(t, measured(vital, value, observed, received, causes))

    def reading(self, t: float, reading: Reading) -> list[AlertEvent]:
        self.state, changes = on_reading(self.profile, self.state, "bed", "dev", reading, t)
        self.changes += changes
        return changes

    def link(self, t: float, state: LinkState) -> list[AlertEvent]:
        self.state, changes = on_link(self.profile, self.state, "bed", "dev", state, "", int(t * NS))
        self.changes += changes
        return changes

    def tick(self, t: float) -> list[AlertEvent]:
        self.state, changes = on_tick(self.profile, self.state, "bed", t, int(t * NS))
        self.changes += changes
        return changes

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(change.rule, change.state.value) for change in self.changes]


def test_a_limit_without_delay_alerts_with_the_very_reading() -> None:
    (alert,) = Run().read(10, "heart_rate", 49)
    assert alert == AlertEvent(
        "bed", "heart_rate_low", Kind.PHYSIOLOGICAL, Priority.MEDIUM, AlertState.ON, 10 * NS,
        "HR 49 < 50", "heart_rate", "dev", 49, 50,
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
    assert len(Run().read(0, "heart_rate", 40, Cause.ARTIFACT)) == 1


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
        copy = (dict(before.pending), dict(before.on), dict(before.seen), before.lost)
        run.read(t, vital, value)
        assert (before.pending, before.on, before.seen, before.lost) == copy


def test_a_reading_that_lies_about_its_validity_is_still_no_value() -> None:
    assert Run().reading(0, Reading("heart_rate", None, Validity.INVALID, 0, 0, "no_data")) == []
