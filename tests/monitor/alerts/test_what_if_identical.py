"""What-if says exactly what the engine says: on random recordings, and on every recorded one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.events import Cause, Validity
from drivers.recordings import csv
from drivers.recordings.recording import Recording, Series, moments
from drivers.vitals import VITALS
from monitor.alerts import profile_file
from monitor.alerts.conditions import Priority
from monitor.alerts.in_force import Visit
from monitor.alerts.replay import replay
from monitor.alerts.rules import PHASES, CombinedRule, LimitRule, OverdueRule, Profile, RateRule, StaleRule, Threshold
from monitor.alerts.what_if import judge
from monitor.alerts.what_if_columns import Moment
from tests.conftest import RECORDINGS

KEYS = ("spo2", "pulse_rate", "nibp_sys")
CAUSES = ("", "searching", str(Cause.PROVISIONAL), f"{Cause.PROVISIONAL},{Cause.IMPLAUSIBLE}")
SECOND = 1_000_000_000


def by_rule(changes):
    return {rule: [it for it in changes if it.rule == rule] for rule in sorted({it.rule for it in changes})}


def assert_identical(profile, recording, visits=()):
    assert by_rule(judge(profile, recording, visits)) == by_rule(replay(profile, recording, visits))


# Few different values, so that limits are met exactly and alerts come and go.
values = st.sampled_from([84.0, 88.0, 89.0, 90.0, 91.0, 92.0, 95.0, 100.0])
steps = st.sampled_from([0.0, 0.25, 1.0, 1.0, 1.0, 1.024, 2.0, 5.0, 40.0])
phases = st.none() | st.frozensets(st.sampled_from(PHASES), min_size=1, max_size=3)
seconds = st.sampled_from([0.0, 1.0, 2.0, 2.5, 10.0])
pauses = st.sampled_from([0.5, 2.0, 10.0])
thresholds = st.one_of(
    st.builds(Threshold, st.sampled_from([88.0, 90.0, 92.0])),
    st.builds(Threshold, percent=st.sampled_from([-10.0, 0.0, 5.0])),
    st.builds(Threshold, by=st.sampled_from([-2.0, 3.0])),
)
priorities = st.sampled_from(list(Priority))


@st.composite
def series(draw, key):
    count = draw(st.integers(0, 40))
    t = np.cumsum([draw(steps) for _ in range(count)]) + draw(st.sampled_from([0.0, 3.0, 30.0]))
    validity = [draw(st.sampled_from([0, 0, 0, 0, 1, 2])) for _ in range(count)]
    value = [np.nan if it == Validity.INVALID else draw(values) for it in validity]
    cause = [draw(st.integers(0, len(CAUSES) - 1)) if it else 0 for it in validity]
    late = [draw(st.sampled_from([0, 0, 0, 0, 9, 11, 1000])) for _ in range(count)] if draw(st.booleans()) else None
    clocks = late is not None and draw(st.booleans())
    behind = [float(draw(st.sampled_from([0, 0, 5, 9]))) for _ in range(count)] if clocks else None
    t = moments(np.array(t, np.float64).reshape(count))
    received = np.rint(t * SECOND).astype(np.int64)
    return Series(
        t,
        np.array(value, np.float64),
        np.array(validity, np.uint8),
        np.array(cause, np.intp),
        CAUSES,
        received if late is None else received - np.array(late, np.int64) * SECOND,
        received,
        VITALS[key].episodic,
        None if behind is None else np.array(behind),
    )


@st.composite
def recordings(draw):
    of = {key: draw(series(key)) for key in draw(st.permutations(KEYS))}
    last = max([float(it.t[-1]) for it in of.values() if len(it.t)], default=0.0)
    return Recording("random", of, 0.0, last + draw(st.sampled_from([0.0, 0.5, 20.0])), origin=7 * SECOND)


@st.composite
def visits(draw):
    made, t = [], 0.0
    session, began, phase = "s0", 0.0, "check_in"
    for number in range(draw(st.integers(0, 6))):
        t += draw(st.sampled_from([0.0, 0.5, 5.0, 20.0, 47.0]))
        kind = draw(st.sampled_from(["phase", "phase", "phase", "session", "none", "same"]))
        if kind == "none":
            made.append(Moment(t, None))
            continue
        if kind == "session":
            session = f"s{number}"
        if kind != "same":
            began, phase = max(0.0, t - draw(st.sampled_from([0.0, 0.0, 3.0]))), draw(st.sampled_from(PHASES))
        every = draw(st.sampled_from([None, 5.0, 10.0, 60.0]))
        known = draw(st.just({}) | st.dictionaries(st.sampled_from(KEYS), st.tuples(values, values), max_size=1))
        made.append(Moment(t, Visit(session, phase, began, every, known)))
    return made


@st.composite
def limit_rules(draw, name):
    of = draw(st.sampled_from([1, 1, 2, 3]))
    return LimitRule(
        name,
        draw(priorities),
        draw(phases),
        draw(seconds),
        vital=draw(st.sampled_from(KEYS)),
        side=draw(st.sampled_from(["low", "high"])),
        threshold=draw(thresholds),
        by_phase=draw(st.just({}) | st.dictionaries(st.sampled_from(PHASES), thresholds, max_size=3)),
        delay=draw(seconds),
        hysteresis=draw(st.sampled_from([0.0, 2.0, 5.0])),
        readings=draw(st.integers(1, of)),
        of=of,
        gap=draw(st.sampled_from([None, 1.5, 30.0])),
        questionable=draw(st.booleans()),
    )


@st.composite
def profiles(draw):
    limits = [draw(limit_rules(f"limit_{number}")) for number in range(draw(st.integers(1, 4)))]
    rate_count = draw(st.integers(0, 2))
    rates = [
        RateRule(
            f"rate_{number}",
            draw(priorities),
            draw(phases),
            draw(seconds),
            vital=draw(st.sampled_from(KEYS)),
            side=draw(st.sampled_from(["low", "high"])),
            change=draw(st.sampled_from([1.0, 4.0, 7.0])),
            within=draw(st.sampled_from([1.0, 5.0, 30.0])),
            hysteresis=draw(st.sampled_from([0.0, 2.0])),
            questionable=draw(st.booleans()),
        )
        for number in range(rate_count)
    ]
    members = st.lists(st.sampled_from([it.id for it in (*limits, *rates)]), min_size=1, max_size=3, unique=True)
    combined = [
        CombinedRule(
            f"combined_{number}",
            draw(priorities),
            draw(phases),
            draw(seconds),
            members=tuple(draw(members)),
            every=draw(st.booleans()),
            delay=draw(seconds),
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    missing = [
        OverdueRule("overdue", draw(priorities), draw(phases), draw(seconds), vital="nibp_sys", grace=draw(seconds)),
        StaleRule("stale", draw(priorities), draw(phases), draw(seconds), after=draw(pauses)),
    ]
    return Profile("random", tuple(draw(st.permutations([*limits, *rates, *combined, *missing]))))


@settings(max_examples=600)
@given(profiles(), recordings(), visits())
def test_random_recordings_give_the_same(profile, recording, visits):
    assert_identical(profile, recording, visits)


FILES = sorted(path for path in RECORDINGS.glob("*/*.csv*") if "_PLETH_" not in path.name)
DAYS = {"85594648n.csv.gz", "mimic4_85594648_full_1hz.csv.gz"}
"""60 hours each."""
SHIPPED = profile_file.shipped("adult_infusion").compiled()


@pytest.mark.skipif(not FILES, reason=f"no recordings at {RECORDINGS}")
def test_recorded_files_give_the_same_by_the_shipped_profile():
    judged = 0
    for path in FILES:
        if path.name in DAYS:
            continue
        for device in ("3900P", "N600Xa", "N600Xb", "Radical7") if "uw_hypoxia" in path.parts else ("",):
            assert_identical(SHIPPED, csv.read(path, device))
            judged += 1
    assert judged == 35 + 4 * 4 + 4 + 1


@pytest.mark.skipif(not FILES, reason=f"no recordings at {RECORDINGS}")
def test_a_recorded_visit_with_its_phases_gives_the_same():
    recording = csv.read(RECORDINGS / "mimic4" / "mimic4_85594648_desat_2h_1hz.csv")
    phases = (("check_in", 0.0, None), ("baseline", 300.0, 5), ("infusion", 1200.0, 5), ("recovery", 3600.0, 15))
    visits = [Moment(t, Visit("s1", phase, t, every and every * 60.0)) for phase, t, every in phases]
    assert_identical(SHIPPED, recording, [*visits, Moment(7000.0, None)])


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason=f"no recordings at {RECORDINGS}")
@pytest.mark.parametrize("name", sorted(DAYS))
def test_recorded_days_give_the_same_by_the_shipped_profile(name):
    assert_identical(SHIPPED, csv.read(RECORDINGS / "mimic4" / name))
