"""What people are told: escalation, reminders, lines and restarts, and everything at once against a simple model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drivers.clock import NS
from drivers.errors import AlertActionRefused
from monitor.alerts.conditions import ALARM, AUDIO, URGENCY, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.rules import Signals
from monitor.alerts.signals import (
    Acknowledge,
    Activation,
    Pause,
    Signal,
    SignalState,
    SwitchOff,
    SwitchOn,
    apply,
    audible,
    operate,
    restored,
    scheduled,
    shown,
    tick,
)
from tests.monitor.alerts.test_signals_clauses import HIGH, LOW, MEDIUM, NURSE, PHYSIOLOGICAL, TECHNICAL, Bed, presence

ESCALATING = Signals(escalate={LOW: 60, MEDIUM: 120}, may_switch_off=True, reminder=180)
SPO2 = AlertEvent(
    "bed", "spo2_low", PHYSIOLOGICAL, MEDIUM, AlertState.ON, 0, "SpO2 88 < 90", "spo2", "oximeter", 88, 90,
    "spo2_low", Why.READING,
)  # fmt: skip


def with_spo2(rules=ESCALATING):
    bed = Bed(rules)
    bed.take(apply(rules, bed.state, [SPO2], 0))
    return bed


# What detectors say.


def test_what_nobody_is_told_of_does_not_stand():
    bed = Bed()
    assert bed.on("part", Priority.NONE) == []
    assert bed.off("part", Priority.NONE) == []
    assert bed.off("unknown") == []
    assert bed.state == SignalState()


def test_a_standing_alert_ends_also_where_its_rule_is_told_to_nobody_by_now():
    bed = Bed()
    bed.on("spo2_low", MEDIUM)
    assert bed.off("spo2_low", Priority.NONE) == [("spo2_low", "off")]
    assert bed.said[0].priority is MEDIUM


def test_a_condition_that_stands_is_told_again_only_when_it_is_more_urgent():
    bed = Bed()
    bed.on("alarm", MEDIUM)
    bed.do(Acknowledge(NURSE))
    assert bed.on("alarm", LOW) == []
    assert bed.on("alarm", MEDIUM) == []
    bed.t = 5
    assert bed.on("alarm", HIGH) == [("alarm", "on")]
    assert bed.heard is HIGH
    assert bed.state.alerts["alarm"].begun == 0
    bed.do(Acknowledge(NURSE))
    bed.off("alarm", MEDIUM)
    assert bed.said[0].priority is HIGH


def test_a_condition_that_becomes_urgent_breaks_a_pause():
    bed = Bed()
    bed.on("alarm", LOW)
    bed.do(Pause(NURSE, AUDIO))
    assert bed.on("alarm", MEDIUM) == [("alarm", "on"), ("audio", "on")]


def test_a_latched_condition_that_comes_again_sounds_again_and_stands_since_the_first_time():
    bed = Bed()
    bed.on("spo2_low")
    bed.off("spo2_low")
    bed.do(Pause(NURSE, AUDIO))
    bed.t = 30
    assert bed.on("spo2_low") == [("spo2_low", "on"), ("audio", "on")]
    assert bed.state.alerts["spo2_low"].begun == 0
    assert bed.said[0].at == 30 * NS


def test_the_end_of_a_pause_is_never_told_as_before_its_begin():
    bed = Bed()
    bed.t = 10
    bed.do(Pause(NURSE, AUDIO))
    late = presence("spo2_low", AlertState.ON, t=7)
    bed.take(apply(bed.rules, bed.state, [late], 11))
    assert [event.at for event in bed.said] == [7 * NS, 10 * NS]


# What people do.


def test_nothing_to_acknowledge_is_refused_and_all_acknowledged_is_not():
    bed = Bed()
    with pytest.raises(AlertActionRefused, match="nothing to acknowledge"):
        bed.do(Acknowledge(NURSE))
    bed.on("spo2_low")
    bed.do(Acknowledge(NURSE))
    assert bed.do(Acknowledge("B. Nurse")) == []
    assert bed.state.alerts["spo2_low"].event.actor == NURSE


def test_acknowledging_one_that_does_not_stand_acknowledges_none_of_the_others():
    bed = Bed()
    bed.on("spo2_low")
    with pytest.raises(AlertActionRefused, match="nibp_high: no such alert stands"):
        bed.do(Acknowledge(NURSE, ("spo2_low", "nibp_high")))
    assert bed.heard is HIGH


def test_acknowledged_keeps_what_was_measured_and_says_who():
    bed = with_spo2()
    bed.t = 7
    bed.do(Acknowledge(NURSE))
    [event] = bed.said
    assert event == SPO2._replace(state=AlertState.ACKNOWLEDGED, at=7 * NS, why=Why.OPERATOR, actor=NURSE)


@pytest.mark.parametrize("what", [AUDIO, ALARM])
def test_switching_off_needs_the_profile(what):
    bed = Bed(Signals(may_switch_off=False))
    with pytest.raises(AlertActionRefused, match="does not let it be switched off"):
        bed.do(SwitchOff(NURSE, what))
    bed.do(Pause(NURSE, what))
    assert bed.do(SwitchOn(NURSE, what)) == [(what, "on")]


@pytest.mark.parametrize("action", [Pause, SwitchOff, SwitchOn])
def test_only_audio_and_alarm_can_be_paused_or_switched(action):
    with pytest.raises(AlertActionRefused, match="light: neither audio nor alarm"):
        Bed(ESCALATING).do(action(NURSE, "light"))


def test_pausing_again_counts_from_the_second_time():
    bed = Bed()
    bed.do(Pause(NURSE, AUDIO, 60))
    bed.t = 50
    bed.do(Pause(NURSE, AUDIO, 60))
    assert bed.wait(59) == []
    assert bed.wait(1) == [("audio", "on")]


# Escalation.


def test_what_nobody_acknowledges_becomes_more_urgent_and_says_so():
    bed = with_spo2()
    assert bed.wait(119) == []
    assert bed.wait(1) == [("spo2_low", "on")]
    assert bed.said == [
        SPO2._replace(priority=HIGH, at=120 * NS, text="SpO2 88 < 90: not acknowledged for 120 s", why=Why.ESCALATED)
    ]
    assert bed.state.alerts["spo2_low"].begun == 0
    assert bed.wait(36000) == []
    bed.off("spo2_low", MEDIUM)
    assert (bed.signal("spo2_low"), bed.said[0].priority) == ("latched", HIGH)
    assert bed.said[0].text == "is over: SpO2 88 < 90"
    bed.on("spo2_low", MEDIUM)
    assert bed.said[0].priority is HIGH
    assert bed.wait(36000) == []


def test_each_level_escalates_once_and_late_ticks_do_not_hurry():
    bed = Bed(ESCALATING)
    bed.on("spo2_low", LOW)
    bed.wait(1000)
    assert [event.priority for event in bed.said] == [MEDIUM]
    assert bed.wait(119) == []
    bed.wait(1)
    assert [(event.priority, event.text) for event in bed.said] == [(HIGH, "spo2_low on: not acknowledged for 120 s")]


@pytest.mark.parametrize(
    ("rules", "kind", "priority"),
    [
        (ESCALATING, TECHNICAL, MEDIUM),
        (Signals(), PHYSIOLOGICAL, MEDIUM),
        (Signals(escalate={LOW: 60}), PHYSIOLOGICAL, MEDIUM),
        (Signals(escalate={HIGH: 60}), PHYSIOLOGICAL, HIGH),
    ],
    ids=["technical", "none", "another priority", "nothing is higher"],
)
def test_nothing_else_escalates(rules, kind, priority):
    bed = Bed(rules)
    bed.on("rule", priority, kind)
    assert bed.wait(36000) == []


def test_what_is_latched_does_not_escalate():
    bed = Bed(Signals(latching=frozenset({MEDIUM}), escalate={MEDIUM: 60}))
    bed.on("rule", MEDIUM)
    bed.off("rule", MEDIUM)
    assert bed.wait(36000) == []


@pytest.mark.parametrize("what", [AUDIO, ALARM])
@pytest.mark.parametrize("off", [False, True], ids=["paused", "off"])
def test_the_time_to_answer_begins_anew_when_people_get_the_signals_again(what, off):
    bed = with_spo2()
    bed.t = 100
    bed.do(SwitchOff(NURSE, what) if off else Pause(NURSE, what, 300))
    assert bed.wait(150) == []
    bed.do(SwitchOn(NURSE, what))
    assert bed.wait(119) == []
    assert bed.wait(1) == [("spo2_low", "on")]


def test_whoever_acknowledges_in_the_end_takes_back_that_nobody_did():
    bed = with_spo2()
    bed.wait(120)
    bed.do(Acknowledge(NURSE))
    assert [(event.priority, event.text) for event in bed.said] == [(HIGH, "SpO2 88 < 90")]


# Reminders.


def test_what_is_acknowledged_and_still_present_is_told_again():
    bed = with_spo2()
    bed.do(Acknowledge(NURSE))
    [acknowledged] = bed.said
    for n in (1, 2):
        assert bed.wait(179) == []
        assert bed.wait(1) == [("spo2_low", "acknowledged")]
        assert bed.said == [acknowledged._replace(at=n * 180 * NS, why=Why.REMINDER)]
        assert bed.heard is None
    bed.off("spo2_low", MEDIUM)
    assert bed.wait(36000) == []


@pytest.mark.parametrize("what", [AUDIO, ALARM])
def test_off_reminds_of_itself_until_it_is_on(what):
    bed = Bed(ESCALATING)
    bed.do(SwitchOff(NURSE, what))
    for minutes in (3, 6):
        assert bed.wait(179) == []
        assert bed.wait(1) == [(what, "off")]
        [event] = bed.said
        assert (event.why, event.actor) == (Why.REMINDER, NURSE)
        assert event.text == f"{what.capitalize()} is off, for {minutes} min now, by {NURSE}"
    bed.do(SwitchOn(NURSE, what))
    assert bed.wait(36000) == []


def test_a_pause_does_not_remind_of_itself():
    bed = Bed(Signals(reminder=10))
    bed.do(Pause(NURSE, AUDIO, 60))
    assert bed.wait(59) == []


def test_no_reminders_where_the_profile_has_none():
    bed = Bed(Signals(reminder=None, may_switch_off=True))
    bed.on("spo2_low")
    bed.do(Acknowledge(NURSE))
    bed.do(SwitchOff(NURSE, AUDIO))
    assert bed.wait(36000) == []


def test_a_late_tick_reminds_once():
    bed = with_spo2()
    bed.do(Acknowledge(NURSE))
    assert bed.wait(1800) == [("spo2_low", "acknowledged")]
    assert bed.wait(179) == []


# Time.


class Untouched(Mapping):
    """Alerts that nobody may look at."""

    def __getitem__(self, key):
        raise AssertionError(key)

    def __iter__(self):
        raise AssertionError

    def __len__(self):
        raise AssertionError


def test_a_tick_before_anything_is_due_looks_at_nothing():
    quiet = SignalState(Untouched(), due=100.0)
    state, told = tick(ESCALATING, quiet, "bed", 99.9, 0)
    assert state is quiet
    assert told == []
    assert SignalState().due == math.inf


def test_a_clock_that_goes_back_ends_nothing_and_repeats_nothing():
    bed = with_spo2()
    bed.wait(120)
    assert bed.wait(-110) == []
    bed.do(Acknowledge(NURSE))
    bed.do(Pause(NURSE, AUDIO, 60))
    assert bed.wait(-1000) == []
    assert bed.on("nibp_high", MEDIUM) == [("nibp_high", "on"), ("audio", "on")]
    assert bed.wait(-1000) == []
    assert len(bed.wait(5000)) == 2


def test_another_profile_is_in_force_from_when_it_is_asked_for():
    bed = with_spo2(Signals())
    assert bed.state.due == math.inf
    bed.state, bed.rules = scheduled(ESCALATING, bed.state), ESCALATING
    assert bed.wait(120) == [("spo2_low", "on")]


# Lines.


def test_one_line_a_group_the_most_urgent_first():
    low, high = (SPO2._replace(rule=name, priority=priority) for name, priority in (("low", LOW), ("high", HIGH)))
    changes = [
        SPO2,
        high,
        low,
        presence("nibp_high", AlertState.ON, MEDIUM, t=1),
        presence("hr_high", AlertState.ON, MEDIUM, t=2),
        presence("seen", AlertState.ON, MEDIUM, t=3),
        presence("lost", AlertState.ON, MEDIUM, TECHNICAL, t=4),
        presence("battery", AlertState.ON, LOW, TECHNICAL, t=5),
        presence("nobody", AlertState.ON, Priority.NONE),
    ]
    state, _ = apply(ESCALATING, SignalState(), changes, 0)
    state, _ = operate(ESCALATING, state, "bed", Acknowledge(NURSE, ("seen",)), 6, 6 * NS)
    assert [signal.event.rule for signal in shown(state)] == [
        "high", "hr_high", "nibp_high", "seen", "lost", "battery",
    ]  # fmt: skip
    state, _ = apply(ESCALATING, state, [high._replace(state=AlertState.OFF)], 7)
    first = shown(state)[0].event
    assert (first.rule, first.state) == ("high", AlertState.LATCHED)
    state, _ = operate(ESCALATING, state, "bed", Acknowledge(NURSE, ("high",)), 8, 8 * NS)
    assert "spo2_low" in [signal.event.rule for signal in shown(state)]
    assert not {"high", "low"} & {signal.event.rule for signal in shown(state)}


def test_silence_where_nothing_stands():
    assert shown(SignalState()) == []
    assert audible(SignalState(), 0) is None


# Restarts.


def _event(name, state, t, **fields):
    return presence(name, AlertState(state), t=t)._replace(**fields)


def test_a_restart_finds_what_stood():
    events = [
        _event("a", "on", 100),
        _event("b", "acknowledged", 100, actor=NURSE),
        _event("c", "latched", 100),
        _event("d", "off", 100),
        _event("e", "on", 100, priority=Priority.NONE),
        _event(AUDIO, "off", 100, kind=Kind.OTHER, priority=Priority.NONE, actor=NURSE),
        _event(ALARM, "paused", 100, kind=Kind.OTHER, priority=Priority.NONE, actor=NURSE, value=60.0),
    ]
    state = restored(ESCALATING, [(event, 50 * NS) for event in events], 1000.0, 130 * NS)
    assert state.alerts == {
        "a": Signal(events[0], True, 50 * NS, 970.0),
        "b": Signal(events[1], True, 50 * NS, 970.0),
        "c": Signal(events[2], False, 50 * NS, 970.0),
    }
    assert state.audio == Activation(AlertState.OFF, math.inf, 970.0, NURSE, 50 * NS)
    assert state.alarm == Activation(AlertState.PAUSED, 1030.0, 970.0, NURSE, 100 * NS)
    assert state.due == 1030.0


def test_a_pause_that_ran_out_while_the_station_was_down_is_told_at_once():
    pause = _event(AUDIO, "paused", 100, kind=Kind.OTHER, priority=Priority.NONE, value=60.0)
    state = restored(ESCALATING, [(pause, 100 * NS), (_event("a", "on", 90), 90 * NS)], 1000.0, 3000 * NS)
    assert state.audio.state is AlertState.PAUSED
    assert audible(state, 1000.0) is HIGH
    _, told = tick(ESCALATING, state, "bed", 1000.0, 3000 * NS)
    assert [(event.rule, str(event.state), event.why) for event in told] == [("audio", "on", Why.TIME)]


def test_after_a_restart_under_a_clock_that_was_set_back_nothing_lies_in_the_future():
    pause = _event(AUDIO, "paused", 5000, kind=Kind.OTHER, priority=Priority.NONE, value=60.0)
    alert = _event("a", "on", 5000, priority=MEDIUM)
    state = restored(ESCALATING, [(pause, 5000 * NS), (alert, 5000 * NS)], 10.0, 0)
    assert (state.alerts["a"].told, state.audio.told, state.audio.until) == (10.0, 10.0, 70.0)


def test_a_condition_that_is_found_again_after_a_restart_is_not_told_twice():
    bed = with_spo2()
    bed.state = restored(ESCALATING, [(signal.event, signal.begun) for signal in bed.state.alerts.values()], 5, 5 * NS)
    bed.take(apply(ESCALATING, bed.state, [SPO2._replace(at=6 * NS)], 6))
    assert bed.said == []


# Everything at once.


@dataclass
class Standing:
    """An alert as the model has it."""

    kind: Kind
    priority: Priority
    state: str
    told: float


@dataclass
class Given:
    """Audio or alarm as the model has it."""

    state: str = "on"
    until: float = math.inf
    told: float = -math.inf


class Model:
    """The same with nothing but tables, and every alert looked at in every tick. Each step gives what is told."""

    def __init__(self, rules):
        self.rules = rules
        self.alerts: dict[str, Standing] = {}
        self.given = {AUDIO: Given(), ALARM: Given()}

    def begins(self, name, kind, priority, now):
        if priority is Priority.NONE:
            return []
        found = self.alerts.get(name)
        if found and found.state != "latched" and URGENCY[priority] <= URGENCY[found.priority]:
            return []
        if found:
            priority = max(priority, found.priority, key=URGENCY.get)
        self.alerts[name] = Standing(kind, priority, "on", now)
        told = [(name, "on", priority)]
        if kind is PHYSIOLOGICAL and priority in {MEDIUM, HIGH}:
            for what in [what for what, given in self.given.items() if given.state == "paused"]:
                self.given[what] = Given(told=now)
                told.append((what, "on", Priority.NONE))
        return told

    def ends(self, name, now):
        found = self.alerts.get(name)
        if found is None or found.state == "latched":
            return []
        if found.kind is PHYSIOLOGICAL and found.state == "on" and found.priority in self.rules.latching:
            found.state, found.told = "latched", now
            return [(name, "latched", found.priority)]
        return [(name, "off", self.alerts.pop(name).priority)]

    def acknowledge(self, names, now):
        names = names or list(self.alerts)
        if not names or any(name not in self.alerts for name in names):
            return None
        told = []
        for name in names:
            found = self.alerts[name]
            if found.state == "on":
                found.state, found.told = "acknowledged", now
                told.append((name, "acknowledged", found.priority))
            elif found.state == "latched":
                told.append((name, "off", self.alerts.pop(name).priority))
        return told

    def switch(self, what, state, seconds, now):
        if (state == "off" and not self.rules.may_switch_off) or (
            state == "paused" and not 0 < seconds <= self.rules.longest_pause
        ):
            return None
        if state == self.given[what].state != "paused":
            return []
        self.given[what] = Given(state, now + seconds if state == "paused" else math.inf, now)
        return [(what, state, Priority.NONE)]

    def tick(self, now):
        told = []
        reminder = self.rules.reminder or math.inf
        for what, given in self.given.items():
            if given.state == "paused" and now >= given.until:
                self.given[what] = Given(told=now)
                told.append((what, "on", Priority.NONE))
            elif given.state == "off" and now >= given.told + reminder:
                given.told = now
                told.append((what, "off", Priority.NONE))
        sounding = all(given.state == "on" for given in self.given.values())
        again = max(given.told for given in self.given.values())
        for name, found in self.alerts.items():
            wait = self.rules.escalate.get(found.priority, math.inf)
            escalates = found.state == "on" and found.kind is PHYSIOLOGICAL and found.priority is not HIGH and sounding
            if escalates and now >= max(found.told, again) + wait:
                found.priority = {LOW: MEDIUM, MEDIUM: HIGH}[found.priority]
            elif found.state != "acknowledged" or now < found.told + reminder:
                continue
            found.told = now
            told.append((name, found.state, found.priority))
        return told

    def heard(self):
        if any(given.state != "on" for given in self.given.values()):
            return None
        priorities = [found.priority for found in self.alerts.values() if found.state != "acknowledged"]
        return max(priorities, key=URGENCY.get, default=None)


AFTER = {
    "off": {"on"},
    "on": {"on", "acknowledged", "latched", "off"},
    "acknowledged": {"acknowledged", "on", "off"},
    "latched": {"on", "off"},
}
"""What may be told of a condition after what."""
AFTER_GIVEN = {"on": {"paused", "off"}, "paused": {"paused", "off", "on"}, "off": {"off", "paused", "on"}}
NAMES = st.sampled_from(["a", "b", "c"])
WHAT = st.sampled_from([AUDIO, ALARM])
SECONDS = st.sampled_from([1, 3, 8])


class Signalling(RuleBasedStateMachine):
    """Conditions, people and time, on one bed, held against the model after every step."""

    @initialize(
        latching=st.frozensets(st.sampled_from([LOW, MEDIUM, HIGH])),
        escalate=st.dictionaries(st.sampled_from([LOW, MEDIUM, HIGH]), SECONDS),
        reminder=st.none() | SECONDS,
        may_switch_off=st.booleans(),
    )
    def begin(self, latching, escalate, reminder, may_switch_off):
        self.rules = Signals(latching, 5, 8, may_switch_off, reminder, escalate)
        self.model = Model(self.rules)
        self.state = SignalState()
        self.now = 0.0
        self.present: dict[str, Priority] = {}
        self.last: dict[str, AlertEvent] = {}
        self.since: dict[str, int] = {}

    @property
    def at(self):
        return int((self.now + 1e6) * NS)

    def take(self, step, expected):
        self.state, told = step
        assert [(event.rule, str(event.state), event.priority) for event in told] == expected
        for event in told:
            self.told(event)

    def told(self, event):
        last = self.last.get(event.rule)
        before = ("on" if event.rule in {AUDIO, ALARM} else "off") if last is None else str(last.state)
        allowed = AFTER_GIVEN if event.rule in {AUDIO, ALARM} else AFTER
        assert str(event.state) in allowed[before]
        if last is not None and event.state is last.state:
            assert (
                event.why == Why.REMINDER
                or event.state is AlertState.PAUSED
                or URGENCY[event.priority] > URGENCY[last.priority]
            )
        self.last[event.rule] = event
        # A condition stands from off to off; audio or alarm each time that somebody asks for it.
        if event.why != Why.REMINDER if event.rule in {AUDIO, ALARM} else before == "off":
            self.since[event.rule] = event.at

    def change(self, name, state, kind, priority):
        return presence(name, state, priority, kind)._replace(bed="bed", at=self.at)

    def pure(self, function, *arguments):
        before = repr(self.state)
        first = function(self.rules, self.state, *arguments)
        assert repr(self.state) == before
        assert function(self.rules, self.state, *arguments) == first
        return first

    @rule(name=NAMES, priority=st.sampled_from(list(Priority)))
    def begins(self, name, priority):
        kind = TECHNICAL if name == "c" else PHYSIOLOGICAL
        expected = self.model.begins(name, kind, priority, self.now)
        self.take(self.pure(apply, [self.change(name, AlertState.ON, kind, priority)], self.now), expected)
        self.present[name] = max(priority, self.present.get(name, priority), key=URGENCY.get)

    @rule(name=NAMES, priority=st.sampled_from(list(Priority)))
    def ends(self, name, priority):
        kind = TECHNICAL if name == "c" else PHYSIOLOGICAL
        expected = self.model.ends(name, self.now)
        self.take(self.pure(apply, [self.change(name, AlertState.OFF, kind, priority)], self.now), expected)
        self.present.pop(name, None)

    def asked(self, action, expected):
        if expected is None:
            with pytest.raises(AlertActionRefused):
                self.pure(operate, "bed", action, self.now, self.at)
            return
        self.take(self.pure(operate, "bed", action, self.now, self.at), expected)
        assert all(self.last[name].actor == NURSE for name, _, _ in expected)

    @rule(names=st.lists(NAMES, max_size=2, unique=True))
    def acknowledge(self, names):
        self.asked(Acknowledge(NURSE, tuple(names)), self.model.acknowledge(names, self.now))

    @rule(what=WHAT, seconds=st.sampled_from([None, 0, 1, 8, 9]))
    def pause(self, what, seconds):
        asked = self.rules.audio_pause if seconds is None else seconds
        self.asked(Pause(NURSE, what, seconds), self.model.switch(what, "paused", asked, self.now))

    @rule(what=WHAT, off=st.booleans())
    def switch(self, what, off):
        action = SwitchOff(NURSE, what) if off else SwitchOn(NURSE, what)
        self.asked(action, self.model.switch(what, "off" if off else "on", 0, self.now))

    @rule(seconds=st.sampled_from([1, 1, 1, 2, 4, 9, -1, -5]))
    def time(self, seconds):
        self.now += seconds
        quiet = self.now < self.state.due
        before = self.state
        self.take(self.pure(tick, "bed", self.now, self.at), self.model.tick(self.now))
        if quiet:
            assert self.state is before

    @invariant()
    def nothing_present_is_lost(self):
        for name, priority in self.present.items():
            if priority is not Priority.NONE:
                assert self.state.alerts[name].present
                assert URGENCY[self.state.alerts[name].event.priority] >= URGENCY[priority]
        assert {name for name, signal in self.state.alerts.items() if signal.present} <= self.present.keys()

    @invariant()
    def people_see_and_hear_what_the_model_has(self):
        assert {name: str(signal.event.state) for name, signal in self.state.alerts.items()} == {
            name: found.state for name, found in self.model.alerts.items()
        }
        assert {signal.event.rule for signal in shown(self.state)} == self.model.alerts.keys()
        if self.now < self.state.due:
            assert audible(self.state, self.now) == self.model.heard()

    @invariant()
    def a_restart_finds_the_same(self):
        found = restored(self.rules, [(event, self.since[name]) for name, event in self.last.items()], 7.0, self.at)
        assert {name: signal[:3] for name, signal in found.alerts.items()} == {
            name: signal[:3] for name, signal in self.state.alerts.items()
        }
        for one, other in ((found.audio, self.state.audio), (found.alarm, self.state.alarm)):
            assert (one.state, one.actor, one.begun) == (other.state, other.actor, other.begun)
            assert one.told <= 7.0


TestSignalling = Signalling.TestCase
