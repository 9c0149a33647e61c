"""A session in numbers: each is what somebody finds who computes it by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Validity
from monitor.review.summary import Extreme, VitalSummary
from monitor.review.tracks import SPEAKS_FOR, Span, gaps, seconds_where, tracks
from tests.monitor.review.made import Record
from tests.monitor.sessions.helpers import START, chart, minute

VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 110))


def of(record: Record, vital: str, *steps: tuple[str, float]) -> VitalSummary:
    found = record.chart(chart(*(steps or VISIT)).session).summary.vital(vital)
    assert found is not None
    return found


def at_minutes(*minutes: float) -> list[float]:
    return [it * 60 for it in minutes]


def test_extremes_are_of_valid_readings_and_have_their_time() -> None:
    record = Record().measured("spo2", [1, 2, 3, 4], [97, 88, 88, None])
    record.measured("spo2", [5], 40, validity=Validity.QUESTIONABLE, cause="motion")
    numbers = of(record, "spo2")
    assert numbers.lowest == Extreme(88, START + 2 * NS)
    assert numbers.highest == Extreme(97, START + NS)
    assert (numbers.readings, numbers.questionable, numbers.invalid) == (5, 1, 1)


def test_the_baseline_is_the_median_of_its_phase() -> None:
    record = Record().measured("nibp_sys", at_minutes(0.5, 2, 5, 8, 10, 30), [200, 118, 120, 140, 190, 160])
    numbers = of(record, "nibp_sys")
    assert numbers.baseline == 120
    # From the start of the infusion on.
    assert numbers.rise == 70


def test_without_a_baseline_there_is_no_rise() -> None:
    record = Record().measured("nibp_sys", at_minutes(30), [160])
    numbers = of(record, "nibp_sys")
    assert (numbers.baseline, numbers.rise, numbers.back_after) == (None, None, None)


@pytest.mark.parametrize(
    ("after", "back"),
    [
        ([(55, 150), (65, 140), (75, 130), (85, 125)], 25 * 60),
        ([(55, 125), (65, 140), (75, 121)], 25 * 60),
        ([(55, 150), (75, 140)], None),
        ([], None),
    ],
)
def test_it_is_back_when_it_stays_within_a_tenth(after: list[tuple[float, float]], back: float | None) -> None:
    record = Record().measured("nibp_sys", at_minutes(5, 30), [120, 160])
    if after:
        record.measured("nibp_sys", at_minutes(*(at for at, _ in after)), [value for _, value in after])
    assert of(record, "nibp_sys").back_after == back


def test_what_never_left_its_baseline_is_back_at_once() -> None:
    record = Record().measured("nibp_sys", at_minutes(5, 30, 70), [120, 125, 120])
    assert of(record, "nibp_sys").back_after == 0


def test_minutes_of_desaturation_hold_a_value_for_ten_seconds_at_most() -> None:
    record = Record().measured("spo2", range(60, 121), 88).measured("spo2", [121, 200], [95, 85])
    record.measured("spo2", [300], 80, validity=Validity.QUESTIONABLE)
    summary = record.chart(chart(*VISIT).session).summary
    # 61 s until the better value; 10 s each of two that stand alone.
    assert summary.desaturated == 61 + 10 + 10
    assert Record().measured("heart_rate", [1], 60).chart(chart(*VISIT).session).summary.desaturated is None


def test_the_infusion_is_told_without_its_pauses() -> None:
    steps = (("start", 10), ("pause", 20), ("resume", 25), ("stop", 50), ("close", 60))
    summary = Record().chart(chart(*steps).session).summary
    assert (summary.recorded, summary.infusion) == (3600, 35 * 60)


@given(
    st.lists(
        st.tuples(st.integers(-30, 330), st.sampled_from([None, 85.0, 95.0]), st.booleans()),
        unique_by=lambda it: it[0],
        max_size=60,
    )
)
def test_gaps_and_coverage_are_those_of_who_looks_each_second(told: list[tuple[int, float | None, bool]]) -> None:
    record = Record()
    for second, value, questionable in told:
        validity = Validity.QUESTIONABLE if questionable else Validity.VALID
        record.measured("spo2", [second], [value], validity=validity)
    track = tracks(record.traces_).get("spo2")
    if track is None:
        return
    span = Span(START, minute(5))
    known = {second: value for second, value, _ in told if value is not None}
    speaks = SPEAKS_FOR // NS

    def current(second: int) -> float | None:
        latest = max((it for it in known if it <= second), default=None)
        return known[latest] if latest is not None and second - latest < speaks else None

    values = [current(second) for second in range(300)]
    everything = np.ones(len(track.at), np.bool_)
    assert seconds_where(track, span, everything) == sum(value is not None for value in values)
    assert seconds_where(track, span, track.value < 90) == sum(value == 85 for value in values)
    edges = [0, *sorted(it for it in known if 0 <= it < 300), 300]
    pairs = itertools.pairwise(edges)
    assert [((gap.since - START) // NS, (gap.until - START) // NS) for gap in gaps(track, span)] == [
        (begins, ends) for begins, ends in pairs if ends - begins > speaks
    ]
