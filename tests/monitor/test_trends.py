"""The ten minutes of the wall: lowest and highest of each step, and exactly what changed since."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS, ManualClock
from drivers.events import Cause, Reading, Validity, measured, missing
from monitor.storage import blocks
from monitor.storage.charts import Trace
from monitor.trends import KEPT, STEP, Step, Trends
from tests.monitor.web.served import served

START = 1_790_000_000
"""UTC seconds; a step begins there."""


def give(trends: Trends, second: float, value: float | None, vital: str = "spo2", *, now: float | None = None) -> None:
    at = round((START + second) * NS)
    came = at if now is None else round((START + now) * NS)
    reading = missing(vital, at, came, Cause.SENSOR_OFF) if value is None else measured(vital, value, at, came)
    trends.receive("one", [reading], came)


def steps(trends: Trends, vital: str = "spo2", since: int = 0) -> list[Step]:
    """Their times as seconds after START."""
    found = trends.since(since).get("one", {}).get(vital, [])
    return [[(begins or 0) - START, low, high] for begins, low, high in found]


def test_a_step_has_the_lowest_and_highest_of_its_five_seconds() -> None:
    trends = Trends()
    for second, value in ((0, 97), (1, 95), (4.9, 98), (5, 93)):
        give(trends, second, value)
    assert steps(trends) == [[0, 95, 98], [5, 93, 93]]


def test_invalid_readings_alone_make_a_step_without_numbers_and_nothing_makes_none() -> None:
    trends = Trends()
    give(trends, 0, None)
    give(trends, 10, None)
    give(trends, 11, 97)
    give(trends, 12, None)
    assert steps(trends) == [[0, None, None], [10, 97, 97]]


def test_what_comes_late_changes_its_own_step_and_that_alone_is_sent_again() -> None:
    trends = Trends()
    for second in range(60):
        give(trends, second, 97)
    number = trends.number
    give(trends, 12, 97, now=60)
    assert (trends.number, steps(trends, since=number)) == (number, [])
    give(trends, 12, 88, now=60)
    assert steps(trends, since=number) == [[10, 88, 97]]
    give(trends, 20, None, now=60)
    assert steps(trends, since=trends.number) == []


def test_what_is_of_another_time_is_left_out() -> None:
    trends = Trends()
    give(trends, -KEPT - 1, 97, now=0)
    give(trends, KEPT + 1, 97, now=0)
    assert trends.since(0) == {}
    give(trends, KEPT - 1, 96, now=0)
    give(trends, -KEPT, 95, now=0)
    assert steps(trends) == [[-KEPT, 95, 95], [KEPT - STEP, 96, 96]]


def test_each_cuff_reading_stands_for_itself_and_a_provisional_one_does_not() -> None:
    trends = Trends()
    at = (START + 2) * NS
    trends.receive("one", [Reading("nibp_sys", 140, Validity.QUESTIONABLE, at, at, Cause.PROVISIONAL, 0, True)], at)
    assert trends.number == 0
    for second in (3, 4, 304):
        give(trends, second, 120 + second, "nibp_sys")
    assert steps(trends, "nibp_sys") == [[3, 123, 123], [4, 124, 124], [304, 424, 424]]


def test_where_the_clock_is_set_back_the_new_time_is_kept_and_the_oldest_is_forgotten() -> None:
    trends = Trends()
    for second in range(3600, 3600 + KEPT):
        give(trends, second, 97)
    for second in range(0, KEPT, STEP):
        give(trends, second, 90)
        assert [second, 90, 90] in steps(trends)
    assert steps(trends) == [[second, 90, 90] for second in range(0, KEPT, STEP)]


@given(st.lists(st.tuples(st.integers(-700, 700), st.sampled_from(["spo2", "nibp_sys"]), st.integers(50, 100))))
def test_memory_is_bounded_whatever_comes(came: list[tuple[int, str, int]]) -> None:
    trends = Trends()
    for second, vital, value in came:
        give(trends, second, value, vital, now=0)
    for vital in ("spo2", "nibp_sys"):
        assert len(steps(trends, vital)) <= KEPT // STEP
        times = [begins or 0 for begins, _, _ in steps(trends, vital)]
        assert times == sorted(set(times))


@pytest.mark.parametrize("vital", ["spo2", "nibp_sys"])
def test_what_is_recalled_is_what_was_received(vital: str) -> None:
    readings = [
        measured(vital, 90 + second % 7, (START + second) * NS, (START + second) * NS)._replace(
            episodic=vital != "spo2"
        )
        for second in range(0, 300, 3)
    ]
    readings.append(missing(vital, (START + 301) * NS, (START + 301) * NS, Cause.SENSOR_OFF))
    if vital == "nibp_sys":
        readings[5] = readings[5]._replace(validity=Validity.QUESTIONABLE, cause=f"{Cause.PROVISIONAL}")
    lived, recalled = Trends(), Trends()
    for reading in readings:
        lived.receive("one", [reading], reading.received_at)
    rows = [(it.observed_at, it.received_at, it.value, int(it.validity), it.cause) for it in readings]
    recalled.recall(Trace("one", "oximeter", vital, blocks.columns(rows)))
    assert steps(recalled, vital) == steps(lived, vital) != []


async def test_a_station_that_was_restarted_has_its_ten_minutes(tmp_path: Path) -> None:
    clock = ManualClock()
    async with served(tmp_path, clock=clock) as clinic:
        for ago in range(700, 0, -5):
            clinic.read(ago=ago, spo2=90 + ago % 9)
        clinic.read(ago=120, nibp_sys=121, nibp_dia=78)
        clinic.read("two", ago=60, spo2=95)
        await clinic.committed()
        before = clinic.station.hub.trends.since(0)
        boot = clinic.station.hub.boot
    async with served(tmp_path, clock=clock) as clinic:
        assert clinic.station.hub.boot != boot
        after = clinic.station.hub.trends.since(0)
        assert after["two"] == before["two"]
        assert after["one"]["nibp_sys"] == before["one"]["nibp_sys"]
        assert after["one"]["spo2"] == before["one"]["spo2"][-len(after["one"]["spo2"]) :]
        assert len(after["one"]["spo2"]) >= KEPT // STEP - 1
