"""The columns of a chart, held to what a plain loop over the readings says."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.events import Cause, Validity, measured, missing
from monitor.buffer import Rings
from monitor.storage import blocks
from monitor.storage.blocks import ReadingTuple
from monitor.storage.charts import Trace
from monitor.web import chart

START = 1_790_000_003 * NS


def trace(vital: str, rows: list[ReadingTuple], device: str = "monitor") -> Trace:
    return Trace("one", device, vital, blocks.columns(rows))


def reading(second: float, value: float | None, validity: Validity = Validity.VALID, cause: str = "") -> ReadingTuple:
    at = START + round(second * NS)
    return at, at, value, validity, cause


@st.composite
def rows(draw: st.DrawFn) -> list[ReadingTuple]:
    """Few, or more than any width that is tried; several to a second, gaps, and all validities."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    made = []
    for _ in range(draw(st.sampled_from([1, 2, 50, 400, 900]))):
        validity = chance.choice(tuple(Validity))
        value = None if validity is Validity.INVALID else chance.randint(400, 1000) / 10
        made.append(reading(chance.randint(0, 5000), value, validity))
    return made


@given(rows(), st.integers(100, 300))
def test_each_step_has_the_lowest_and_highest_of_its_readings_and_how_many_are_doubtful(
    made: list[ReadingTuple], width: int
) -> None:
    step = chart.step_of(START, START + 5001 * NS, width)
    column = chart.columns([trace("spo2", made)], step, width)["spo2"]
    assert len(column["t"]) <= width
    by_step: defaultdict[int, list[ReadingTuple]] = defaultdict(list)
    for place, row in enumerate(sorted(made, key=lambda row: row[0])):
        by_step[row[0] - row[0] % step if len(made) > width else place].append(row)
    assert len(column["t"]) == len(by_step)
    for index, (begins, inside) in enumerate(sorted(by_step.items())):
        values = [value for _, _, value, _, _ in inside if value is not None]
        expected = (min(values), max(values)) if values else (None, None)
        assert (column["low"][index], column["high"][index]) == expected
        assert column["questionable"][index] == sum(row[3] == Validity.QUESTIONABLE for row in inside)
        assert column["invalid"][index] == sum(row[3] == Validity.INVALID for row in inside)
        assert column["t"][index] == (begins if len(made) > width else inside[0][0]) / NS


@given(st.integers(0, 86_400 * NS - 1), st.integers(1, 86_400 * NS), st.integers(100, 4000))
def test_steps_are_whole_seconds_and_never_more_than_the_width(since: int, long: int, width: int) -> None:
    step = chart.step_of(since, since + long, width)
    assert step % NS == 0
    assert (since + long - 1) // step - since // step + 1 <= width


def test_cuff_readings_stand_for_themselves_and_provisional_ones_are_left_out() -> None:
    cuff = [reading(300 * it, 120 + it % 7) for it in range(150)]
    provisional = [
        reading(300 * it + 20, 150, Validity.QUESTIONABLE, f"artifact,{Cause.PROVISIONAL}") for it in range(9)
    ]
    column = chart.columns([trace("nibp_sys", cuff + provisional)], 600 * NS, 100)["nibp_sys"]
    assert column["episodic"]
    assert column["low"] == column["high"] == [120 + it % 7 for it in range(150)]
    assert chart.columns([trace("nibp_sys", provisional)], NS, 100) == {}


def test_more_cuff_readings_than_any_chart_has_are_put_together_after_all() -> None:
    wild = [reading(it, 120) for it in range(chart.WIDEST + 1)]
    assert len(chart.columns([trace("nibp_sys", wild)], 60 * NS, 100)["nibp_sys"]["t"]) <= 70


def test_what_two_devices_gave_one_after_the_other_is_one_line() -> None:
    first = trace("spo2", [reading(it, 97) for it in range(3)])
    second = trace("spo2", [reading(it, 94) for it in range(2, 6)], "another")
    column = chart.columns([first, second], NS, 100)["spo2"]
    assert column["t"] == [START / NS + it for it in (0, 1, 2, 2, 3, 4, 5)]
    assert column["low"] == [97, 97, 97, 94, 94, 94, 94]


def test_numbers_are_as_long_as_they_are_of_use_and_what_is_none_is_null() -> None:
    made = [reading(0, 36.123456), reading(1, math.inf), reading(2, math.nan, Validity.QUESTIONABLE)]
    column = chart.columns([trace("temp", made), trace("of_a_later_version", made)], NS, 100)
    assert column.keys() == {"temp"}
    assert column["temp"]["low"] == [36.123, None, None]


def test_memory_goes_on_where_the_journal_ends() -> None:
    rings = Rings()
    for second in range(10):
        at = START + second * NS
        rings.append("one", measured("spo2", 90 + second, at, at))
        rings.append("one", missing("temp", at, at, Cause.SENSOR_OFF))
    memory = chart.remembered(rings, "one", START, START + 10 * NS)
    stored = [trace("spo2", [reading(it, 97) for it in range(-5, 4)])]
    column: dict[str, Any] = chart.columns(chart.completed(stored, memory), NS, 100)
    assert column["spo2"]["low"] == [97] * 9 + [94, 95, 96, 97, 98, 99]
    assert column["temp"]["invalid"] == [1] * 10
    assert chart.remembered(rings, "two", START, START + 10 * NS) == []


@pytest.mark.parametrize("validity", [Validity.VALID, Validity.QUESTIONABLE])
def test_nothing_is_averaged(validity: Validity) -> None:
    made = [reading(it, 97 - 60 * (it == 500), validity) for it in range(1000)]
    column = chart.columns([trace("spo2", made)], 10 * NS, 101)["spo2"]
    assert np.nanmin(column["low"]) == 37
    assert set(column["high"]) == {97}
