"""Where a moment or a value lies on the drawing, and how finely it is ruled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from monitor.review.report.language import Language
from monitor.review.tracks import Span, Track

_RULINGS = (
    (30, 1, 5),
    (180, 5, 15),
    (420, 10, 30),
    (840, 30, 60),
    (1680, 60, 120),
    (3360, 60, 240),
    (10080, 180, 720),
    (20160, 360, 1440),
)
"""Up to how many minutes, and minutes from line to line and from bold line to bold line."""
_WIDEST_RULING = (1440, 7 * 1440)
_STEPS = (10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds."""


class TimeAxis(NamedTuple):
    """Time goes from left to right."""

    span: Span
    left: float
    width: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    def x(self, at: int) -> float:
        """Where that moment is; what lies outside is put to the edge."""
        share = (at - self.span.since) / max(1, self.span.until - self.span.since)
        return self.left + self.width * min(1.0, max(0.0, share))

    def ruling(self, language: Language) -> tuple[list[int], list[int]]:
        """The moments of all lines, and of the bold ones: full minutes by the clock on the wall."""
        minutes = self.span.seconds / 60
        fine, bold = next((it[1:] for it in _RULINGS if minutes <= it[0]), _WIDEST_RULING)
        return clock_marks(self.span, fine, language), clock_marks(self.span, bold, language)

    def step(self, least: float) -> int:
        """Nanoseconds of the shortest step that is not narrower than that."""
        for seconds in _STEPS:
            if self.width * seconds >= least * self.span.seconds:
                return seconds * NS
        return math.ceil(self.span.seconds / _STEPS[-1]) * _STEPS[-1] * NS


class ValueAxis(NamedTuple):
    """Values go from the bottom up."""

    low: float
    high: float
    top: float
    height: float

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.top + self.height

    def y(self, value: float) -> float:
        """Where that value is; what lies outside is put to the edge."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return self.bottom - self.height * share

    def marks(self, step: float) -> Iterator[float]:
        """The multiples of `step` on it."""
        number = math.ceil(self.low / step)
        while number * step <= self.high:
            yield number * step
            number += 1


class Steps(NamedTuple):
    """What a vital did in each step of time that has any of its readings; all columns are of n."""

    middle: NDArray[np.int64]
    """UTC nanoseconds."""
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    def columns(self, times: TimeAxis) -> Iterator[tuple[float, float, float]]:
        """For each its x, and the lowest and the highest value."""
        columns = (self.middle, self.lowest, self.highest)
        for at, low, high in zip(*(one.tolist() for one in columns), strict=True):
            yield times.x(at), low, high


def steps(track: Track, which: NDArray[np.bool_], span: Span, step: int) -> Steps:
    """The lowest and the highest of those readings in each step, none of which is left out or smoothed."""
    which = which & (track.at >= span.since) & (track.at <= span.until)
    at, value = track.at[which], track.value[which]
    if not len(at):
        return Steps(at, value, value)
    begins, first = np.unique(at - at % step, return_index=True)
    return Steps(begins + step // 2, np.minimum.reduceat(value, first), np.maximum.reduceat(value, first))


def placed(spans: Iterable[tuple[float, float]], lanes: int) -> Iterator[int | None]:
    """For each stretch from left to right the first lane where it runs into nothing; None where there is no such."""
    ends = [-math.inf] * lanes
    for left, right in spans:
        lane = next((lane for lane, end in enumerate(ends) if end <= left), None)
        if lane is not None:
            ends[lane] = right
        yield lane


def clock_marks(span: Span, minutes: int, language: Language) -> list[int]:
    """The moments of a span at which the clock on the wall shows a multiple of so many minutes."""
    offset = language.moment(span.since).utcoffset() or timedelta()
    step, shift = minutes * 60 * NS, round(offset.total_seconds()) * NS
    first = -((span.since + shift) // -step) * step - shift
    return list(range(first, span.until + 1, step))
