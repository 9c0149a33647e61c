"""The chart of a session: what is in it, what is not, and what it says of gaps, alerts and limits."""

from __future__ import annotations

import json

import numpy as np
import pytest

from drivers.clock import NS
from drivers.events import Cause, Validity
from monitor.alerts.conditions import AUDIO, AlertState, Kind, Priority
from monitor.review import view
from monitor.review.tracks import Span
from monitor.sessions import entries
from monitor.sessions.steps import State
from monitor.storage.device_events import DeviceEvent
from tests.monitor.review.made import Record
from tests.monitor.sessions.helpers import MINUTE, SITE, START, Chart, chart, minute

HOUR = 3600
VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60))


def seconds(*of: int) -> range:
    return range(*of)


def test_what_was_measured_is_there_as_it_came_and_nothing_else() -> None:
    record = Record()
    record.measured("spo2", [0, 1, 2], [97, None, 95]).measured(
        "spo2", [3], 88, validity=Validity.QUESTIONABLE, cause=Cause.ARTIFACT
    )
    record.measured("spo2", [-1, HOUR + 1], 50).measured("spo2", [5], 51, bed="chair-2")
    made = record.chart(chart(*VISIT).session)
    track = made.vitals["spo2"]
    assert [round((at - START) / NS) for at in track.at.tolist()] == [0, 1, 2, 3]
    np.testing.assert_array_equal(track.value, [97, np.nan, 95, 88])
    assert track.validity.tolist() == [Validity.VALID, Validity.INVALID, Validity.VALID, Validity.QUESTIONABLE]
    assert [track.causes[place] for place in track.cause] == ["", "", "", Cause.ARTIFACT]
    assert (made.span.since, made.span.until) == (START, minute(60))


def test_two_devices_stand_side_by_side_whatever_order_they_are_read_in() -> None:
    one, other = Record(), Record()
    for record, order in ((one, ("a", "b")), (other, ("b", "a"))):
        for device in order:
            record.measured("spo2", [0, 1], 97 if device == "a" else 96, device=device, cause=f"of {device}")
    session = chart(*VISIT).session
    for made in (one.chart(session), other.chart(session)):
        track = made.vitals["spo2"]
        assert [(track.devices[it], value) for it, value in zip(track.device, track.value, strict=True)] == [
            ("a", 97),
            ("b", 96),
            ("a", 97),
            ("b", 96),
        ]
        assert track.causes == ("", "of a", "of b")
        assert [use.device for use in made.equipment] == ["a", "b"]


def test_a_gap_goes_from_the_last_value_to_the_next_and_the_ends_count() -> None:
    record = (
        Record()
        .measured("spo2", [*seconds(100, 200), *seconds(230, 3590)], 97)
        .measured("spo2", seconds(200, 230), None)
    )
    made = record.chart(chart(*VISIT).session)
    assert made.gaps["spo2"] == (
        Span(START, START + 100 * NS),
        Span(START + 199 * NS, START + 230 * NS),
        Span(START + 3589 * NS, minute(60)),
    )
    numbers = made.summary.vital("spo2")
    assert numbers is not None
    # Ten seconds after each last value there is one that is current; before the first there is none.
    assert numbers.coverage == pytest.approx(100 * (3600 - 100 - 21 - 1) / 3600)
    assert numbers.longest_gap == Span(START, START + 100 * NS)
    assert numbers.invalid == 30


def test_a_vital_that_is_measured_now_and_then_has_no_gaps() -> None:
    made = Record().measured("nibp_sys", [300, 900], [120, 130]).chart(chart(*VISIT).session)
    assert "nibp_sys" not in made.gaps
    numbers = made.summary.vital("nibp_sys")
    assert numbers is not None
    assert (numbers.coverage, numbers.longest_gap) == (None, None)


def test_the_pressures_of_one_determination_are_one_reading() -> None:
    record = Record().measured("nibp_sys", [290], 87, validity=Validity.QUESTIONABLE, cause=Cause.PROVISIONAL)
    record.measured("nibp_sys", [300, 600], [94, None]).measured("nibp_dia", [300, 600], [52, None])
    record.measured("nibp_mean", [300], 64)
    made = record.chart(chart(*VISIT).session)
    told = [((it.at - START) / NS, it.sys, it.dia, it.mean, it.validity, it.provisional) for it in made.cuff_readings]
    assert told == [
        (290, 87, None, None, Validity.QUESTIONABLE, True),
        (300, 94, 52, 64, Validity.VALID, False),
        (600, None, None, None, Validity.INVALID, False),
    ]
    assert made.summary.cuff_readings == 1


def test_a_pressure_without_end_is_none() -> None:
    record = Record().measured("nibp_sys", [300], [float("inf")]).measured("nibp_dia", [300], [60])
    made = record.chart(chart(*VISIT).session)
    assert [(it.sys, it.dia) for it in made.cuff_readings] == [(None, 60)]
    json.dumps(view.told(made), allow_nan=False)


def test_what_was_measured_on_both_beds_of_a_move_is_there_once() -> None:
    made = Chart()
    made.opened()
    made.moved("chair-2", 10)
    made.add(entries.Kind.ASSIGNED, 30, bed="chair-2", since=minute(5), until=minute(15))
    made.closed(20)
    record = Record().measured("spo2", [60, 11 * 60], 97).measured("spo2", [60, 6 * 60, 11 * 60], 96, bed="chair-2")
    track = record.chart(made.session).vitals["spo2"]
    assert [(round((at - START) / NS / 60), value) for at, value in zip(track.at, track.value, strict=True)] == [
        (1, 97),
        (6, 96),
        (11, 96),
    ]


def test_an_assigned_recording_widens_the_chart() -> None:
    made = Chart(bed="")
    made.opened(at=30)
    made.add(entries.Kind.ASSIGNED, 30, bed="chair-2", since=minute(0), until=minute(20))
    made.closed(31)
    record = Record().measured("spo2", [0, 1199], 96, bed="chair-2")
    shown = record.chart(made.session)
    assert shown.span == Span(START, minute(31))
    assert len(shown.vitals["spo2"].at) == 2


def test_phases_follow_each_other_with_their_pauses_to_the_closing() -> None:
    steps = (
        ("baseline", 1),
        ("start", 10),
        ("pause", 20),
        ("resume", 25),
        ("stop", 50),
        ("recovery", 51),
        ("close", 60),
    )
    made = Record().chart(chart(*steps).session)
    assert [(state, (span.since - START) // MINUTE, (span.until - START) // MINUTE) for state, span in made.phases] == [
        (State.CHECK_IN, 0, 1),
        (State.BASELINE, 1, 10),
        (State.RUNNING, 10, 20),
        (State.PAUSED, 20, 25),
        (State.RUNNING, 25, 50),
        (State.STOPPED, 50, 51),
        (State.RECOVERY, 51, 60),
    ]


def test_what_was_measured_before_and_after_a_clock_was_set_back_is_there() -> None:
    made = Chart()
    made.opened(rules=SITE.model_dump(mode="json", exclude_defaults=True))
    made.step("start", 10)
    made.add(entries.Kind.CLOCK_SET, 20 - 60, seconds=-3600.0)
    made.add(entries.Kind.LIMIT, 21 - 60, rule="spo2_low", limit=86.0, reason="known")
    made.step("stop", 30 - 60)
    made.closed(0)
    record = Record().measured("spo2", range(1200), 96).measured("spo2", range(-2400, 0), 95)
    shown = record.chart(made.session)
    assert len(shown.vitals["spo2"].at) == 3600
    assert (shown.summary.recorded, shown.summary.infusion) == (3600, 1200)
    assert 86 in {span.limit.number for span in shown.limits}


def test_an_open_session_is_shown_until_now() -> None:
    record = Record().measured("spo2", seconds(0, 1200), 97)
    made = record.chart(chart(("baseline", 1)).session, minute(15))
    assert made.span == Span(START, minute(15))
    assert made.phases[-1] == (State.BASELINE, Span(minute(1), minute(15)))
    assert len(made.vitals["spo2"].at) == 901


class TestAlerts:
    def test_a_whole_life(self) -> None:
        record = Record().alert(20, AlertState.ON).alert(21, AlertState.ACKNOWLEDGED, actor="Kim")
        record.alert(25, AlertState.OFF).alert(30, AlertState.ON, priority=Priority.MEDIUM)
        record.alert(31, AlertState.ON, priority=Priority.HIGH).alert(33, AlertState.LATCHED)
        record.alert(40, AlertState.OFF, actor="Lee")
        first, second = record.chart(chart(*VISIT).session).alerts
        assert (first.began, first.present_until, first.ended) == (minute(20), minute(25), minute(25))
        assert first.acknowledged is not None
        assert (first.acknowledged.actor, first.acknowledged.at) == ("Kim", minute(21))
        assert (second.priority, second.present_until, second.ended) == (Priority.HIGH, minute(33), minute(40))
        assert second.over_by == "Lee"
        summary = record.chart(chart(*VISIT).session).summary.alerts
        assert [(one.rule, one.times, one.seconds) for one in summary] == [("spo2_low", 2, 8 * 60)]

    def test_what_stood_at_the_closing_and_what_came_after(self) -> None:
        record = Record().alert(59, AlertState.ON).alert(60.2, AlertState.OFF)
        record.alert(60.5, AlertState.ON, "pr_low", session="").alert(60.6, AlertState.OFF, "pr_low", session="")
        record.alert(58, AlertState.ON, "hr_low", session="s0").alert(59, AlertState.OFF, "hr_low", session="s0")
        [life] = record.chart(chart(*VISIT).session).alerts
        assert (life.rule, life.ended) == ("spo2_low", minute(60.2))
        # For how long it was there is told of the session alone.
        assert life.seconds(minute(60)) == 60

    def test_parts_of_combinations_are_left_out_and_silences_told(self) -> None:
        record = Record().alert(10, AlertState.ON, "part", priority=Priority.NONE)
        record.alert(12, AlertState.PAUSED, AUDIO, kind=Kind.OTHER, priority=Priority.NONE, actor="Kim")
        made = record.chart(chart(*VISIT).session)
        assert made.alerts == ()
        assert [(event.rule, event.actor) for event in made.silences] == [(AUDIO, "Kim")]


def test_limits_are_told_as_they_were_in_force() -> None:
    made = Chart()
    made.opened(rules=SITE.model_dump(mode="json", exclude_defaults=True))
    made.step("baseline", 1)
    made.step("start", 10)
    made.add(entries.Kind.LIMIT, 20, rule="spo2_low", limit=86.0, reason="known")
    made.add(entries.Kind.LIMIT, 30, rule="spo2_low", limit=None, reason="better")
    made.step("stop", 50)
    made.closed(60)
    record = Record().measured("nibp_sys", [120, 240, 360], [100, 120, 200])
    found = [
        (
            it.limit.rule,
            it.limit.number,
            it.limit.set_for_session,
            (it.since - START) // MINUTE,
            (it.until - START) // MINUTE,
        )
        for it in record.chart(made.session).limits
    ]
    assert found == [
        ("spo2_low", 90, False, 0, 20),
        ("spo2_low", 86, True, 20, 30),
        ("spo2_low", 90, False, 30, 60),
        # A quarter above the median of the baseline, while the infusion runs or has just stopped.
        ("sys_high", 150, False, 10, 60),
        ("pulse_low", 45, False, 0, 60),
    ]


def test_a_session_of_an_unknown_profile_has_no_limits() -> None:
    made = Chart()
    made.opened(rules={"rules": {"x": {"vital": "spo2", "of_another_version": 1}}})
    made.closed(60)
    assert Record().chart(made.session).limits == ()


def test_a_wrong_clock_is_told_of_its_device() -> None:
    record = Record().measured("spo2", [0, 9], 97, device="oximeter")
    for at, kind, code, state in ((5, "link", "", "lost"), (7, "status", "clock_behind", "on")):
        record.devices_.append(DeviceEvent("chair-1", "oximeter", kind, code, state, "125 s behind", START + at * NS))
    made = record.chart(chart(*VISIT).session)
    [use] = made.equipment
    assert (use.device, use.vitals, use.readings, use.since, use.until) == (
        "oximeter",
        ("spo2",),
        2,
        START,
        START + 9 * NS,
    )
    assert [event.text for event in use.clock] == ["125 s behind"]
    assert len(made.device_events) == 2
