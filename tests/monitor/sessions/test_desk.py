"""The desk over a real journal: each request done once, whatever the disk, the clock and other people do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import ValidationError

from drivers.clock import NS
from drivers.errors import ConfirmationNeeded, JournalUnusable, StepRefused
from drivers.events import measured
from monitor.alerts import profile_file
from monitor.alerts.conditions import AlertState, Why
from monitor.sessions import recorded
from monitor.sessions.entries import Kind
from monitor.sessions.requests import REQUEST
from monitor.sessions.session import Session, Stay
from monitor.sessions.steps import State
from monitor.storage.history import History
from monitor.storage.session_entries import SessionEntries
from monitor.storage.set_aside import damaged_files
from tests.monitor.sessions.helpers import START, Station, minute, moment, settable
from tests.monitor.storage.helpers import assert_whole

DAY = 86_400


@pytest.fixture
async def stations():
    """Starts stations, and stops them after the test, however that ends."""
    started = []

    async def start(folder, clock=None, **settings):
        started.append(Station(folder, clock, **settings))
        return await started[-1].start()

    yield start
    for station in started:
        await station.stop()


@pytest.fixture
async def station(stations, tmp_path):
    return await stations(tmp_path / "data")


def kinds(made):
    return [entry.kind.value for entry in made]


async def walk(station, *steps):
    """Open a session on chair-1 and go these steps; gives it."""
    await station.go("open", *steps)
    return station.made[-1][0]


# One request, one entry.


async def test_what_was_answered_is_on_disk(station):
    done = await station.do(verb="open", bed="chair-1", reference="P-1", planned_minutes=50, by="bea")
    assert done.recorded
    [entry] = station.stored()
    assert done.entries == (entry,)
    assert (entry.session, entry.number, entry.kind) == (done.session.id, 1, Kind.OPENED)
    assert (entry.author, entry.bed, entry.at, entry.entered_at) == ("bea", "chair-1", START, START)
    rules = profile_file.shipped("adult_infusion").model_dump(mode="json", exclude_defaults=True)
    assert entry.content == {"reference": "P-1", "planned_minutes": 50, "profile": "adult_infusion", "rules": rules}
    assert station.desk.on_bed("chair-1") is done.session
    assert station.desk.on_bed("chair-2") is None


async def test_a_session_without_its_own_plan_has_the_sites(station):
    done = await station.do(verb="open", bed="chair-1", reference="P-1")
    assert done.session.planned_minutes == 40


async def test_the_same_request_again_is_answered_again_and_done_once(station):
    await walk(station, "baseline")
    request = uuid4().hex
    fields = {"verb": "note", "session": "chair-1", "text": "cold", "request": request}
    first = await station.do(**fields)
    await station.do(verb="note", session="chair-1", text="warm")
    again = await station.do(**fields)
    assert again.entries == first.entries
    assert again.recorded
    assert kinds(station.stored()) == ["opened", "step", "note", "note"]


async def test_the_same_step_again_is_no_second_step_and_no_refusal(station):
    await walk(station)
    fields = {"verb": "phase", "session": "chair-1", "step": "baseline", "request": uuid4().hex}
    first = await station.do(**fields)
    await station.go("start", "pause")
    again = await station.do(**fields)
    assert again.entries == first.entries
    assert again.session.state is State.PAUSED


async def test_the_same_opening_again_is_no_second_session(station):
    fields = {"verb": "open", "bed": "chair-1", "reference": "P-1", "request": uuid4().hex}
    first, again = await asyncio.gather(station.do(**fields), station.do(**fields))
    assert first.entries == again.entries
    await station.restart()
    assert (await station.do(**fields)).entries == first.entries
    await station.go("close")
    # Closed or not: it was done.
    assert (await station.do(**fields)).entries == first.entries
    await station.restart()
    assert (await station.do(**fields)).entries == first.entries
    assert kinds(station.stored()) == ["opened", "closed"]


async def test_a_request_that_was_refused_is_decided_anew_when_it_is_sent_again(station):
    await walk(station)
    fields = {"verb": "phase", "session": "chair-1", "step": "pause", "request": uuid4().hex}
    await station.refused(**fields)
    await station.go("start")
    assert (await station.do(**fields)).session.state is State.PAUSED


async def test_entries_at_one_moment_all_stay(station):
    """The clock of the test stands still."""
    await walk(station)
    await asyncio.gather(*(station.do(verb="note", session="chair-1", text=f"note {n}") for n in range(12)))
    stored = station.stored()
    assert [entry.number for entry in stored] == list(range(1, 14))
    assert [entry.content["text"] for entry in stored[1:]] == [f"note {n}" for n in range(12)]
    assert [entry for _, entry in station.made] == stored


# Two people.


@pytest.mark.parametrize("step", ["baseline", "start"])
async def test_two_people_at_once_get_one_step_and_one_refusal_that_says_who_did_it(station, step):
    await walk(station)
    fields = {"verb": "phase", "session": "chair-1", "step": step, "confirm": True}
    first, second = await asyncio.gather(
        station.do(**fields, by="anna"), station.do(**fields, by="bea"), return_exceptions=True
    )
    done, refusal = (first, second) if isinstance(second, Exception) else (second, first)
    assert type(refusal) is StepRefused
    assert f"by {done.entries[0].author}." in str(refusal)
    assert step not in refusal.possible
    assert len(refusal.possible) > 0
    assert kinds(station.stored()) == ["opened", "step"]


async def test_two_people_who_close_at_once_get_one_closing(station):
    await walk(station, "start", "stop", "recovery")
    fields = {"verb": "close", "session": station.desk.on_bed("chair-1").id, "reason": "went home"}
    answers = await asyncio.gather(
        station.do(**fields, by="anna"), station.do(**fields, by="bea"), return_exceptions=True
    )
    [refusal] = [it for it in answers if isinstance(it, Exception)]
    assert "Possible now: nothing, it is closed" in str(refusal)
    assert kinds(station.stored()).count("closed") == 1


async def test_two_openings_of_one_bed_at_once_are_one_session(station):
    answers = await asyncio.gather(
        *(station.do(verb="open", bed="chair-1", reference=f"P-{n}", by=by) for n, by in enumerate(["anna", "bea"])),
        return_exceptions=True,
    )
    [done] = [it for it in answers if not isinstance(it, Exception)]
    [refusal] = [it for it in answers if isinstance(it, Exception)]
    assert "chair-1 has an open session" in str(refusal)
    assert f"{done.session.id}, opened at" in str(refusal)
    assert str(refusal).endswith(f"by {done.entries[0].author}")
    assert len(station.stored()) == 1


async def test_two_people_at_two_beds_do_not_meet(station):
    await asyncio.gather(*(station.do(verb="open", bed=bed, reference="P-1") for bed in ("chair-1", "chair-2")))
    await asyncio.gather(*(station.do(verb="note", session=bed, text=bed) for bed in ("chair-1", "chair-2")))
    for bed in ("chair-1", "chair-2"):
        assert kinds(station.desk.on_bed(bed).entries) == ["opened", "note"]


# Beds.


async def test_a_bed_has_one_session_after_the_other(station):
    for number in range(3):
        await station.go("open", "start", "stop", "close")
        assert station.desk.on_bed("chair-1") is None
        assert len(station.stored()) == 4 * (number + 1)
    visits = [Session(made) for made in SessionEntries(station.folder).all()]
    assert len({visit.id for visit in visits}) == 3
    stays = [visit.stays[0] for visit in visits]
    assert all(before.until <= after.since for before, after in itertools.pairwise(stays))


async def test_the_next_session_can_begin_at_the_minute_at_which_the_last_one_ended(station):
    """Entered afterwards, from a sheet of paper with times to the minute."""
    await station.clock.advance(7200)
    await station.do(verb="open", bed="chair-1", reference="P-1", at=moment(10))
    for step in ("start", "stop"):
        await station.do(verb="phase", session="chair-1", step=step, confirm=True, at=moment(50))
    await station.do(verb="close", session="chair-1", reason="paper", at=moment(50))
    done = await station.do(verb="open", bed="chair-1", reference="P-2", at=moment(50))
    assert done.session.opened_at - minute(50) < NS


@pytest.mark.parametrize("steps", [("baseline", "start"), ("start", "pause", "stop", "recovery")])
async def test_steps_of_one_minute_are_entered_afterwards_in_their_order(station, steps):
    await station.do(verb="open", bed="chair-1", reference="P-1")
    await station.clock.advance(3600)
    for step in steps:
        await station.do(verb="phase", session="chair-1", step=step, confirm=True, at=moment(30))
    session = station.desk.on_bed("chair-1")
    assert [it.content.get("step") for it in session.steps] == [None, *steps]
    assert all(abs(it.at - minute(30)) < NS for it in session.steps[1:])


async def test_a_step_at_the_minute_of_the_opening(station):
    await station.do(verb="open", bed="chair-1", reference="P-1", at=moment(0))
    await station.do(verb="phase", session="chair-1", step="baseline", at=moment(0))
    done = await station.do(verb="phase", session="chair-1", step="start", confirm=True, at=moment(0))
    assert done.session.state is State.RUNNING


async def test_a_patient_moves_with_the_history(station):
    session = await walk(station, "start")
    await station.clock.advance(600)
    await station.do(verb="move", session="chair-1", bed="chair-2")
    assert station.desk.on_bed("chair-1") is None
    done = await station.do(verb="note", session="chair-2", text="moved well")
    assert done.session.id == session.id
    assert [entry.bed for entry in done.session.entries] == ["chair-1", "chair-1", "chair-2", "chair-2"]
    assert [stay.bed for stay in done.session.stays] == ["chair-1", "chair-2"]
    # The bed that was left is free.
    await station.do(verb="open", bed="chair-1", reference="P-2")
    await station.restart()
    assert station.desk.on_bed("chair-2").id == session.id
    assert station.desk.on_bed("chair-1").reference == "P-2"


async def test_nobody_moves_onto_an_occupied_bed_nor_onto_their_own(station):
    await station.go("open")
    await station.go("open", session="chair-2")
    assert "chair-2 has an open session" in str(await station.refused(verb="move", session="chair-1", bed="chair-2"))
    assert "already" in str(await station.refused(verb="move", session="chair-1", bed="chair-1"))
    first, second = await asyncio.gather(
        station.do(verb="move", session="chair-1", bed="chair-2"),
        station.do(verb="close", session="chair-2", reason="went home"),
        return_exceptions=True,
    )
    # In their order: the bed was not free yet.
    assert isinstance(first, StepRefused)
    assert second.session.state is State.CLOSED
    await station.do(verb="move", session="chair-1", bed="chair-2")


async def test_a_closed_session_moves_nowhere(station):
    session = await walk(station, "close")
    assert "is closed" in str(await station.refused(verb="move", session=session.id, bed="chair-2"))


async def test_an_opening_in_the_past_that_meets_another_session_is_refused(station):
    await station.go("open", "close")
    await station.clock.advance(3600)
    refusal = await station.refused(verb="open", bed="chair-1", reference="P-2", at=moment(1.5))
    assert "a recording belongs to one session" in str(refusal)
    await station.do(verb="open", bed="chair-1", reference="P-2", at=moment(2.5))


# Recordings that were made without a session.


async def test_a_recording_of_a_gap_is_assigned_and_one_of_another_session_is_not(station):
    await station.clock.advance(3600)
    first = await walk(station, "close")
    # A patient whom nobody opened a session for, from minute 70 to 100.
    await station.clock.advance(7200)
    visit = (await station.do(verb="open", reference="P-2")).session
    assert (visit.bed, visit.stays) == ("", ())
    wrong = {"verb": "assign", "session": visit.id, "bed": "chair-1"}
    closed = (first.closed_at - START) / (60 * NS)
    refusal = await station.refused(**wrong, since=moment(closed - 0.5), until=moment(100))
    assert f"chair-1 was in session {first.id}" in str(refusal)
    done = await station.do(**wrong, since=moment(closed), until=moment(100))
    assert done.session.stays == (Stay("chair-1", first.closed_at, minute(100)),)
    # From then on it is taken.
    other = (await station.do(verb="open", reference="P-3")).session
    assign = {"verb": "assign", "session": other.id, "bed": "chair-1", "since": moment(90), "until": moment(110)}
    assert f"in session {visit.id}" in str(await station.refused(**assign))
    await station.do(verb="correct", session=visit.id, number=2, void=True, reason="not hers")
    await station.do(**assign)
    for session in (visit, other):
        await station.do(verb="close", session=session.id, reason="paper only")
    # Both are closed and on disk alone.
    await station.restart()
    third = (await station.do(verb="open", reference="P-4")).session
    assert f"in session {other.id}" in str(await station.refused(**{**assign, "session": third.id}))
    await station.do(**{**assign, "session": third.id, "since": moment(80), "until": moment(90)})


async def test_a_recording_that_is_no_span_or_not_over_is_not_assigned(station):
    await station.clock.advance(3600)
    visit = (await station.do(verb="open", reference="P-2")).session
    assign = {"verb": "assign", "session": visit.id, "bed": "chair-1"}
    await station.refused(**assign, since=moment(30), until=moment(30))
    await station.refused(**assign, since=moment(30), until=moment(20))
    assert "in the future" in str(await station.refused(**assign, since=moment(30), until=moment(61)))
    assert kinds(station.stored()) == ["opened"]


async def test_a_recording_is_assigned_to_a_closed_session(station):
    await station.clock.advance(3600)
    visit = await walk(station, "close")
    assign = {"verb": "assign", "session": visit.id, "bed": "chair-2", "since": moment(30), "until": moment(40)}
    done = await station.do(**assign)
    assert (done.session.state, len(done.session.stays)) == (State.CLOSED, 2)


@pytest.mark.parametrize("bed", ["chair-1", "chair-2"])
async def test_a_reading_counts_once_however_often_its_recording_was_made_a_part_of_the_session(station, bed):
    await walk(station, "baseline", "start")
    on_disk = asyncio.Event()
    events = [measured("nibp_sys", 120, minute(2.5), minute(2.5))]
    station.journal.record(bed, "cuff", events, on_disk.set)
    await asyncio.wait_for(on_disk.wait(), 60)
    for _ in range(2):
        # Refused or not: that is not what this is about.
        with contextlib.suppress(StepRefused):
            await station.do(verb="assign", session="chair-1", bed=bed, since=moment(0), until=moment(3))
    session = station.desk.on_bed("chair-1")
    found = recorded.read(History(station.folder), session, station.clock.now_ns())
    assert found.baseline == {"nibp_sys": (120,)}


# Corrections.


async def test_each_kind_of_entry_is_corrected_in_what_it_says(station):
    await walk(station)
    await station.do(verb="check", session="chair-1", item="consent", answer="no")
    await station.do(verb="note", session="chair-1", text="colt")
    await station.do(verb="note", session="chair-1", event="nausea", text="a little")
    await station.do(verb="note", session="chair-1", dose=True, text="0.5 mg/kg")
    await station.do(verb="score", session="chair-1", scale="pain", value=3)
    corrections = [
        (1, {"reference": "P-9", "planned_minutes": 55}),
        (2, {"answer": "yes"}),
        (3, {"text": "cold"}),
        (4, {"text": "a lot"}),
        (5, {"text": "0.4 mg/kg"}),
        (6, {"value": 4}),
    ]
    for number, content in corrections:
        await station.do(verb="correct", session="chair-1", number=number, reason="a slip", by="bea", **content)
    await station.restart()
    session = station.desk.on_bed("chair-1")
    assert (session.reference, session.planned_minutes) == ("P-9", 55)
    for index, (number, content) in enumerate(corrections):
        shown = session.shown[number - 1]
        assert shown.content == {**shown.entry.content, **content}
        assert shown.corrected_by == (7 + index,)
        # Both stay.
        assert shown.entry.content != shown.content
        assert session.entries[6 + index].content == {"corrects": number, "reason": "a slip", **content}


@pytest.mark.parametrize(
    ("number", "content", "text"),
    [
        (1, {"void": True}, "void cannot be corrected"),
        (1, {"text": "x"}, "text cannot be corrected"),
        (2, {"planned_minutes": 3}, "planned_minutes cannot be corrected"),
        (3, {"text": "x"}, "text cannot be corrected"),
        (3, {"answer": "yes"}, "skipped the item"),
        (5, {"answer": "yes"}, "answer cannot be corrected"),
        (5, {"value": 11}, "11 is outside"),
        (6, {"void": True}, "void cannot be corrected"),
        (7, {"text": "x"}, "cannot be corrected"),
        (4, {"text": "x"}, "void already, see entry 7"),
        (5, {}, "says what is to stand instead"),
        (5, {"void": True, "value": 3}, "not both"),
        (5, {"at": moment(600)}, "in the future"),
        (99, {"void": True}, "has no entry 99"),
    ],
)
async def test_a_correction_that_makes_no_sense_is_refused_and_leaves_nothing(station, number, content, text):
    await walk(station, "baseline")
    await station.do(verb="check", session="chair-1", item="consent", skip="emergency")
    await station.do(verb="note", session="chair-1", text="cold")
    await station.do(verb="score", session="chair-1", scale="pain", value=3)
    await station.do(verb="move", session="chair-1", bed="chair-2")
    await station.do(verb="correct", session="chair-2", number=4, void=True, reason="a slip")
    refusal = await station.refused(verb="correct", session="chair-2", number=number, reason="a slip", **content)
    assert text in str(refusal)
    assert len(station.stored()) == 7


async def test_a_correction_that_has_no_reason_is_no_request(station):
    with pytest.raises(ValidationError):
        await station.do(verb="correct", session="chair-1", number=1, reference="P-2")


async def test_only_the_last_step_is_voided(station):
    await walk(station, "baseline", "start", "pause")
    refusal = await station.refused(verb="correct", session="chair-1", number=3, void=True, reason="a slip")
    assert "only the last step can be void, entry 4" in str(refusal)
    for number in (4, 3, 2):
        await station.do(verb="correct", session="chair-1", number=number, void=True, reason="a slip")
    await station.restart()
    assert station.desk.on_bed("chair-1").state is State.CHECK_IN
    await station.go("baseline")


async def test_a_corrected_time_of_a_step_stays_between_its_neighbours(station):
    await walk(station, "baseline", "start", "stop")
    # Opened at minute 1, then one step a minute.
    await station.clock.advance(3600)
    correct = {"verb": "correct", "session": "chair-1", "reason": "a slip"}
    assert "follows entry 2" in str(await station.refused(**correct, number=3, at=moment(1.9)))
    assert "entry 4 follows" in str(await station.refused(**correct, number=3, at=moment(4.1)))
    await station.do(**correct, number=3, at=moment(3.5))
    assert station.desk.on_bed("chair-1").started_at == minute(3.5)
    await station.do(**correct, number=1, at=moment(-60))
    await station.do(**correct, number=4, at=moment(30))
    assert station.desk.on_bed("chair-1").elapsed(minute(60)) == 26.5 * 60


async def test_a_corrected_time_takes_no_other_sessions_recording(station):
    await station.go("open", "close")
    await station.go("open", "close")
    first, second = (Session(made) for made in SessionEntries(station.folder).all())
    await station.clock.advance(3600)
    correct = {"verb": "correct", "reason": "a slip"}
    assert f"session {second.id}" in str(await station.refused(**correct, session=first.id, number=2, at=moment(3.5)))
    assert f"session {first.id}" in str(await station.refused(**correct, session=second.id, number=1, at=moment(1.5)))
    await station.do(**correct, session=first.id, number=2, at=moment(2.5))


async def test_a_void_closing_opens_the_session_again_if_the_bed_is_still_free(station):
    session = await walk(station, "start", "stop", "close")
    correct = {"verb": "correct", "session": session.id, "number": 4, "void": True, "reason": "stayed"}
    await station.go("open")
    assert "a recording belongs to one session" in str(await station.refused(**correct))
    other = station.desk.on_bed("chair-1").id
    # Not even when the other one has gone too: the bed's recording in between was that one's.
    await station.go("close")
    assert f"in session {other}" in str(await station.refused(**correct))
    third = await walk(station, "start", "stop", "close")
    done = await station.do(**{**correct, "session": third.id})
    assert done.session.state is State.STOPPED
    await station.restart()
    assert station.desk.on_bed("chair-1").id == third.id
    await station.go("recovery", "close")
    await station.restart()
    assert station.desk.on_bed("chair-1") is None


async def test_a_closed_session_takes_late_entries_and_corrections_and_stays_closed(station):
    session = await walk(station, "start", "stop", "close")
    await station.clock.advance(DAY)
    done = await station.do(verb="note", session=session.id, text="called: all is well", at=moment(60))
    assert done.session.shown[-1].late == DAY + 240 - 3600
    await station.do(verb="score", session=session.id, scale="pain", value=2, at=moment(4))
    await station.do(verb="check", session=session.id, item="escort_here")
    await station.do(verb="correct", session=session.id, number=5, text="called her: all is well", reason="whom")
    await station.restart()
    assert station.desk.on_bed("chair-1") is None
    stored = station.stored(session.id)
    assert [entry.bed for entry in stored] == ["chair-1"] * 8
    assert Session(stored).state is State.CLOSED
    assert "closed" in str(await station.refused(verb="phase", session=session.id, step="resume"))
    # The next patient is not in the way of what is written of the last one.
    await station.go("open")
    await station.do(verb="correct", session=session.id, number=6, value=3, reason="a slip")


# What there is not.


async def test_what_is_not_known_is_refused_with_what_there_is(station):
    await walk(station)
    wrong = [
        ({"verb": "open", "bed": "chair-9", "reference": "P-2"}, "chair-9", ("chair-1", "chair-2")),
        ({"verb": "open", "reference": "P-2", "profile": "loud"}, "adult_infusion", ("adult_infusion",)),
        ({"verb": "move", "session": "chair-1", "bed": "chair-9"}, "chair-9", ("chair-1", "chair-2")),
        ({"verb": "note", "session": "chair-2", "text": "x"}, "no session is open on chair-2", ()),
        ({"verb": "note", "session": "20260101-nobody", "text": "x"}, "no session '20260101-nobody'", ()),
        ({"verb": "note", "session": "chair-1"}, "needs a text", ()),
        ({"verb": "note", "session": "chair-1", "event": "nausea", "dose": True}, "not both", ()),
        ({"verb": "check", "session": "chair-1", "item": "consent", "answer": "x", "skip": "y"}, "not both", ()),
        ({"verb": "score", "session": "chair-1", "scale": "moaas", "value": 6}, "from 0 to 5", ()),
        ({"verb": "score", "session": "chair-1", "scale": "moaas", "value": -1}, "from 0 to 5", ()),
    ]
    for fields, text, possible in wrong:
        refusal = await station.refused(**fields)
        assert text in str(refusal)
        assert refusal.possible == possible
    for fields, known in [
        ({"verb": "check", "item": "x"}, "consent"),
        ({"verb": "note", "event": "x"}, "nausea"),
        ({"verb": "score", "scale": "x", "value": 1}, "moaas"),
    ]:
        refusal = await station.refused(session="chair-1", **fields)
        assert known in refusal.possible
        assert known in str(refusal)
    assert kinds(station.stored()) == ["opened"]


async def test_a_score_is_a_whole_number_of_its_scale(station):
    await walk(station)
    with pytest.raises((StepRefused, ValidationError)):
        await station.do(verb="score", session="chair-1", scale="moaas", value=4.5)
    done = await station.do(verb="score", session="chair-1", scale="moaas", value=5)
    assert done.entries[0].content["value"] == 5
    assert done.entries[0].content["version"] == "0-5, with trapezius squeeze (after Chernik 1990)"


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "open", "bed": "chair-2", "reference": "P-2"},
        {"verb": "phase", "session": "chair-1", "step": "baseline"},
        {"verb": "check", "session": "chair-1", "item": "consent"},
        {"verb": "note", "session": "chair-1", "text": "x"},
        {"verb": "score", "session": "chair-1", "scale": "pain", "value": 3},
        {"verb": "move", "session": "chair-1", "bed": "chair-2"},
        {"verb": "close", "session": "chair-1", "reason": "x"},
    ],
)
@pytest.mark.parametrize("at", [moment(2), "2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
async def test_nothing_happens_in_the_future_or_at_a_time_that_the_journal_cannot_hold(station, fields, at):
    await walk(station)
    with pytest.raises((StepRefused, ValidationError)):
        await station.do(**fields, at=at)
    assert len(station.stored()) == 1


async def test_a_recording_from_before_all_time_is_not_assigned(station):
    await walk(station)
    with pytest.raises((StepRefused, ValidationError)):
        await station.do(
            verb="assign", session="chair-1", bed="chair-2", since="0001-01-01T00:00:00Z", until=moment(0.5)
        )
    assert len(station.stored()) == 1


async def test_a_step_before_the_last_one_is_refused(station):
    await walk(station, "start")
    refusal = await station.refused(verb="phase", session="chair-1", step="stop", at=moment(1.5))
    assert "entry 2 was at" in str(refusal)
    done = await station.do(verb="phase", session="chair-1", step="stop", at=moment(2))
    assert done.session.state is State.STOPPED


@pytest.mark.parametrize("text", ["anna\nbea", "anna\tbea", "\x1b[2J", "\ud83e", " "])
async def test_a_name_is_one_line_that_can_be_printed(text):
    with pytest.raises(ValidationError):
        REQUEST.validate_python({"verb": "open", "bed": "chair-1", "reference": "P-1", "by": text})


# Before the infusion and before the discharge.


async def test_an_infusion_with_something_open_is_started_once_somebody_confirms_it(station):
    await walk(station, "baseline")
    with pytest.raises(ConfirmationNeeded) as asked:
        await station.do(verb="phase", session="chair-1", step="start")
    assert "Identity confirmed" in asked.value.open
    assert "no baseline reading of NIBP sys" in asked.value.open
    assert kinds(station.stored()) == ["opened", "step"]
    done = await station.do(verb="phase", session="chair-1", step="start", confirm=True, reason="urgent")
    assert done.entries[0].content == {"step": "start", "confirmed": list(asked.value.open), "reason": "urgent"}


async def test_an_infusion_with_nothing_open_needs_no_confirmation(station):
    await walk(station, "baseline")
    for item in ("identity", "candidacy", "consent", "fasting", "escort"):
        await station.do(verb="check", session="chair-1", item=item)
    await station.do(verb="check", session="chair-1", item="allergies", skip="unconscious")
    now = station.clock.now_ns()
    on_disk = asyncio.Event()
    values = {"nibp_sys": 120, "nibp_dia": 80, "spo2": 97}
    events = [measured(vital, value, now, now) for vital, value in values.items()]
    station.journal.record("chair-1", "monitor", events, on_disk.set)
    await asyncio.wait_for(on_disk.wait(), 60)
    await station.clock.advance(60)
    done = await station.do(verb="phase", session="chair-1", step="start")
    assert done.entries[0].content == {"step": "start"}


async def test_a_closing_of_the_past_is_held_against_what_was_measured_until_then(station):
    """The bed goes on being recorded after the patient has left."""
    await walk(station, "baseline")
    on_disk = asyncio.Event()
    readings = [("nibp_sys", minute(2), 120), ("nibp_sys", minute(20), 200), ("nibp_sys", minute(60), 120)]
    events = [measured(vital, value, when, when) for vital, when, value in readings]
    station.journal.record("chair-1", "monitor", events, on_disk.set)
    await asyncio.wait_for(on_disk.wait(), 60)
    await station.go("start", "stop")
    await station.clock.advance(3600)
    done = await station.do(verb="close", session="chair-1", reason="left", at=moment(25))
    [found] = [it for it in done.entries[0].content["criteria"] if it["id"] == "vital_nibp_sys"]
    assert found["detail"] == "200, 5 min ago; baseline 120"
    assert found["met"] is False


# The disk.


async def test_while_the_disk_refuses_everything_goes_on_and_says_so(station, monkeypatch):
    await walk(station)
    takes_again = station.refuse_writes(monkeypatch)
    station.patience = 0.02
    request = uuid4().hex
    done = await station.do(verb="phase", session="chair-1", step="baseline", request=request)
    assert not done.recorded
    assert done.session.state is State.BASELINE
    # The next step builds on it, a wrong one is refused by it, and the same one is not done twice.
    done = await station.do(verb="phase", session="chair-1", step="start", confirm=True)
    assert (done.recorded, done.session.state) == (False, State.RUNNING)
    await station.refused(verb="phase", session="chair-1", step="baseline")
    again = await station.do(verb="phase", session="chair-1", step="baseline", request=request)
    assert (again.recorded, again.entries[0].number) == (False, 2)
    assert kinds(station.stored()) == ["opened"]

    takes_again()
    station.patience = 60
    again = await station.do(verb="phase", session="chair-1", step="baseline", request=request)
    assert again.recorded
    done = await station.do(verb="phase", session="chair-1", step="stop")
    assert done.recorded
    assert list(done.session.entries) == station.stored()
    assert [entry.content.get("step") for entry in station.stored()] == [None, "baseline", "start", "stop"]


async def test_a_session_that_was_closed_while_the_disk_refused_is_found_until_it_is_on_disk(station, monkeypatch):
    await walk(station, "start", "stop")
    takes_again = station.refuse_writes(monkeypatch)
    station.patience = 0.02
    close = {"verb": "close", "session": "chair-1", "reason": "went home", "request": uuid4().hex}
    closed = await station.do(**close)
    assert (closed.recorded, closed.session.state) == (False, State.CLOSED)
    note = await station.do(verb="note", session=closed.session.id, text="well")
    assert note.entries[0].number == 5
    assert (await station.do(**close)).entries == closed.entries
    opened = await station.do(verb="open", bed="chair-1", reference="P-2")
    takes_again()
    station.patience = 60
    await station.do(verb="note", session="chair-1", text="next")
    assert kinds(station.stored(closed.session.id)) == ["opened", "step", "step", "closed", "note"]
    assert kinds(station.stored(opened.session.id)) == ["opened", "note"]
    await station.restart()
    assert station.desk.on_bed("chair-1").id == opened.session.id


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "open", "bed": "chair-2", "reference": "P-2"},
        {"verb": "phase", "step": "stop"},
        {"verb": "note", "text": "x"},
        {"verb": "move", "bed": "chair-2"},
        {"verb": "correct", "number": 2, "at": moment(1.9), "reason": "a slip"},
        {"verb": "open", "bed": "chair-2", "reference": "P-2", "at": moment(1)},
        {"verb": "move", "bed": "chair-2", "at": moment(3)},
    ],
)
async def test_a_journal_that_cannot_be_read_keeps_nobody_from_going_on(station, monkeypatch, fields):
    """Only what reaches into the past, where another session may have been, can wait until it can be read."""
    await walk(station, "start")
    await station.clock.advance(600)

    def fails(_):
        raise JournalUnusable("input/output error")

    fields = fields if fields["verb"] == "open" else {"session": "chair-1", **fields}
    with monkeypatch.context() as patch:
        patch.setattr(SessionEntries, "_opened", fails)
        if "at" in fields:
            assert "input/output error" in str(await station.refused(**fields))
            return
        done = await station.do(**fields)
    assert station.stored(done.session.id)[-1] == done.entries[0]


async def test_an_open_session_is_in_the_file_that_takes_the_place_of_a_damaged_one(station, monkeypatch):
    first = await walk(station, "start", "stop", "close")
    session = await walk(station, "baseline", "start")
    station.damage(monkeypatch)
    done = await station.do(verb="phase", session="chair-1", step="pause")
    assert done.recorded
    assert len(damaged_files(station.folder)) == 1
    station.desk.tick()
    await station.do(verb="note", session="chair-1", text="goes on")
    assert station.stored(session.id) == list(station.desk.on_bed("chair-1").entries)
    assert len(station.stored(session.id)) == 5
    # Once, not at every tick.
    station.desk.tick()
    await station.restart()
    assert station.desk.on_bed("chair-1").state is State.PAUSED
    assert len(station.stored(session.id)) == 5
    # What was closed before is in the file that was set aside.
    assert station.stored(first.id) == []
    await station.go("resume", "stop", "close", "open")
    await station.stop()
    assert_whole(station.folder)


async def test_a_station_that_ends_right_after_its_journal_was_set_aside_starts_again(station, tmp_path, monkeypatch):
    """In the new file is what waited for it, and not yet what came before that."""
    await walk(station, "baseline", "start")
    station.damage(monkeypatch)
    await station.do(verb="phase", session="chair-1", step="pause")
    cut = station.cut_off(tmp_path / "cut")
    try:
        await cut.start()
        await cut.do(verb="open", bed="chair-2", reference="P-2", at=moment(3))
    finally:
        await cut.stop()


async def test_a_session_that_is_closed_just_when_its_journal_was_set_aside_is_in_no_later_ones_way(
    station, monkeypatch
):
    session = await walk(station, "start", "stop")
    station.damage(monkeypatch)
    await station.do(verb="close", session="chair-1", reason="went home")
    station.desk.tick()
    await station.do(verb="open", bed="chair-1", reference="P-2")
    await station.do(verb="correct", session="chair-1", number=1, reference="P-3", reason="a slip")
    assert kinds(station.stored(session.id)) == ["opened", "step", "step", "closed"]


# Time.


@pytest.mark.parametrize("seconds", [3600, -3600, 5])
async def test_a_clock_that_is_set_during_a_session_is_written_down_and_changes_no_duration(station, seconds):
    await walk(station, "start")
    await station.go("open", session="chair-2")
    station.desk.tick()
    await station.clock.advance(600)
    station.desk.tick()
    station.clock.jump(seconds)
    station.desk.tick()
    await station.clock.advance(600)
    station.desk.tick()
    done = await station.do(verb="phase", session="chair-1", step="pause")
    assert kinds(done.session.entries) == ["opened", "step", "clock_set", "step"]
    entry = done.session.entries[2]
    assert (entry.author, entry.content, entry.bed) == ("station", {"seconds": seconds}, "chair-1")
    # 60 s until the other one was opened, and twice 600 s.
    assert done.session.elapsed(station.clock.now_ns()) == pytest.approx(1260)
    assert kinds(station.desk.on_bed("chair-2").entries) == ["opened", "clock_set"]
    await station.restart()
    assert station.desk.on_bed("chair-1").elapsed(station.clock.now_ns()) == pytest.approx(1260)


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_a_step_in_the_very_second_in_which_the_clock_is_set_has_the_right_durations(station, seconds):
    await walk(station, "start")
    station.desk.tick()
    await station.clock.advance(600)
    station.clock.jump(seconds)
    # The tick comes after the request.
    done = await station.do(verb="phase", session="chair-1", step="pause")
    station.desk.tick()
    await station.clock.advance(60)
    session = station.desk.on_bed("chair-1")
    assert session.id == done.session.id
    assert session.elapsed(station.clock.now_ns()) == pytest.approx(600)


async def test_a_clock_that_drifts_is_not_set(station):
    await walk(station)
    for _ in range(10):
        station.clock.jump(0.5)
        await station.clock.advance(1)
        station.desk.tick()
    assert kinds(station.desk.on_bed("chair-1").entries) == ["opened"]


async def test_a_clock_that_was_set_back_keeps_nobody_from_the_next_step(station):
    await walk(station, "start")
    station.clock.jump(-7200)
    station.desk.tick()
    await station.go("pause", "resume", "stop")
    await station.do(verb="move", session="chair-1", bed="chair-2")
    assert station.desk.on_bed("chair-2").elapsed(station.clock.now_ns()) == pytest.approx(120)
    await station.go("recovery", "close", session="chair-2")


async def test_a_clock_that_was_set_back_keeps_nobody_from_a_bed_that_is_free(station):
    await walk(station, "start")
    await station.clock.advance(3600)
    await station.do(verb="move", session="chair-1", bed="chair-2")
    station.clock.jump(-1800)
    station.desk.tick()
    await station.do(verb="open", bed="chair-1", reference="P-2")


async def test_a_clock_that_was_set_back_keeps_nobody_from_correcting_a_note(station):
    await station.clock.advance(3600)
    await walk(station, "close")
    station.clock.jump(-1800)
    station.desk.tick()
    await station.go("open")
    await station.do(verb="note", session="chair-1", text="colt")
    await station.do(verb="correct", session="chair-1", number=2, text="cold", reason="a slip")


async def test_a_clock_that_was_set_back_keeps_nobody_from_entering_a_step_a_minute_late(station):
    await walk(station, "start")
    await station.clock.advance(1200)
    station.clock.jump(-7200)
    station.desk.tick()
    await station.clock.advance(600)
    # Started at minute 2, and now it is minute 32 of the old clock; the person reads the new one.
    done = await station.do(verb="phase", session="chair-1", step="stop", at=moment(31 - 120))
    assert done.session.elapsed(station.clock.now_ns()) == pytest.approx(29 * 60)


async def test_a_clock_that_was_set_back_keeps_nobody_from_correcting_the_time_of_a_step(station):
    await walk(station, "start")
    await station.clock.advance(1200)
    station.clock.jump(-7200)
    station.desk.tick()
    await station.go("stop")
    # The start was at minute 2 of the clock as it was then, and its right time is by that one too.
    correct = {"verb": "correct", "session": "chair-1", "number": 2, "reason": "a slip"}
    await station.do(**correct, at=moment(1.5))
    assert station.desk.on_bed("chair-1").elapsed(station.clock.now_ns()) == pytest.approx(1290)
    assert "follows" in str(await station.refused(**correct, at=moment(0.5)))


async def test_a_forgotten_session_is_asked_about_once_and_never_closed(station):
    await walk(station, "start", "stop")
    asked = []
    for _ in range(5 * 60):
        await station.clock.advance(60)
        asked += station.desk.tick()
    [alert] = asked
    assert (alert.bed, alert.state) == ("chair-1", AlertState.ON)
    assert "still open?" in alert.text
    assert station.desk.on_bed("chair-1").state is State.STOPPED
    assert kinds(station.stored()) == ["opened", "step", "step"]

    await station.do(verb="note", session="chair-1", text="waits for her husband")
    [off] = station.desk.tick()
    assert (off.bed, off.rule, off.state) == ("chair-1", alert.rule, AlertState.OFF)
    assert (alert.why, off.why) == (Why.TIME, Why.SESSION)
    assert station.desk.tick() == []
    await station.clock.advance(2 * 3600 + 1)
    [again] = station.desk.tick()
    assert again.state is AlertState.ON
    await station.go("close")
    [off] = station.desk.tick()
    assert off.state is AlertState.OFF


async def test_a_question_that_stood_before_a_restart_is_neither_asked_again_nor_left(station):
    await walk(station, "start", "stop")
    await station.go("open", session="chair-2")
    await station.clock.advance(3 * 3600)
    stood = [
        event._replace(state=AlertState.ACKNOWLEDGED, why=Why.OPERATOR, actor="anna") for event in station.desk.tick()
    ]
    assert {event.bed for event in stood} == {"chair-1", "chair-2"}
    await station.restart()
    # It is given all that stood, and not only its own; nobody can tell of a bed that is not there any more.
    station.desk.asked([*stood, stood[0]._replace(rule="spo2_low"), stood[0]._replace(bed="chair-9")])
    assert station.desk.tick() == []
    await station.do(verb="note", session="chair-1", text="waits for her husband")
    [off] = station.desk.tick()
    assert (off.bed, off.rule, off.state) == ("chair-1", stood[0].rule, AlertState.OFF)
    assert (off.why, off.actor) == (Why.SESSION, "")
    # What was closed while no station ran ends with the first tick.
    await station.restart()
    station.desk.asked([event for event in stood if event.bed == "chair-2"])
    await station.go("close", session="chair-2")
    assert [(event.bed, event.state) for event in station.desk.tick()] == [("chair-2", AlertState.OFF)]


async def test_a_session_in_use_is_not_asked_about(station):
    await walk(station)
    for _ in range(10):
        await station.clock.advance(119 * 60)
        assert station.desk.tick() == []
        await station.do(verb="note", session="chair-1", text="still here")


# Limits for one session.


async def test_a_limit_stands_for_its_session_also_after_a_restart_and_a_move(station):
    rule, low, high = settable()
    await walk(station, "start")
    await station.go("open", session="chair-2")
    done = await station.do(verb="limit", session="chair-1", rule=rule, limit=low, reason="her usual")
    assert done.session.limits == {rule: low}
    await station.restart()
    assert station.desk.on_bed("chair-1").limits == {rule: low}
    assert station.desk.on_bed("chair-2").limits == {}
    await station.go("close", session="chair-2")
    await station.do(verb="move", session="chair-1", bed="chair-2")
    await station.do(verb="limit", session="chair-2", rule=rule, limit=high, reason="better now")
    assert station.desk.on_bed("chair-2").limits == {rule: high}
    await station.do(verb="limit", session="chair-2", rule=rule, limit=None, reason="as all")
    assert station.desk.on_bed("chair-2").limits == {}


async def test_the_profile_of_a_session_is_that_of_its_opening_whatever_the_configuration_says_later(station):
    session = await walk(station)
    rules = session.rules
    assert rules
    station.config = station.config.model_copy(
        update={"alerts": station.config.alerts.model_copy(update={"profile": "another"})}
    )
    await station.restart()
    assert station.desk.on_bed("chair-1").profile == "adult_infusion"
    assert station.desk.on_bed("chair-1").rules == rules


async def test_the_open_sessions_are_those_on_beds_of_the_station(station):
    await station.go("open")
    await station.go("open", session="chair-2")
    await station.do(verb="open", reference="P-3")
    await station.go("close", session="chair-2")
    assert [session.bed for session in station.desk.open_sessions()] == ["chair-1"]
    await station.restart()
    assert [session.bed for session in station.desk.open_sessions()] == ["chair-1"]
    station.config = station.config.model_copy(update={"beds": station.config.beds[1:]})
    await station.restart()
    assert station.desk.open_sessions() == []


# Restarts and power cuts.


async def test_a_restart_at_each_step_keeps_everything(station):
    await station.do(verb="open", bed="chair-1", reference="P-1")
    session = station.made[-1][0]
    done = [
        {"verb": "check", "item": "consent"},
        {"verb": "phase", "step": "baseline"},
        {"verb": "score", "scale": "moaas", "value": 5},
        {"verb": "phase", "step": "start", "confirm": True},
        {"verb": "note", "event": "nausea"},
        {"verb": "limit", "rule": settable()[0], "limit": settable()[1], "reason": "her usual"},
        {"verb": "phase", "step": "pause"},
        {"verb": "move", "bed": "chair-2"},
        {"verb": "phase", "step": "resume"},
        {"verb": "correct", "number": 2, "answer": "no", "reason": "a slip"},
        {"verb": "phase", "step": "stop"},
        {"verb": "phase", "step": "recovery"},
        {"verb": "note", "dose": True, "text": "none left"},
        {"verb": "close", "reason": "went home"},
        {"verb": "note", "text": "called"},
    ]
    for fields in done:
        await station.clock.advance(60)
        before = await station.do(session=session.id, **fields)
        await station.restart()
        assert station.stored(session.id) == list(before.session.entries)
        after = station.desk.on_bed(before.session.bed) if before.session.bed else Session(station.stored(session.id))
        assert after.shown == before.session.shown
        assert after.state is before.session.state
        assert after.elapsed(station.clock.now_ns()) == before.session.elapsed(station.clock.now_ns())
    assert len(station.stored()) == len(done) + 1
    await station.stop()
    assert_whole(station.folder)


async def test_a_power_cut_at_each_step_loses_nothing_that_was_answered(station, tmp_path):
    await walk(station)
    steps = ("baseline", "start", "pause", "resume", "stop", "recovery", "close")
    for number, step in enumerate(steps):
        await station.go(step)
        cut = await station.cut_off(tmp_path / f"cut-{number}").start()
        try:
            assert cut.stored() == station.stored()
            found = cut.desk.on_bed("chair-1")
            assert (found and found.state) == (None if step == "close" else station.made[-1][0].state)
        finally:
            await cut.stop()
        assert_whole(cut.folder)


async def test_an_open_session_of_a_bed_that_left_the_configuration_goes_on(station):
    session = await walk(station, "start")
    station.config = station.config.model_copy(update={"beds": station.config.beds[1:]})
    await station.restart()
    station.desk.tick()
    await station.do(verb="phase", session="chair-1", step="stop")
    await station.do(verb="move", session=session.id, bed="chair-2")
    await station.go("close", session="chair-2")


async def test_a_session_is_named_for_the_day_on_which_it_was_opened(station):
    names = set()
    for _ in range(3):
        done = await station.do(verb="open", reference="P-1")
        names.add(done.session.id)
        assert done.session.id.startswith(f"{datetime.fromtimestamp(station.clock.now_ns() // NS, UTC):%Y%m%d}-")
        await station.clock.advance(DAY)
    assert len(names) == 3
