"""Acknowledging what belongs together: the limits of one side of a vital."""

from __future__ import annotations

import pytest

from drivers.errors import AlertActionRefused
from monitor.alerts.conditions import AlertEvent, AlertState, Why
from monitor.alerts.rules import Signals
from monitor.alerts.signals import Acknowledge, apply
from tests.monitor.alerts.test_signals_clauses import HIGH, MEDIUM, NURSE, PHYSIOLOGICAL, Bed


def spo2(limit, priority=MEDIUM, state=AlertState.ON, vital="spo2"):
    text = f"{vital} 82 < {limit}"
    return AlertEvent(
        "bed", f"{vital}_{limit}", PHYSIOLOGICAL, priority, state, 0, text, vital, "oximeter", 82, limit,
        f"{vital}_low", Why.READING,
    )  # fmt: skip


SIDES = Signals(sides={"spo2_80": "low", "spo2_85": "low", "spo2_90": "low", "heart_rate_90": "low"})


def acknowledged_below_85(priority=HIGH):
    bed = Bed(SIDES)
    bed.take(apply(SIDES, bed.state, [spo2(85, priority)], 0))
    bed.do(Acknowledge(NURSE))
    return bed


def test_who_has_seen_a_limit_has_seen_those_that_are_passed_before_it():
    bed = acknowledged_below_85()
    assert bed.take(apply(SIDES, bed.state, [spo2(90)], 1)) == [("spo2_90", "acknowledged")]
    assert bed.said[0].actor == NURSE
    assert bed.heard is None
    # What has ended meanwhile is new when it comes again.
    bed.take(apply(SIDES, bed.state, [spo2(85, HIGH, AlertState.OFF)], 2))
    assert bed.signal("spo2_90") == "acknowledged"
    bed.take(apply(SIDES, bed.state, [spo2(85, HIGH)], 3))
    assert (bed.signal("spo2_85"), bed.heard) == ("on", HIGH)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(spo2(80, HIGH), id="a limit further out"),
        pytest.param(spo2(90, HIGH), id="more urgent than what is acknowledged"),
        pytest.param(spo2(90, vital="heart_rate"), id="another vital"),
        pytest.param(spo2(70), id="no limit: it falls fast"),
    ],
)
def test_what_is_not_implied_by_what_somebody_has_seen_sounds(change):
    bed = acknowledged_below_85(MEDIUM)
    bed.take(apply(SIDES, bed.state, [change], 1))
    assert (bed.signal(change.rule), bed.heard) == ("on", change.priority)


def test_what_nobody_has_seen_implies_nothing():
    bed = Bed(SIDES)
    bed.take(apply(SIDES, bed.state, [spo2(85, HIGH), spo2(90)], 0))
    assert (bed.signal("spo2_85"), bed.signal("spo2_90")) == ("on", "on")


def test_a_line_for_people_is_acknowledged_whole_and_nothing_else():
    bed = Bed(SIDES)
    bed.take(apply(SIDES, bed.state, [spo2(85, HIGH), spo2(90), spo2(90, vital="heart_rate")], 0))
    told = bed.do(Acknowledge(NURSE, groups=("spo2_low",)))
    assert sorted(told) == [("spo2_85", "acknowledged"), ("spo2_90", "acknowledged")]
    assert bed.signal("heart_rate_90") == "on"
    with pytest.raises(AlertActionRefused, match="etco2_low: no such alert stands"):
        bed.do(Acknowledge(NURSE, groups=("etco2_low",)))
