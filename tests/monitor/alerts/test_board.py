"""The board: what devices, sessions and people do becomes what is told, once and in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drivers.clock import NS
from drivers.errors import AlertActionRefused
from drivers.events import DeviceStatus, LinkState, measured
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.in_force import Visit
from monitor.alerts.rules import LimitRule, Profile, Signals, StaleRule, Threshold
from monitor.alerts.signals import Acknowledge, Pause, shown
from tests.monitor.alerts.hand import Hand

PROFILE = Profile(
    "test",
    (
        LimitRule("spo2_low", Priority.HIGH, vital="spo2", side="low", threshold=Threshold(90)),
        LimitRule("hr_low", Priority.MEDIUM, vital="heart_rate", side="low", threshold=Threshold(50)),
        StaleRule("stale", Priority.LOW, after=10),
    ),
    signals=Signals(escalate={Priority.MEDIUM: 60}),
)


class Ward:
    """Two beds, and all that was told of them."""

    def __init__(self, profile: Profile = PROFILE) -> None:
        self.clock = Hand(100.0)
        self.board = AlertBoard({"one": profile, "two": profile}, profile, self.clock)
        self.told: list[AlertEvent] = []
        self.board.add_listener(self.hear)

    def hear(self, bed: str, events: Sequence[AlertEvent]) -> None:
        assert {event.bed for event in events} == {bed}
        self.told += events

    def read(self, vital: str, value: float, bed: str = "one") -> None:
        at = self.clock.now_ns()
        self.board.receive(bed, "dev", [measured(vital, value, at, at)])

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.t += 1
            self.board.tick()

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(event.rule, event.state.value) for event in self.told]


def test_a_high_alert_is_raised_latched_and_put_away_by_a_person() -> None:
    ward = Ward()
    ward.read("spo2", 85)
    ward.read("spo2", 95)
    ward.board.operate("one", Acknowledge("A. Nurse"))
    assert [(event.rule, event.state, event.why, event.actor) for event in ward.told] == [
        ("spo2_low", AlertState.ON, Why.READING, ""),
        ("spo2_low", AlertState.LATCHED, Why.READING, ""),
        ("spo2_low", AlertState.OFF, Why.OPERATOR, "A. Nurse"),
    ]


def test_what_nobody_acknowledges_is_escalated() -> None:
    ward = Ward()
    ward.read("heart_rate", 45)
    for _ in range(60):
        ward.wait(1)
        ward.read("heart_rate", 45)
    assert [(event.rule, event.priority, event.why) for event in ward.told] == [
        ("hr_low", Priority.MEDIUM, Why.READING),
        ("hr_low", Priority.HIGH, Why.ESCALATED),
    ]


def test_beds_do_not_concern_each_other() -> None:
    ward = Ward()
    ward.read("spo2", 85, bed="one")
    with pytest.raises(AlertActionRefused):
        ward.board.operate("two", Acknowledge("A. Nurse"))
    assert not ward.board.signals_of("two").alerts


def test_what_is_told_names_the_session_that_it_was_in() -> None:
    ward = Ward()
    ward.board.visit_changed("one", Visit("s1", "infusion", 0.0), PROFILE)
    ward.read("heart_rate", 45)
    ward.board.visit_changed("one", None)
    assert [(event.state, event.session) for event in ward.told] == [(AlertState.ON, "s1"), (AlertState.OFF, "s1")]


def test_nothing_of_one_patient_is_carried_on_to_the_next() -> None:
    ward = Ward()
    ward.board.visit_changed("one", Visit("s1", "infusion", 0.0), PROFILE)
    ward.read("spo2", 85)
    ward.read("spo2", 95)
    ward.board.operate("one", Pause("A. Nurse", AUDIO))
    ward.board.visit_changed("one", None)
    state = ward.board.signals_of("one")
    assert (state.alerts, state.audio.state) == ({}, AlertState.ON)
    assert [(event.rule, event.state) for event in ward.told[-2:]] == [
        ("spo2_low", AlertState.OFF),
        (AUDIO, AlertState.ON),
    ]


def test_a_low_battery_outlasts_the_patient() -> None:
    ward = Ward()
    ward.board.visit_changed("one", Visit("s1", "infusion", 0.0), PROFILE)
    ward.board.receive("one", "dev", [DeviceStatus("low_battery", True, "Battery low", ward.clock.now_ns())])
    ward.board.visit_changed("one", None)
    assert ward.story == [("low_battery_dev", "on")]


def test_a_listener_that_fails_keeps_nobody_from_being_told() -> None:
    ward = Ward()

    def fails(_bed: str, _events: Sequence[AlertEvent]) -> None:
        raise RuntimeError("no paper")

    board = AlertBoard({"one": PROFILE}, PROFILE, ward.clock)
    board.add_listener(fails)
    board.add_listener(ward.hear)
    at = ward.clock.now_ns()
    board.receive("one", "dev", [measured("spo2", 80, at, at)])
    assert ward.story == [("spo2_low", "on")]


def test_what_is_held_back_is_told_and_has_no_signal() -> None:
    ward = Ward(Profile("test", PROFILE.rules, same_arm=True))
    ward.read("spo2", 97)
    ward.board.receive("one", "dev", [DeviceStatus("cuff_busy", True, "cuff: measuring", ward.clock.now_ns())])
    ward.wait(12)
    assert [(event.rule, event.kind) for event in ward.told] == [("held_back_stale_spo2", Kind.OTHER)]
    assert not ward.board.signals_of("one").alerts


def after_restart(ward: Ward, seconds: float = 5.0, visit: Visit | None = None) -> Ward:
    """A new board with what the journal would have."""
    last: dict[tuple[str, str], tuple[AlertEvent, int]] = {}
    for event in ward.told:
        since = last.pop((event.bed, event.rule), (event, event.at))[1]
        over = AlertState.ON if event.kind is Kind.OTHER and event.rule == AUDIO else AlertState.OFF
        if event.state is not over:
            last[event.bed, event.rule] = event, since
    again = Ward()
    again.clock.t = ward.clock.t + seconds
    if visit is not None:
        again.board.visit_changed("one", visit, PROFILE)
    again.board.restore(list(last.values()), frozenset({"session_forgotten"}))
    return again


def test_a_restart_tells_nothing_of_what_goes_on_and_forgets_nothing() -> None:
    ward = Ward()
    ward.read("spo2", 85)
    ward.read("heart_rate", 45)
    ward.board.operate("one", Acknowledge("A. Nurse", ("hr_low",)))
    again = after_restart(ward)
    assert again.story == []
    assert {rule: signal.event.state for rule, signal in again.board.signals_of("one").alerts.items()} == {
        "spo2_low": AlertState.ON,
        "hr_low": AlertState.ACKNOWLEDGED,
    }
    again.read("spo2", 84)
    again.read("heart_rate", 44)
    assert again.story == [], "neither is raised twice"
    again.read("heart_rate", 60)
    assert again.story == [("hr_low", "off")]


def test_a_restart_keeps_a_latched_alert_and_a_pause() -> None:
    ward = Ward()
    ward.read("spo2", 85)
    ward.read("spo2", 95)
    ward.board.operate("one", Pause("A. Nurse", AUDIO, 100))
    again = after_restart(ward, seconds=30)
    assert again.board.signals_of("one").audio.state is AlertState.PAUSED
    again.wait(69)
    assert again.story == []
    again.wait(1)
    assert again.story == [(AUDIO, "on")]
    again.read("spo2", 85)
    assert again.story[1:] == [("spo2_low", "on")]


def test_a_restart_ends_what_stood_on_a_bed_that_is_gone() -> None:
    ward = Ward()
    board = AlertBoard({"other": PROFILE}, PROFILE, ward.clock)
    told: list[AlertEvent] = []
    board.add_listener(lambda _bed, events: told.extend(events))
    ward.read("spo2", 85)
    board.restore([(ward.told[0], ward.told[0].at)], frozenset())
    assert [(event.bed, event.rule, event.state) for event in told] == [("one", "spo2_low", AlertState.OFF)]


def test_the_station_s_own_alerts_are_told_under_its_name() -> None:
    ward = Ward()
    event = AlertEvent(STATION, "journal_unwritable", Kind.TECHNICAL, Priority.HIGH, AlertState.ON, 0, "NOT RECORDING")
    ward.board.detected(STATION, [event])
    ward.board.operate(STATION, Acknowledge("A. Nurse"))
    ward.board.detected(STATION, [event._replace(state=AlertState.OFF)])
    assert ward.story == [(event.rule, state) for state in ("on", "acknowledged", "off")]


def test_a_lost_device_is_told_and_found_again() -> None:
    ward = Ward()
    ward.board.link_changed("one", "dev", LinkState.LOST, "", 0)
    ward.board.link_changed("one", "dev", LinkState.RECEIVING, "", 0)
    assert ward.story == [("device_lost_dev", "on"), ("device_lost_dev", "off")]


def test_only_what_is_urgent_and_not_acknowledged_is_unseen() -> None:
    ward = Ward()
    assert not ward.board.unseen()
    ward.read("spo2", 97)
    ward.wait(11)
    assert not ward.board.unseen(), "a low alert"
    ward.read("spo2", 85)
    assert ward.board.unseen()
    ward.board.operate("one", Acknowledge("A. Nurse"))
    assert not ward.board.unseen()


def test_what_is_told_of_a_rule_is_told_in_the_order_of_time() -> None:
    ward = Ward()
    ward.read("heart_rate", 45)
    earlier = ward.clock.now_ns()
    ward.wait(60)
    assert ward.told[-1].why is Why.ESCALATED
    ward.board.receive("one", "dev", [measured("heart_rate", 70, earlier + NS * 55, ward.clock.now_ns())])
    of_rate = [event for event in ward.told if event.rule == "hr_low"]
    assert of_rate[-1].state is AlertState.LATCHED
    assert [event.at for event in of_rate] == sorted(event.at for event in of_rate)


TWO_LEVELS = Profile(
    "test",
    (
        LimitRule("low", Priority.MEDIUM, vital="spo2", side="low", threshold=Threshold(92)),
        LimitRule("very_low", Priority.HIGH, vital="spo2", side="low", threshold=Threshold(88)),
        LimitRule("extremely_low", Priority.HIGH, vital="spo2", side="low", threshold=Threshold(85)),
    ),
)


def lines(ward: Ward) -> list[tuple[str, str]]:
    return [(signal.event.rule, signal.event.state.value) for signal in shown(ward.board.signals_of("one"))]


def test_what_is_over_does_not_hide_what_is_present() -> None:
    ward = Ward(TWO_LEVELS)
    ward.read("spo2", 80)
    assert len(lines(ward)) == 1, "one line for one side of a vital"
    ward.read("spo2", 91)
    assert lines(ward) == [("extremely_low", "latched"), ("low", "on")]
    ward.wait(1)
    ward.read("spo2", 86)
    assert lines(ward) == [("very_low", "on")], "what is over and no more urgent adds nothing"
    ward.board.operate("one", Acknowledge("A. Nurse", ("low", "very_low")))
    assert lines(ward) == [("extremely_low", "latched"), ("very_low", "acknowledged")]
