"""The last ten minutes of every vital for the wall: what was lowest and highest in each step of five seconds.

Nothing is smoothed away, and nothing is filled in: a step in which only invalid readings came has no numbers, a step in
which nothing came is not there. Each change is numbered, so that a page that was away gets exactly what it missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.clock import NS
from drivers.events import Event, Reading, Validity, is_provisional
from drivers.vitals import VITALS
from monitor.storage.charts import Trace

STEP = 5
"""Seconds."""
KEPT = 600
"""Seconds for which steps are kept."""
_STEPS = KEPT // STEP

Step = list[int | float | None]
"""When it begins (UTC seconds), lowest, highest."""


class _Series:
    __slots__ = ("changed", "numbers", "steps")

    def __init__(self) -> None:
        self.steps: dict[int, Step] = {}
        self.numbers: dict[int, int] = {}
        """By step, the number of its last change."""
        self.changed = 0


class Trends:
    """Ten minutes of every bed. Times of cuff readings are not put to a step: each is one of its own."""

    def __init__(self) -> None:
        self.number = 0
        """That of the last change."""
        self._beds: dict[str, dict[str, _Series]] = {}

    def receive(self, bed: str, events: Sequence[Event], now: int) -> None:
        """Take what a device of a bed gave; `now` is UTC nanoseconds."""
        vitals = self._beds.setdefault(bed, {})
        for event in events:
            if type(event) is not Reading or abs(now - event.observed_at) > KEPT * NS:
                continue
            if event.episodic and is_provisional(event.cause):
                continue
            series = vitals.get(event.vital)
            if series is None:
                series = vitals[event.vital] = _Series()
            value = None if event.validity is Validity.INVALID else event.value
            self._add(series, event.observed_at, value, every=1 if event.episodic else STEP)

    def recall(self, trace: Trace) -> None:
        """Take up what was measured before the station's start."""
        episodic = trace.vital in VITALS and VITALS[trace.vital].episodic
        series = self._beds.setdefault(trace.bed, {}).setdefault(trace.vital, _Series())
        readings = trace.readings
        provisional = list(map(is_provisional, readings.causes))
        columns = (readings.observed_at, readings.values, readings.validity, readings.cause)
        for at, value, validity, cause in zip(*(column.tolist() for column in columns), strict=True):
            if not (episodic and provisional[cause]):
                known = validity != Validity.INVALID and not math.isnan(value)
                self._add(series, at, value if known else None, every=1 if episodic else STEP)

    def since(self, number: int) -> dict[str, dict[str, list[Step]]]:
        """By bed and vital, the steps that changed after that number, in order of time; 0 for all."""
        found: dict[str, dict[str, list[Step]]] = {}
        for bed, vitals in self._beds.items():
            changed = {vital: _changed(series, number) for vital, series in vitals.items() if series.changed > number}
            if changed:
                found[bed] = changed
        return found

    def _add(self, series: _Series, at: int, value: float | None, *, every: int) -> None:
        begins = at // NS
        begins -= begins % every
        step = series.steps.get(begins)
        if step is None:
            if len(series.steps) >= _STEPS:
                # The first that came: where the clock is set back, the oldest by its time is the newest.
                first = next(iter(series.steps))
                del series.steps[first], series.numbers[first]
            step = series.steps[begins] = [begins, value, value]
        elif value is not None:
            lowest, highest = step[1], step[2]
            if lowest is not None and highest is not None and lowest <= value <= highest:
                return
            step[1] = value if lowest is None else min(lowest, value)
            step[2] = value if highest is None else max(highest, value)
        else:
            return
        self.number += 1
        series.numbers[begins] = series.changed = self.number


def _changed(series: _Series, number: int) -> list[Step]:
    return [series.steps[begins] for begins, changed in sorted(series.numbers.items()) if changed > number]
