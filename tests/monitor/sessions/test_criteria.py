"""What a site asks for before an infusion and before a discharge. Times are minutes after the start."""

from __future__ import annotations

import pytest

from drivers.errors import ConfirmationNeeded
from drivers.events import Cause, measured, missing
from monitor.sessions import criteria, recorded, rules
from monitor.sessions.entries import Kind
from monitor.sessions.recorded import NOTHING, Recorded
from monitor.sessions.requests import REQUEST
from monitor.sessions.settings import (
    DischargeConfig,
    Item,
    ScoreCriterion,
    SessionsConfig,
    VitalBounds,
    VitalCriterion,
)
from monitor.storage.history import History
from tests.monitor.sessions.helpers import chart, known, minute
from tests.monitor.storage.helpers import commit, database

ITEMS = SessionsConfig(
    checklist=(Item(id="consent", text="Consent given"), Item(id="fasting", text="Fasting confirmed")), baseline={}
)
VITALS = SessionsConfig(
    checklist=(),
    baseline={
        "nibp_sys": VitalBounds(low=90, high=140, required=True),
        "spo2": VitalBounds(low=92),
    },
)


def discharge_of(**criteria_of_one_kind):
    """A site that asks for this alone at the discharge."""
    empty = {"minutes_since_start": 0, "scores": {}, "vitals": {}, "checklist": ()}
    return SessionsConfig(discharge=DischargeConfig(**{**empty, **criteria_of_one_kind}))


def given():
    """An infusion from minute 10 to minute 50."""
    return chart(("baseline", 2), ("start", 10), ("stop", 50), ("recovery", 55))


def found(made, settings, identifier, at=100, of=NOTHING):
    """The criterion of that id, as (met, detail)."""
    [criterion] = [it for it in criteria.discharge(made.session, of, settings, minute(at)) if it.id == identifier]
    return criterion.met, criterion.detail


def read(folder, made, at, *events, bed="chair-1"):
    """What the journal has of the session, with these readings in it."""
    with database(folder) as writer:
        commit(writer, events, bed=bed)
    return recorded.read(History(folder), made.session, minute(at))


def at(vital, number, value, *doubts):
    return measured(vital, value, minute(number), minute(number), doubts)


# Before the infusion.


def test_an_item_is_open_until_it_is_answered():
    made = chart()
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == ["Consent given", "Fasting confirmed"]
    made.add(Kind.CHECK, 1, item="consent", title="Consent given", answer="yes")
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == ["Fasting confirmed"]


@pytest.mark.parametrize("answer", ["no", "No", "NO"])
def test_an_item_that_was_answered_no_is_open(answer):
    made = chart()
    made.add(Kind.CHECK, 1, item="fasting", title="Fasting confirmed", answer="since 6 o'clock")
    made.add(Kind.CHECK, 1, item="consent", title="Consent given", answer=answer)
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == ["Consent given"]


def test_an_item_that_was_skipped_is_seen_to_whatever_the_reason():
    made = chart()
    made.add(Kind.CHECK, 1, item="consent", title="Consent given", skipped="no")
    made.add(Kind.CHECK, 1, item="fasting", title="Fasting confirmed", skipped="emergency")
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == []


def test_the_last_answer_counts_and_a_void_one_does_not():
    made = chart()
    made.add(Kind.CHECK, 1, item="fasting", title="Fasting confirmed", answer="yes")
    made.add(Kind.CHECK, 1, item="consent", title="Consent given", answer="no")
    last = made.add(Kind.CHECK, 2, item="consent", title="Consent given", answer="yes")
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == []
    made.corrected(last, 3, void=True)
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == ["Consent given"]
    made.corrected(3, 4, answer="yes")
    assert criteria.open_before_infusion(made.session, NOTHING, ITEMS) == []


@pytest.mark.parametrize(
    ("values", "still_open"),
    [
        ((120,), []),
        ((90,), []),
        ((140,), []),
        ((89,), ["baseline NIBP sys 89 mmHg is below 90"]),
        ((141,), ["baseline NIBP sys 141 mmHg is above 140"]),
        # The median: one reading of three does not decide.
        ((200, 130, 132), []),
        ((120, 150, 151), ["baseline NIBP sys 150 mmHg is above 140"]),
        ((139, 142), ["baseline NIBP sys 140.5 mmHg is above 140"]),
        ((), ["no baseline reading of NIBP sys"]),
    ],
)
def test_the_median_of_a_vitals_baseline_is_held_against_the_sites_bounds(values, still_open):
    of = Recorded({"nibp_sys": values} if values else {}, {}, None)
    session = chart(("baseline", 2)).session
    assert criteria.open_before_infusion(session, of, VITALS) == still_open
    within = criteria.within_bounds("nibp_sys", VITALS.baseline["nibp_sys"], of)
    assert within is (None if not values else not still_open)


def test_a_vital_that_is_not_required_may_be_missing_and_has_to_be_within_bounds_if_there():
    session = chart(("baseline", 2)).session
    assert criteria.open_before_infusion(session, Recorded({"nibp_sys": (120,)}, {}, None), VITALS) == []
    of = Recorded({"nibp_sys": (120,), "spo2": (91.0,)}, {}, None)
    assert criteria.open_before_infusion(session, of, VITALS) == ["baseline SpO₂ 91 % is below 92"]


def test_the_baseline_is_of_the_baseline_phase_alone(tmp_path):
    made = chart(("baseline", 10), ("start", 20))
    values = [(9, 200), (10, 110), (15, 120), (19, 130), (20, 210), (25, 220)]
    of = read(tmp_path, made, 30, *[at("nibp_sys", number, value) for number, value in values])
    assert of.baseline == {"nibp_sys": (110, 120, 130)}
    assert of.latest["nibp_sys"] == (minute(25), 220)
    assert of.last_cuff_at == minute(25)


def test_the_baseline_goes_on_until_now_while_it_is_the_phase(tmp_path):
    of = read(tmp_path, chart(("baseline", 10)), 20, at("nibp_sys", 15, 120), at("nibp_sys", 25, 220))
    assert of.baseline == {"nibp_sys": (120,)}


def test_without_a_baseline_phase_there_is_no_baseline(tmp_path):
    of = read(tmp_path, chart(("start", 10)), 20, at("nibp_sys", 5, 120))
    assert of.baseline == {}
    assert of.latest["nibp_sys"] == (minute(5), 120)


def test_a_reading_that_is_not_valid_never_counts(tmp_path):
    made = chart(("baseline", 10))
    of = read(
        tmp_path,
        made,
        19,
        at("nibp_sys", 12, 120),
        at("nibp_sys", 13, 250, Cause.PROVISIONAL),
        at("spo2", 16, 80, Cause.ARTIFACT),
        missing("spo2", minute(17), minute(17), Cause.SENSOR_OFF),
        # Beyond what a living patient can have.
        at("heart_rate", 17, 400),
    )
    assert of == Recorded({"nibp_sys": (120,)}, {"nibp_sys": (minute(12), 120)}, minute(12))
    # And none at all is as it says: none.
    assert criteria.open_before_infusion(made.session, of._replace(baseline={}), VITALS) == [
        "no baseline reading of NIBP sys"
    ]


def test_a_continuous_vital_is_looked_at_for_five_minutes_and_a_cuff_for_the_session(tmp_path):
    made = chart(("baseline", 10))
    of = read(tmp_path, made, 60, at("spo2", 54, 90), at("nibp_dia", 12, 80), at("pulse_rate", 56, 70))
    assert of.latest == {"nibp_dia": (minute(12), 80), "pulse_rate": (minute(56), 70)}


def test_the_baseline_is_read_where_the_patient_was(tmp_path):
    made = chart(("baseline", 10))
    made.moved("chair-2", 15)
    made.step("start", 20)
    both = [at("nibp_sys", 12, 110), at("nibp_sys", 17, 130)]
    read(tmp_path, made, 30, *both, bed="chair-1")
    of = read(tmp_path, made, 30, *[it._replace(value=it.value + 1) for it in both], bed="chair-2")
    assert of.baseline == {"nibp_sys": (110, 131)}
    assert of.latest["nibp_sys"] == (minute(17), 131)


def test_a_recording_that_was_assigned_is_read_too(tmp_path):
    made = chart(("baseline", 10), ("start", 20))
    made.add(Kind.ASSIGNED, 25, bed="chair-3", since=minute(5), until=minute(18))
    read(tmp_path, made, 30, at("nibp_sys", 11, 115), at("nibp_sys", 19, 250), bed="chair-3")
    of = read(tmp_path, made, 30, at("nibp_sys", 19, 125), bed="chair-1")
    assert sorted(of.baseline["nibp_sys"]) == [115, 125]


@pytest.mark.parametrize("confirm", [False, True])
def test_a_journal_that_cannot_be_read_is_open_and_prevents_nothing(confirm):
    there = known(minute(20), settings=VITALS)
    fields = {"verb": "phase", "by": "anna", "session": "chair-1", "step": "start", "confirm": confirm}
    request = REQUEST.validate_python(fields)
    text = "baseline vitals cannot be read from the journal"
    if not confirm:
        with pytest.raises(ConfirmationNeeded) as asked:
            rules.next_entry(request, chart(("baseline", 2)).session, there)
        assert asked.value.open == (text,)
        return
    draft = rules.next_entry(request, chart(("baseline", 2)).session, there)
    assert draft.content == {"step": "start", "confirmed": [text]}


# The discharge.


@pytest.mark.parametrize("steps", [(), (("baseline", 2),)])
def test_without_an_infusion_there_is_nothing_more_to_ask(steps):
    [criterion] = criteria.discharge(chart(*steps).session, NOTHING, SessionsConfig(), minute(100))
    assert (criterion.id, criterion.met, criterion.detail) == ("infusion", False, "none was started")


def test_the_infusion_has_to_be_over():
    settings = discharge_of()
    assert found(chart(("start", 10)), settings, "infusion") == (False, "it was not stopped")
    assert found(chart(("start", 10), ("pause", 20)), settings, "infusion")[0] is False
    assert found(given(), settings, "infusion") == (True, "stopped")


@pytest.mark.parametrize(("now", "met"), [(129, False), (129.99, False), (130, True), (500, True)])
def test_minutes_since_the_start(now, met):
    assert found(given(), discharge_of(minutes_since_start=120), "minutes_since_start", now)[0] is met


def test_minutes_since_the_start_are_free_of_the_clocks_settings():
    made = given()
    made.clock_set(7200, 60 + 120)
    assert found(made, discharge_of(minutes_since_start=120), "minutes_since_start", 180)[0] is False


@pytest.mark.parametrize(("value", "met"), [(3, False), (4, True), (5, True), (6, True), (7, False)])
def test_a_score_has_to_be_within_both_ends(value, met):
    settings = discharge_of(scores={"pain": ScoreCriterion(at_least=4, at_most=6)})
    made = given()
    made.add(Kind.SCORE, 90, scale="pain", value=value)
    assert found(made, settings, "score_pain") == (met, str(value))


def test_the_last_score_counts():
    settings = discharge_of(scores={"moaas": ScoreCriterion(at_least=5)})
    made = given()
    assert found(made, settings, "score_moaas") == (False, "no score since the infusion's start")
    made.add(Kind.SCORE, 60, scale="moaas", value=3)
    assert found(made, settings, "score_moaas") == (False, "3")
    last = made.add(Kind.SCORE, 90, scale="moaas", value=5)
    assert found(made, settings, "score_moaas") == (True, "5")
    made.corrected(last, 95, value=4)
    assert found(made, settings, "score_moaas") == (False, "4")
    made.corrected(last, 96, void=True)
    assert found(made, settings, "score_moaas") == (False, "3")


def test_a_score_from_before_the_infusion_says_nothing_of_after_it():
    settings = discharge_of(scores={"moaas": ScoreCriterion(at_least=5)})
    made = chart(("baseline", 2))
    made.add(Kind.SCORE, 5, scale="moaas", value=5)
    made.step("start", 10)
    made.step("stop", 50)
    assert found(made, settings, "score_moaas") == (False, "no score since the infusion's start")


def test_a_score_from_after_the_start_counts_though_the_clock_was_set_back_since():
    settings = discharge_of(scores={"moaas": ScoreCriterion(at_least=5)})
    made = given()
    made.clock_set(-3600 * 2, 60 - 120)
    made.add(Kind.SCORE, 70 - 120, scale="moaas", value=5)
    assert found(made, settings, "score_moaas", at=75 - 120) == (True, "5")


@pytest.mark.parametrize(
    ("near", "value", "met"),
    [
        (VitalCriterion(percent=20), 96, True),
        (VitalCriterion(percent=20), 144, True),
        (VitalCriterion(percent=20), 95, False),
        (VitalCriterion(percent=20), 145, False),
        (VitalCriterion(by=3), 117, True),
        (VitalCriterion(by=3), 123, True),
        (VitalCriterion(by=3), 124, False),
    ],
)
def test_a_vital_has_to_be_near_the_median_of_its_baseline(near, value, met):
    of = Recorded({"nibp_sys": (110, 120, 200)}, {"nibp_sys": (minute(95), value)}, minute(95))
    assert found(given(), discharge_of(vitals={"nibp_sys": near}), "vital_nibp_sys", of=of)[0] is met


@pytest.mark.parametrize(
    ("of", "detail"),
    [
        (Recorded({}, {"nibp_sys": (minute(95), 120)}, minute(95)), "no baseline reading"),
        (Recorded({"nibp_sys": (120,)}, {}, None), "no reading since the infusion's start"),
        (Recorded({"nibp_sys": (120,)}, {"nibp_sys": (minute(9), 120)}, minute(9)), "no reading since the infusion's"),
        (Recorded({"nibp_sys": (120,)}, {"nibp_sys": (minute(69), 120)}, minute(69)), "too old"),
        (None, "cannot be read from the journal"),
    ],
)
def test_a_vital_that_cannot_be_held_against_its_baseline_is_open(of, detail):
    settings = discharge_of(vitals={"nibp_sys": VitalCriterion(percent=20)})
    met, said = found(given(), settings, "vital_nibp_sys", of=of)
    assert met is False
    assert detail in said


def test_a_cuff_reading_is_too_old_after_two_intervals_of_the_recovery():
    settings = discharge_of(vitals={"nibp_sys": VitalCriterion(percent=20)})
    of = Recorded({"nibp_sys": (120,)}, {"nibp_sys": (minute(60), 120)}, minute(60))
    assert found(given(), settings, "vital_nibp_sys", 90, of) == (True, "120, 30 min ago; baseline 120")
    assert found(given(), settings, "vital_nibp_sys", 91, of) == (False, "120, 31 min ago; baseline 120; too old")


def test_the_discharges_own_items():
    settings = discharge_of(checklist=(Item(id="escort_here", text="Escort is here"),))
    made = given()
    assert found(made, settings, "item_escort_here") == (False, "not answered")
    made.add(Kind.CHECK, 90, item="escort_here", title="Escort is here", answer="no")
    assert found(made, settings, "item_escort_here") == (False, "no")
    made.add(Kind.CHECK, 91, item="escort_here", title="Escort is here", skipped="lives next door")
    assert found(made, settings, "item_escort_here") == (True, "skipped")
    made.add(Kind.CHECK, 92, item="escort_here", title="Escort is here", answer="her sister")
    assert found(made, settings, "item_escort_here") == (True, "her sister")


def test_open_criteria_ask_for_a_reason_and_prevent_nothing():
    """Also where the journal cannot be read."""
    there = known(minute(100))
    fields = {"verb": "close", "by": "anna", "session": "chair-1"}
    with pytest.raises(ConfirmationNeeded) as asked:
        rules.next_entry(REQUEST.validate_python(fields), given().session, there)
    assert len(asked.value.open) == 7
    assert "NIBP sys within 20 % of its baseline (cannot be read from the journal)" in asked.value.open
    draft = rules.next_entry(REQUEST.validate_python({**fields, "reason": "went home"}), given().session, there)
    assert draft.kind is Kind.CLOSED
    assert draft.content["reason"] == "went home"
    assert [it["id"] for it in draft.content["criteria"] if not it["met"]] == [
        "minutes_since_start",
        "score_moaas",
        "score_aldrete",
        "vital_nibp_sys",
        "vital_nibp_dia",
        "vital_spo2",
        "item_escort_here",
    ]


def test_with_every_criterion_met_nothing_is_asked():
    made = given()
    made.add(Kind.SCORE, 100, scale="moaas", value=5)
    made.add(Kind.SCORE, 100, scale="aldrete", value=10)
    made.add(Kind.CHECK, 100, item="escort_here", title="Escort is here", answer="yes")
    near = {"nibp_sys": 120, "nibp_dia": 80, "spo2": 97}
    of = Recorded(
        {vital: (value,) for vital, value in near.items()},
        {vital: (minute(125), value) for vital, value in near.items()},
        minute(125),
    )
    there = known(minute(130), of)
    request = REQUEST.validate_python({"verb": "close", "by": "anna", "session": "chair-1"})
    draft = rules.next_entry(request, made.session, there)
    assert "reason" not in draft.content
    assert all(it["met"] for it in draft.content["criteria"])


# Cuff readings, and sessions that look forgotten.


@pytest.mark.parametrize(
    ("steps", "last", "due"),
    [
        ((), None, None),
        ((("baseline", 5),), None, 5),
        ((("baseline", 5),), 7, 12),
        ((("start", 10),), 7, 12),
        ((("start", 10), ("stop", 50)), 48, 53),
        ((("start", 10), ("stop", 50), ("recovery", 55)), 48, 63),
        ((("close", 50),), 48, None),
    ],
)
def test_a_cuff_reading_is_due_by_the_phases_interval(steps, last, due):
    last_at = None if last is None else minute(last)
    due_at = criteria.cuff_due_at(chart(*steps).session, last_at, SessionsConfig())
    assert due_at == (None if due is None else minute(due))


@pytest.mark.parametrize(
    ("steps", "asks_from"),
    [
        ((), 120),
        ((("start", 10),), 170),
        ((("start", 10), ("pause", 20)), 140),
        ((("start", 10), ("stop", 50), ("recovery", 55)), 175),
    ],
)
def test_a_quiet_session_is_asked_about_two_hours_after_its_last_entry_and_its_planned_end(steps, asks_from):
    session = chart(*steps).session
    assert criteria.question(session, SessionsConfig(), minute(asks_from) - 1) == ""
    text = criteria.question(session, SessionsConfig(), minute(asks_from))
    assert "still open?" in text
    assert text.endswith(f" in {session.phase.value.replace('_', '-')}")


def test_nobody_is_asked_about_a_closed_session():
    assert criteria.question(chart(("close", 10)).session, SessionsConfig(), minute(10_000)) == ""


@pytest.mark.parametrize("hours", [3, -3])
def test_a_clock_that_was_set_does_not_make_a_session_look_forgotten_or_seen_to(hours):
    made = chart()
    made.clock_set(hours * 3600, 10 + hours * 60)
    assert criteria.question(made.session, SessionsConfig(), minute(119 + hours * 60)) == ""
    assert criteria.question(made.session, SessionsConfig(), minute(121 + hours * 60)) != ""
