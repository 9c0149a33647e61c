import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import Cause, Validity, measured, missing
from monitor.buffer import Ring, Rings

TIMES = st.integers(0, 40)
READINGS = st.tuples(TIMES, st.one_of(st.just(math.nan), st.floats(0, 400)), st.sampled_from(Validity))


def same(one, other):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@given(capacity=st.integers(1, 12), readings=st.lists(READINGS, max_size=40), since=TIMES, until=TIMES)
def test_ring_is_a_list_that_forgets_its_oldest(capacity, readings, since, until):
    ring = Ring(capacity)
    for reading in readings:
        ring.append(*reading)
    kept = readings[-capacity:]
    expected = sorted((reading for reading in kept if since <= reading[0] < until), key=lambda reading: reading[0])

    assert len(ring) == len(kept)
    assert same(ring.window(since, until), list(zip(*expected, strict=True)) or [[], [], []])
    if kept:
        newest = max(enumerate(kept), key=lambda numbered: (numbered[1][0], numbered[0]))[1]
        assert same(ring.latest(), newest)
        assert isinstance(ring.latest().validity, Validity)
    else:
        assert ring.latest() is None


def test_window_is_a_copy():
    ring = Ring(4)
    ring.append(1, 97.0, Validity.VALID)
    ring.window(0, 10).values[0] = 0.0
    assert ring.latest().value == 97.0


def test_window_types():
    window = Ring().window(0, 1)
    assert [array.dtype for array in window] == [np.int64, np.float64, np.int8]


def test_times_keep_every_nanosecond():
    ring = Ring()
    at = 1_767_225_600_123_456_789
    ring.append(at, 97.0, Validity.VALID)
    ring.append(at + 1, 98.0, Validity.VALID)
    assert ring.window(at, at + 2).times.tolist() == [at, at + 1]


@pytest.mark.parametrize("appended", [3, 4, 5, 9])
def test_gap_stays_a_gap(appended):
    ring = Ring(4)
    for index in range(appended):
        ring.append(index * 1000, float(index), Validity.VALID)
    window = ring.window(0, 10_000)
    assert len(window.times) == min(appended, 4)
    assert set(np.diff(window.times)) == {1000}


def test_rings_by_bed_and_vital():
    rings = Rings()
    rings.append("chair-1", measured("spo2", 97.0, 10, 11))
    rings.append("chair-1", missing("spo2", 20, 21, Cause.SENSOR_OFF))
    rings.append("chair-2", measured("spo2", 93.0, 10, 11))

    window = rings.get("chair-1", "spo2").window(0, 100)
    assert same(window, ([10, 20], [97.0, math.nan], [Validity.VALID, Validity.INVALID]))
    assert rings.get("chair-2", "spo2").latest() == (10, 93.0, Validity.VALID)
    assert rings.get("chair-1", "temp") is None
