"""Readings at uneven times as samples of a fixed rate, and numbers as 16-bit ones: what EDF and WFDB ask for.

A reading stands in the slot in which it was measured, or in the next one where a reading before it stands there: so
readings that come about once a second, some milliseconds early or late, stay one a second. The rate is the lowest of
`RATES` at which each has a slot of its own that way.

A number is stored as a multiple of a power of ten, the largest by which all numbers of the signal are exact. Where 16
bits do not reach, the few that are rounded or out of range are told apart, so that they can be said in words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS

RATES = (1, 2, 4, 8, 16)
"""Slots a second. What comes faster is a waveform, or was delivered twice."""
NONE = -32768
"""The 16-bit number of a slot without a value."""
LARGEST = 32767
MOST_DECIMALS = 4
FEW = 100
"""So many numbers that are not stored exactly are said in words; where there are more, the signal is a rounded one."""
_FURTHEST = 900_000
"""`Scale.base` stays below that, so that the range of a signal can be written with EDF's eight characters."""


class Slots(NamedTuple):
    """Where readings stand."""

    rate: int
    """Slots a second."""
    place: NDArray[np.int64]
    """The slot of each reading, int64[n]; -1 where another reading has it, and there is no rate to part them."""


class Scale(NamedTuple):
    """How numbers are stored: value = (stored + base) / 10 ** decimals."""

    decimals: int
    base: int
    rounded: bool
    """Whether so many numbers needed more decimals that they are told for all of the signal."""


def slots(after: NDArray[np.int64]) -> Slots:
    """The slots of readings that were measured so many nanoseconds after the first slot's beginning, int64[n], rising.

    A reading is in slot `place` of `rate`: measured after that slot began and before it ended, or in the one before.
    """
    order = np.arange(len(after))
    for rate in RATES:
        own = after * rate // NS
        place = order + np.maximum.accumulate(own - order)
        if np.all(place - own <= 1):
            return Slots(rate, place)
    place = np.full(len(after), -1, np.int64)
    first = np.unique(own, return_index=True)[1]
    place[first] = own[first]
    return Slots(RATES[-1], place)


def scale(values: NDArray[np.float64]) -> Scale:
    """The scale by which the most of the numbers (float64[n], all finite) are exact."""
    if not len(values):
        return Scale(0, 0, rounded=False)
    scales = [Scale(decimals, _base(values, decimals), rounded=False) for decimals in range(MOST_DECIMALS + 1)]
    inexact = [int((~exact(values, one)).sum()) for one in scales]
    if min(inexact) <= FEW:
        return scales[inexact.index(min(inexact))]
    reaching = [one for one in scales if stored(values, one)[1].all()]
    return (reaching or scales[:1])[-1]._replace(rounded=True)


def stored(values: NDArray[np.float64], scale: Scale) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The numbers as they are stored, int16[n], and which of them are in range, bool[n]; the others are `NONE`."""
    steps = np.rint(values * 10.0**scale.decimals) - scale.base
    inside = np.abs(steps) <= LARGEST
    return np.where(inside, steps, NONE).astype(np.int16), inside


def exact(values: NDArray[np.float64], scale: Scale) -> NDArray[np.bool_]:
    """Which numbers are the same when they are read again, bool[n]."""
    steps, inside = stored(values, scale)
    same: NDArray[np.bool_] = inside & ((steps.astype(np.int64) + scale.base) / 10.0**scale.decimals == values)
    return same


def _base(values: NDArray[np.float64], decimals: int) -> int:
    steps = np.rint(values * 10.0**decimals)
    low, high = float(steps.min()), float(steps.max())
    if max(-low, high) <= LARGEST or high - low > 2 * LARGEST or max(-low, high) > _FURTHEST:
        return 0
    return int((low + high) // 2)
