"""The last hours of every vital in memory: one NumPy ring per bed and vital, for the live page and its charts."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.events import Reading, Validity

FOUR_HOURS = 14_400
"""Readings in four hours at one a second; in 80 minutes of an oximeter that gives three."""

_Number = TypeVar("_Number", np.int64, np.float64, np.int8)


class Window(NamedTuple):
    """Readings in order of time; three arrays of one length, which belong to the caller."""

    times: NDArray[np.int64]
    """`observed_at`, UTC nanoseconds."""
    values: NDArray[np.float64]
    """In the vital's unit; NaN exactly where there is none."""
    validity: NDArray[np.int8]
    """Numbers of `Validity`."""


class Sample(NamedTuple):
    """One reading out of a ring."""

    time: int
    value: float
    validity: Validity


class Ring:
    """The last `capacity` readings of one vital, in the order in which they came.

    Times may come slightly out of order (two devices, a redelivery); `window` and `latest` put them right, so that
    `append` stays three stores. A gap stays a gap: nothing is interpolated, and no reading is moved to a grid.
    """

    def __init__(self, capacity: int = FOUR_HOURS) -> None:
        self._capacity = capacity
        self._times = np.zeros(capacity, np.int64)
        self._values = np.zeros(capacity, np.float64)
        self._validity = np.zeros(capacity, np.int8)
        self._appended = 0

    def __len__(self) -> int:
        return min(self._appended, self._capacity)

    def append(self, time: int, value: float, validity: int) -> None:
        """Add one reading, over the oldest when full: UTC nanoseconds, the value or NaN, a number of `Validity`."""
        slot = self._appended % self._capacity
        self._times[slot] = time
        self._values[slot] = value
        self._validity[slot] = validity
        self._appended += 1

    def window(self, since_ns: int, until_ns: int) -> Window:
        """Readings with `since_ns` <= time < `until_ns`, as copies; equal times in the order in which they came."""
        times = self._as_they_came(self._times)
        chosen = np.flatnonzero((times >= since_ns) & (times < until_ns))
        times = times[chosen]
        if np.any(times[1:] < times[:-1]):
            order = np.argsort(times, kind="stable")
            chosen, times = chosen[order], times[order]
        values, validity = self._as_they_came(self._values), self._as_they_came(self._validity)
        return Window(times, values[chosen], validity[chosen])

    def latest(self) -> Sample | None:
        """The reading of the greatest time (of several, the last that came); None while the ring is empty."""
        if not self._appended:
            return None
        age = int(np.argmax(self._as_they_came(self._times)[::-1]))
        slot = (self._appended - 1 - age) % self._capacity
        return Sample(int(self._times[slot]), float(self._values[slot]), Validity(int(self._validity[slot])))

    def _as_they_came(self, array: NDArray[_Number]) -> NDArray[_Number]:
        if self._appended <= self._capacity:
            return array[: self._appended]
        oldest = self._appended % self._capacity
        return np.concatenate((array[oldest:], array[:oldest]))


class Rings:
    """A ring per bed and vital, made when its first reading comes."""

    def __init__(self, capacity: int = FOUR_HOURS) -> None:
        self._capacity = capacity
        self._rings: dict[tuple[str, str], Ring] = {}

    def append(self, bed: str, reading: Reading) -> None:
        """Add a reading to its ring."""
        key = (bed, reading.vital)
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring(self._capacity)
        ring.append(reading.observed_at, math.nan if reading.value is None else reading.value, reading.validity)

    def get(self, bed: str, vital: str) -> Ring | None:
        """The ring of one vital on one bed; None when nothing has come yet."""
        return self._rings.get((bed, vital))
