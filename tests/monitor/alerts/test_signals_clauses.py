"""State tables of the signals, named after the clauses that they come from.

What the clauses say is taken from the project's clinical notes, which quote them from secondary texts.
"""

from __future__ import annotations

import math

import pytest

from drivers.clock import NS
from drivers.errors import AlertActionRefused
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.rules import Signals
from monitor.alerts.signals import (
    Acknowledge,
    Pause,
    SignalState,
    SwitchOff,
    SwitchOn,
    apply,
    audible,
    operate,
    shown,
    tick,
)

RULES = Signals(may_switch_off=True)
NURSE = "A. Nurse"
PHYSIOLOGICAL, TECHNICAL = Kind.PHYSIOLOGICAL, Kind.TECHNICAL
LOW, MEDIUM, HIGH = Priority.LOW, Priority.MEDIUM, Priority.HIGH


def presence(rule, state, priority=HIGH, kind=PHYSIOLOGICAL, t=0.0):
    return AlertEvent("bed", rule, kind, priority, state, int(t * NS), f"{rule} {state}", why=Why.READING)


class Bed:
    """One bed's signals, driven by hand; `said` is what was told by the last thing that was done."""

    def __init__(self, rules=RULES):
        self.rules, self.state, self.t = rules, SignalState(), 0.0

    def on(self, rule, priority=HIGH, kind=PHYSIOLOGICAL):
        return self.take(apply(self.rules, self.state, [presence(rule, AlertState.ON, priority, kind, self.t)], self.t))

    def off(self, rule, priority=HIGH, kind=PHYSIOLOGICAL):
        change = presence(rule, AlertState.OFF, priority, kind, self.t)
        return self.take(apply(self.rules, self.state, [change], self.t))

    def do(self, action):
        return self.take(operate(self.rules, self.state, "bed", action, self.t, int(self.t * NS)))

    def wait(self, seconds):
        self.t += seconds
        return self.take(tick(self.rules, self.state, "bed", self.t, int(self.t * NS)))

    def take(self, step):
        self.state, self.said = step
        return [(event.rule, str(event.state)) for event in self.said]

    def signal(self, rule):
        return str(self.state.alerts[rule].event.state) if rule in self.state.alerts else "off"

    @property
    def heard(self):
        return audible(self.state, self.t)


# 6.8.1: four states of inactivation, and acknowledged.


@pytest.mark.parametrize(
    ("action", "heard", "heard_of_a_new_one", "heard_an_hour_later"),
    [
        pytest.param(None, HIGH, HIGH, HIGH, id="none"),
        pytest.param(Pause(NURSE, AUDIO), None, HIGH, HIGH, id="audio paused"),
        pytest.param(SwitchOff(NURSE, AUDIO), None, None, None, id="audio off"),
        pytest.param(Pause(NURSE, ALARM), None, HIGH, HIGH, id="alarm paused"),
        pytest.param(SwitchOff(NURSE, ALARM), None, None, None, id="alarm off"),
        pytest.param(Acknowledge(NURSE), None, MEDIUM, None, id="acknowledged"),
    ],
)
def test_60601_1_8_clause_6_8_1_inactivation_states(action, heard, heard_of_a_new_one, heard_an_hour_later):
    bed = Bed()
    bed.on("spo2_low", HIGH)
    if action is not None:
        bed.do(action)
    assert bed.heard == heard
    before = bed.state
    bed.on("nibp_high", MEDIUM)
    assert bed.heard == heard_of_a_new_one
    bed.state = before
    bed.wait(3600)
    assert bed.heard == heard_an_hour_later


@pytest.mark.parametrize("what", [AUDIO, ALARM])
@pytest.mark.parametrize(
    ("first", "then", "state"),
    [
        pytest.param(None, SwitchOn, "on", id="on, switched on"),
        pytest.param(None, Pause, "paused", id="on, paused"),
        pytest.param(None, SwitchOff, "off", id="on, switched off"),
        pytest.param(Pause, SwitchOn, "on", id="paused, switched on"),
        pytest.param(Pause, Pause, "paused", id="paused, paused"),
        pytest.param(Pause, SwitchOff, "off", id="paused, switched off"),
        pytest.param(SwitchOff, SwitchOn, "on", id="off, switched on"),
        pytest.param(SwitchOff, Pause, "paused", id="off, paused"),
        pytest.param(SwitchOff, SwitchOff, "off", id="off, switched off"),
    ],
)
def test_60601_1_8_clause_6_8_1_from_each_state_to_each(what, first, then, state):
    bed = Bed()
    if first is not None:
        bed.do(first(NURSE, what))
    was = bed.state
    told = bed.do(then("B. Nurse", what))
    changed, other = (bed.state.audio, bed.state.alarm) if what == AUDIO else (bed.state.alarm, bed.state.audio)
    assert str(changed.state) == state
    assert str(other.state) == "on"
    if (first, then) in {(None, SwitchOn), (SwitchOff, SwitchOff)}:
        assert told == []
        assert bed.state is was
        return
    [event] = bed.said
    assert (event.rule, event.state, event.kind, event.priority) == (what, state, Kind.OTHER, Priority.NONE)
    assert (event.why, event.actor, event.bed) == (Why.OPERATOR, "B. Nurse", "bed")


@pytest.mark.parametrize("what", [AUDIO, ALARM])
@pytest.mark.parametrize("off", [False, True], ids=["paused", "off"])
@pytest.mark.parametrize(
    ("kind", "priority", "breaks"),
    [
        (PHYSIOLOGICAL, HIGH, True),
        (PHYSIOLOGICAL, MEDIUM, True),
        (PHYSIOLOGICAL, LOW, False),
        (TECHNICAL, HIGH, False),
        (TECHNICAL, MEDIUM, False),
        (TECHNICAL, LOW, False),
    ],
)
def test_60601_1_8_clause_6_8_1_a_new_condition_breaks_a_pause_and_not_an_off(what, off, kind, priority, breaks):
    bed = Bed()
    bed.do(SwitchOff(NURSE, what) if off else Pause(NURSE, what))
    told = bed.on("new", priority, kind)
    ends = breaks and not off
    assert told == [("new", "on"), (what, "on")][: 1 + ends]
    assert bed.heard == (priority if ends else None)
    if ends:
        assert bed.said[1].why == Why.READING
        assert bed.said[1].text == f"{what.capitalize()} on again: new on"


@pytest.mark.parametrize("others", [(), ("nibp_high",), ("nibp_high", "rr_low")])
def test_60601_1_8_clause_6_8_1_acknowledging_one_leaves_the_others(others):
    bed = Bed()
    for rule in ("spo2_low", *others):
        bed.on(rule, MEDIUM)
    assert bed.do(Acknowledge(NURSE, ("spo2_low",))) == [("spo2_low", "acknowledged")]
    assert [bed.signal(rule) for rule in others] == ["on"] * len(others)
    assert bed.heard == (MEDIUM if others else None)


def test_60601_1_8_clause_6_8_1_an_acknowledged_condition_sounds_when_it_comes_again():
    bed = Bed()
    bed.on("spo2_low")
    bed.do(Acknowledge(NURSE))
    assert bed.on("spo2_low") == []
    assert bed.heard is None
    assert bed.off("spo2_low") == [("spo2_low", "off")]
    assert bed.on("spo2_low") == [("spo2_low", "on")]
    assert bed.heard == HIGH


# 6.8.5: audio paused.


@pytest.mark.parametrize(
    ("asked", "longest", "given"),
    [
        (None, 300, 120),
        (None, 60, 60),
        (0.5, 300, 0.5),
        (300, 300, 300),
        (301, 300, None),
        (0, 300, None),
        (-1, 300, None),
        (math.inf, 300, None),
        (math.nan, 300, None),
        (None, 0, None),
    ],
)
@pytest.mark.parametrize("what", [AUDIO, ALARM])
def test_60601_1_8_clause_6_8_5_the_organisation_sets_the_longest_pause(what, asked, longest, given):
    bed = Bed(Signals(longest_pause=longest))
    bed.on("spo2_low")
    if given is None:
        with pytest.raises(AlertActionRefused, match="a pause of"):
            bed.do(Pause(NURSE, what, asked))
        assert bed.heard == HIGH
        return
    bed.do(Pause(NURSE, what, asked))
    [event] = bed.said
    assert (event.value, event.text) == (given, f"{what.capitalize()} paused for {given:g} s by {NURSE}")
    assert bed.wait(given - 0.25) == []
    assert bed.heard is None
    assert bed.wait(0.25) == [(what, "on")]
    assert bed.said[0].why == Why.TIME
    assert bed.heard == HIGH


def test_60601_1_8_clause_6_8_5_sound_is_back_in_time_even_before_the_tick_that_tells_it():
    bed = Bed()
    bed.on("spo2_low")
    bed.do(Pause(NURSE, AUDIO, 60))
    assert audible(bed.state, 59.9) is None
    assert audible(bed.state, 60) == HIGH


# 6.10: latching and non-latching.


@pytest.mark.parametrize(
    ("kind", "priority", "latching", "acknowledged", "after"),
    [
        (PHYSIOLOGICAL, HIGH, {HIGH}, False, "latched"),
        (PHYSIOLOGICAL, HIGH, {HIGH}, True, "off"),
        (PHYSIOLOGICAL, HIGH, set(), False, "off"),
        (PHYSIOLOGICAL, MEDIUM, {HIGH}, False, "off"),
        (PHYSIOLOGICAL, MEDIUM, {HIGH, MEDIUM}, False, "latched"),
        (PHYSIOLOGICAL, MEDIUM, {HIGH, MEDIUM}, True, "off"),
        (PHYSIOLOGICAL, LOW, {HIGH, MEDIUM}, False, "off"),
        (PHYSIOLOGICAL, LOW, {LOW}, False, "latched"),
        (TECHNICAL, HIGH, {HIGH, MEDIUM, LOW}, False, "off"),
        (TECHNICAL, HIGH, {HIGH, MEDIUM, LOW}, True, "off"),
        (TECHNICAL, LOW, {HIGH, MEDIUM, LOW}, False, "off"),
    ],
)
def test_60601_1_8_clause_6_10_when_the_condition_ends(kind, priority, latching, acknowledged, after):
    bed = Bed(Signals(latching=frozenset(latching)))
    bed.on("rule", priority, kind)
    if acknowledged:
        bed.do(Acknowledge(NURSE))
    bed.t = 60
    assert bed.off("rule", priority, kind) == [("rule", after)]
    assert bed.signal("rule") == after
    assert bed.heard == (priority if after == "latched" else None)
    [event] = bed.said
    assert (event.at, event.why) == (60 * NS, Why.READING)
    assert event.text == ("is over: rule on" if after == "latched" else "rule off")


def test_60601_1_8_clause_6_10_a_sound_that_nobody_answers_does_not_end_by_itself():
    bed = Bed()
    bed.on("spo2_low")
    bed.off("spo2_low")
    for _ in range(24):
        assert bed.wait(3600) == []
        assert bed.heard == HIGH
    assert bed.do(Acknowledge(NURSE)) == [("spo2_low", "off")]
    assert (bed.said[0].why, bed.said[0].actor) == (Why.OPERATOR, NURSE)
    assert bed.heard is None


# 6.12.2: what should be logged.


def test_60601_1_8_clause_6_12_2_begin_and_end_are_told_with_limit_and_value():
    bed = Bed()
    on = presence("spo2_low", AlertState.ON, MEDIUM)._replace(value=86, limit=90, vital="spo2", device="oximeter")
    off = on._replace(state=AlertState.OFF, value=93, at=9 * NS)
    bed.take(apply(RULES, bed.state, [on], 0))
    assert bed.said == [on]
    bed.take(apply(RULES, bed.state, [off], 9))
    assert bed.said == [off]


# 6.3.2.2.1 and 6.3.2.2.2: what is to be seen.


def test_60601_1_8_clause_6_3_2_2_the_highest_priority_first_and_every_condition_named():
    bed = Bed()
    bed.on("battery", LOW, TECHNICAL)
    bed.on("spo2_low", HIGH)
    bed.on("nibp_high", MEDIUM)
    assert [signal.event.rule for signal in shown(bed.state)] == ["spo2_low", "nibp_high", "battery"]


# ISO/IEEE 11073-10207, AlertSignalPresence: On, Latch, Ack, Off.


def _at(bed, start):
    """Brings `rule` to where the table begins."""
    if start != "off":
        bed.on("rule")
    if start == "acknowledged":
        bed.do(Acknowledge(NURSE))
    if start == "latched":
        bed.off("rule")
    assert bed.signal("rule") == start


@pytest.mark.parametrize(
    ("start", "what", "end"),
    [
        ("off", "begins", "on"),
        ("off", "ends", "off"),
        ("off", "acknowledged", AlertActionRefused),
        ("on", "begins", "on"),
        ("on", "ends", "latched"),
        ("on", "acknowledged", "acknowledged"),
        ("latched", "begins", "on"),
        ("latched", "ends", "latched"),
        ("latched", "acknowledged", "off"),
        ("acknowledged", "begins", "acknowledged"),
        ("acknowledged", "ends", "off"),
        ("acknowledged", "acknowledged", "acknowledged"),
    ],
)
def test_11073_10207_signal_presence(start, what, end):
    bed = Bed()
    _at(bed, start)
    was = bed.state
    step = {
        "begins": lambda: bed.on("rule"),
        "ends": lambda: bed.off("rule"),
        "acknowledged": lambda: bed.do(Acknowledge(NURSE, ("rule",))),
    }[what]
    if end is AlertActionRefused:
        with pytest.raises(AlertActionRefused, match="rule: no such alert stands"):
            step()
        assert bed.state is was
        return
    told = step()
    assert bed.signal("rule") == end
    assert told == ([] if start == end else [("rule", end)])


@pytest.mark.parametrize("start", ["off", "on", "latched", "acknowledged"])
@pytest.mark.parametrize("what", [AUDIO, ALARM])
@pytest.mark.parametrize("action", [Pause, SwitchOff])
def test_11073_10207_activation_leaves_the_presence_as_it_is(start, what, action):
    bed = Bed()
    _at(bed, start)
    was = bed.state.alerts
    bed.do(action(NURSE, what))
    assert bed.state.alerts == was
    bed.do(SwitchOn(NURSE, what))
    assert bed.state.alerts == was
    assert bed.heard == (HIGH if start in {"on", "latched"} else None)
