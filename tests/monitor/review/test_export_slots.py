"""Readings at uneven times, and numbers with decimals, as the samples that EDF and WFDB take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from monitor.review.exports.slots import NONE, RATES, exact, scale, slots, stored

moments = st.lists(st.integers(0, 3600 * NS), min_size=1, max_size=60, unique=True).map(sorted)
decimals = st.integers(0, 4).flatmap(
    lambda places: st.lists(st.integers(-32_767, 32_767).map(lambda it: it / 10**places), min_size=1, max_size=30)
)


@given(moments)
def test_each_reading_has_a_slot_of_its_own_near_its_time(at):
    after = np.array(at, np.int64)
    rate, place = slots(after)
    told = place >= 0
    assert len(set(place[told])) == told.sum()
    assert (np.diff(place[told]) > 0).all()
    assert (np.abs(after - place * NS // rate)[told] <= NS // rate).all()
    # What has none is so near to another that no rate parts them.
    assert told.all() or rate == RATES[-1]


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [
        (np.arange(7200) * 1.024, 1),
        (np.arange(7200) + np.tile([0.04, -0.04, 0.0], 2400) + 0.02, 1),
        (np.arange(0, 3600, 3), 1),
        (np.arange(0, 600, 0.5), 2),
        (np.arange(0, 100, 0.1), 16),
    ],
    ids=["every 1.024 s", "about every second", "every 3 s", "twice a second", "ten a second"],
)
def test_the_rate_is_the_lowest_that_is_enough(seconds, rate):
    made = slots(np.rint(seconds * NS).astype(np.int64))
    assert made.rate == rate
    assert (made.place >= 0).all()


@given(decimals)
def test_decimals_are_exact(values):
    numbers = np.array(values)
    by = scale(numbers)
    samples, inside = stored(numbers, by)
    assert inside.all()
    assert exact(numbers, by).all()
    assert not by.rounded
    assert (samples != NONE).all()
    assert ((samples.astype(int) + by.base) / 10**by.decimals).tolist() == values


def test_temperatures_with_three_decimals_are_exact_though_16_bits_do_not_reach_from_0():
    values = np.arange(35.001, 42, 0.013).round(3)
    by = scale(values)
    assert by.decimals == 3
    assert exact(values, by).all()


def test_one_number_out_of_range_does_not_make_the_others_coarser():
    values = np.array([0.24] * 500 + [9999.0])
    by = scale(values)
    assert exact(values, by).tolist() == [True] * 500 + [False]
    assert stored(values, by)[1].tolist() == [True] * 500 + [False]


def test_numbers_that_were_computed_are_rounded_as_little_as_16_bits_allow():
    values = (np.linspace(96, 104, 1000) - 32) / 1.8
    by = scale(values)
    assert by.rounded
    samples, inside = stored(values, by)
    assert inside.all()
    assert np.abs((samples.astype(float) + by.base) / 10**by.decimals - values).max() <= 0.5e-4
