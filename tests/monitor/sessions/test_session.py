"""What a session says of itself, from its entries alone. Times are minutes after the start."""

from __future__ import annotations

import pytest

from monitor.sessions.entries import Kind
from monitor.sessions.session import Stay
from monitor.sessions.steps import Phase, State
from tests.monitor.sessions.helpers import Chart, chart, minute


def elapsed(made, at):
    """Minutes."""
    return made.session.elapsed(minute(at)) / 60


def test_before_the_infusion_nothing_has_run():
    made = chart(("baseline", 5))
    session = made.session
    assert (session.state, session.phase, session.bed) == (State.BASELINE, Phase.BASELINE, "chair-1")
    assert (session.opened_at, session.started_at, session.closed_at) == (minute(0), None, None)
    assert (session.reference, session.planned_minutes, session.profile) == ("P-1", 40, "default")
    assert session.elapsed(minute(20)) == session.overrun(minute(20)) == 0
    assert session.since_start(minute(20)) is None
    assert session.planned_end(minute(20)) is None


def test_pauses_do_not_count_as_infusion_and_count_as_time_since_its_start():
    made = chart(("start", 10), ("pause", 20), ("resume", 25), ("pause", 40), ("resume", 41))
    assert elapsed(made, 50) == 10 + 15 + 9
    assert made.session.since_start(minute(50)) == 40 * 60
    assert made.session.started_at == minute(10)


def test_elapsed_stands_still_while_it_is_paused_and_once_it_is_stopped():
    made = chart(("start", 10), ("pause", 20))
    assert elapsed(made, 25) == elapsed(made, 35) == 10
    made.step("stop", 40)
    made.step("recovery", 45)
    made.closed(100)
    assert elapsed(made, 40) == elapsed(made, 1000) == 10
    # What the discharge asks for stands as it was then.
    assert made.session.since_start(minute(1000)) == 90 * 60


@pytest.mark.parametrize("steps", [("stop",), ("stop", "recovery"), ("pause", "stop")])
def test_an_infusion_that_was_stopped_can_be_resumed_and_goes_on_counting(steps):
    made = chart(("start", 10))
    for number, step in enumerate(steps):
        made.step(step, 20 + number)
    made.step("resume", 30)
    assert made.session.state is State.RUNNING
    assert elapsed(made, 35) == 15
    assert made.session.planned_end(minute(35)) == minute(60)
    assert made.session.phase is Phase.INFUSION


@pytest.mark.parametrize(("at", "overrun"), [(49, 0), (50, 0), (51, 1), (70, 20)])
def test_overrun_is_what_has_run_beyond_the_plan(at, overrun):
    assert chart(("start", 10)).session.overrun(minute(at)) == overrun * 60


def test_an_overrun_stays_once_it_is_stopped():
    made = chart(("start", 10), ("stop", 53))
    assert made.session.overrun(minute(90)) == 3 * 60


def test_the_planned_end_is_said_while_it_runs_and_moves_by_its_pauses():
    made = chart(("start", 10))
    assert made.session.planned_end(minute(11)) == made.session.planned_end(minute(49)) == minute(50)
    # It had run as long as planned then.
    assert made.session.planned_end(minute(70)) == minute(50)
    made.step("pause", 20)
    assert made.session.planned_end(minute(22)) is None
    made.step("resume", 27)
    assert made.session.planned_end(minute(28)) == minute(57)
    made.step("stop", 30)
    assert made.session.planned_end(minute(31)) is None


def test_another_plan_is_a_correction_of_the_opening():
    made = chart(("start", 10))
    made.corrected(1, 15, planned_minutes=60, reference="P-2")
    session = made.session
    assert (session.planned_minutes, session.reference) == (60, "P-2")
    assert session.planned_end(minute(20)) == minute(70)
    # What was written first is still there.
    assert session.shown[0].entry.content["planned_minutes"] == 40
    assert session.shown[0].corrected_by == (3,)


def test_a_corrected_time_counts_everywhere():
    made = chart(("start", 10), ("stop", 40))
    made.corrected(2, 45, right=12)
    made.corrected(3, 46, right=42)
    session = made.session
    assert session.started_at == minute(12)
    assert elapsed(made, 60) == 30
    assert session.since_start(minute(60)) == 48 * 60
    assert session.phase_began_at == minute(12)
    assert session.shown[1].entry.at == minute(10)


def test_of_two_corrections_the_last_stands():
    made = chart(("start", 10))
    made.corrected(2, 20, right=11)
    made.corrected(2, 21, right=12)
    assert made.session.started_at == minute(12)
    assert made.session.shown[1].corrected_by == (3, 4)
    assert [shown.entry.number for shown in made.session.standing] == [1, 2]


def test_a_void_step_was_never_made():
    made = chart(("start", 10), ("pause", 20))
    made.corrected(3, 30, void=True)
    session = made.session
    assert session.state is State.RUNNING
    assert elapsed(made, 40) == 30
    assert session.shown[2].void
    made.corrected(2, 41, void=True)
    session = made.session
    assert (session.state, session.started_at) == (State.CHECK_IN, None)
    assert elapsed(made, 50) == 0


def test_a_void_closing_opens_the_session_again_where_it_was():
    made = chart(("start", 10), ("stop", 40), ("recovery", 45), ("close", 100))
    assert (made.session.state, made.session.bed, made.session.closed_at) == (State.CLOSED, "", minute(100))
    assert made.session.last_bed == "chair-1"
    assert made.session.stays == (Stay("chair-1", minute(0), minute(100)),)
    made.corrected(5, 105, void=True)
    session = made.session
    assert (session.state, session.bed, session.closed_at) == (State.RECOVERY, "chair-1", None)
    assert session.stays == (Stay("chair-1", minute(0), None),)
    assert session.since_start(minute(110)) == 100 * 60
    made.closed(120)
    assert made.session.closed_at == minute(120)


@pytest.mark.parametrize("hours", [5, -5, 0.5, -0.5])
def test_a_clock_that_is_set_while_it_runs_changes_no_duration(hours):
    made = chart(("start", 10))
    # At minute 20 the clock is set, and everything after that has its time by the new one.
    made.clock_set(hours * 3600, 20 + hours * 60)
    later = hours * 60
    assert elapsed(made, 30 + later) == pytest.approx(20)
    assert made.session.planned_end(minute(30 + later)) == minute(50 + later)
    made.step("pause", 35 + later)
    made.step("resume", 40 + later)
    made.step("stop", 55 + later)
    assert elapsed(made, 80 + later) == pytest.approx(25 + 15)
    assert made.session.since_start(minute(80 + later)) == pytest.approx(70 * 60)
    assert made.session.state is State.STOPPED


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_set_during_a_pause_changes_no_duration(hours):
    made = chart(("start", 10), ("pause", 20))
    made.clock_set(hours * 3600, 25 + hours * 60)
    later = hours * 60
    assert elapsed(made, 40 + later) == 10
    made.step("resume", 40 + later)
    assert elapsed(made, 50 + later) == pytest.approx(20)
    # Back again: two settings add up.
    made.clock_set(-hours * 3600, 50)
    assert elapsed(made, 55) == pytest.approx(25)
    assert made.session.planned_end(minute(55)) == minute(70)


def test_the_latest_score_is_that_of_the_later_moment_also_where_the_clock_was_set_back_between():
    made = chart(("start", 10))
    made.add(Kind.SCORE, 50, scale="moaas", value=2)
    made.clock_set(-3600, -5)
    made.add(Kind.SCORE, 10, scale="moaas", value=5)
    assert made.session.latest(Kind.SCORE, "scale")["moaas"].content["value"] == 5


def test_of_two_scores_that_of_the_later_moment_counts_whenever_they_were_entered():
    made = chart()
    made.add(Kind.SCORE, 20, scale="pain", value=3)
    made.add(Kind.SCORE, 10, entered=30, scale="pain", value=8)
    made.add(Kind.SCORE, 15, scale="nausea", value=1)
    latest = made.session.latest(Kind.SCORE, "scale")
    assert {scale: shown.content["value"] for scale, shown in latest.items()} == {"pain": 3, "nausea": 1}
    # Of two at one moment, the one that was entered last.
    made.add(Kind.SCORE, 20, entered=31, scale="pain", value=4)
    assert made.session.latest(Kind.SCORE, "scale")["pain"].content["value"] == 4
    made.corrected(5, 40, void=True)
    assert made.session.latest(Kind.SCORE, "scale")["pain"].content["value"] == 3
    made.corrected(2, 41, value=2)
    assert made.session.latest(Kind.SCORE, "scale")["pain"].content["value"] == 2


@pytest.mark.parametrize(("entered", "late"), [(10, 0), (10.9, 0), (11, 60), (25, 900), (9, 0)])
def test_an_entry_is_late_from_a_minute_on(entered, late):
    made = chart()
    made.add(Kind.NOTE, 10, entered=entered, text="cold")
    assert made.session.shown[1].late == late


def test_an_entry_of_which_the_right_time_is_earlier_is_late_by_that():
    made = chart()
    made.add(Kind.NOTE, 10, text="cold")
    made.corrected(2, 30, right=5)
    assert made.session.shown[1].late == 300


def test_a_move_ends_one_stay_and_begins_the_next():
    made = chart(("start", 10))
    made.moved("chair-2", 20)
    made.step("stop", 40)
    made.moved("chair-1", 50)
    session = made.session
    assert session.bed == session.last_bed == "chair-1"
    assert session.stays == (
        Stay("chair-1", minute(0), minute(20)),
        Stay("chair-2", minute(20), minute(50)),
        Stay("chair-1", minute(50), None),
    )
    assert elapsed(made, 60) == 30
    made.closed(70)
    assert made.session.stays[-1] == Stay("chair-1", minute(50), minute(70))
    assert (made.session.bed, made.session.last_bed) == ("", "chair-1")


@pytest.mark.parametrize(
    ("seconds", "closed", "stays"),
    [
        # By the clock that was set at minute 20, and what the session's stretches of the bed are by all clocks.
        (-0.5, 60, [(0, 60)]),
        (-600, 15, [(0, 20)]),
        (-3600, 0, [(-40, 20)]),
        (-3600, None, [(-40, None)]),
        (-10_800, -120, [(-160, -120), (0, 20)]),
        (3600, 120, [(0, 120)]),
    ],
)
def test_a_clock_that_is_set_back_takes_no_reading_away(seconds, closed, stays):
    made = Chart()
    made.opened()
    made.clock_set(seconds, 20 + seconds / 60)
    if closed is not None:
        made.closed(closed)
    told = [Stay("chair-1", minute(since), None if until is None else minute(until)) for since, until in stays]
    assert made.session.stays == tuple(told)


def test_a_corrected_time_of_a_move_moves_both_stays():
    made = chart()
    made.moved("chair-2", 20)
    made.corrected(2, 30, right=18)
    assert made.session.stays == (Stay("chair-1", minute(0), minute(18)), Stay("chair-2", minute(18), None))


def test_a_recording_that_was_assigned_is_a_stay_until_that_is_void():
    made = chart()
    content = {"bed": "chair-3", "since": minute(-60), "until": minute(-10)}
    number = made.add(Kind.ASSIGNED, 5, **content)
    assert made.session.stays == (
        Stay("chair-1", minute(0), None),
        Stay("chair-3", minute(-60), minute(-10)),
    )
    assert made.session.bed == "chair-1"
    made.corrected(number, 6, void=True)
    assert made.session.stays == (Stay("chair-1", minute(0), None),)


def test_a_session_without_a_bed_has_only_what_was_assigned_to_it():
    made = Chart(bed="")
    made.opened()
    assert (made.session.bed, made.session.last_bed, made.session.stays) == ("", "", ())
    made.add(Kind.ASSIGNED, 5, bed="chair-1", since=minute(-60), until=minute(-10))
    assert made.session.stays == (Stay("chair-1", minute(-60), minute(-10)),)
    made.moved("chair-2", 10)
    assert made.session.bed == "chair-2"
    assert Stay("chair-2", minute(10), None) in made.session.stays


@pytest.mark.parametrize(
    ("steps", "began"),
    [
        ((), 0),
        ((("baseline", 5),), 5),
        ((("start", 10), ("pause", 20), ("resume", 30)), 10),
        ((("start", 10), ("pause", 20), ("stop", 30)), 10),
        ((("start", 10), ("stop", 30), ("recovery", 40)), 40),
        ((("start", 10), ("stop", 30), ("recovery", 40), ("resume", 50)), 50),
    ],
)
def test_a_phase_begins_with_its_first_step(steps, began):
    assert chart(*steps).session.phase_began_at == minute(began)


def test_only_people_count_as_having_entered_something():
    made = chart(("start", 10))
    made.add(Kind.NOTE, 12, entered=20, text="cold")
    made.clock_set(0, 90)
    assert made.session.last_entered_at == minute(20)
