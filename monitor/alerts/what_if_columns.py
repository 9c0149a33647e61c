"""A recording as what-if judges it: the readings that count, and the stretches in which the same rules are in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.device import LATE_AFTER
from drivers.events import Validity, is_provisional
from drivers.recordings.recording import Recording, Series
from monitor.alerts.engine import LIVE_WITHIN
from monitor.alerts.in_force import EVERY_VALUE, Force, Visit, in_force, medians, other_session
from monitor.alerts.rules import Profile

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

Key = tuple[float, int, int, int]
"""A step, in the order of steps: its moment; visit (0), reading (1) or tick (2); which visit or vital; which row."""


class Moment(NamedTuple):
    """A session's phase begins, or there is no session any more."""

    t: float
    """Seconds on the scale of the recording, as `recordings.recording.moments` makes them."""
    visit: Visit | None


class Stretch(NamedTuple):
    """From here on these rules are in force."""

    t: float
    number: int
    tick: bool
    """Noticed at a tick: after the readings of that moment, not before them."""
    anew: bool
    """Another patient: what was learned before is forgotten."""
    visit: Visit | None
    force: Force
    numbers: Mapping[str, float]
    """Rule -> its number in force."""
    overdue_ends: bool

    @property
    def key(self) -> Key:
        """When it begins, among the steps."""
        return (self.t, 2, 0, 0) if self.tick else (self.t, 0, self.number, 0)


class Ticks:
    """Once a second from `start` on, until `end`."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def first(self, after: Floats) -> Floats:
        """The first tick at or after each of these moments, whether there is one or not."""
        number = np.maximum(np.ceil(after - self.start), 0.0)
        number += self.start + number < after
        return self.start + number

    def first_of(self, after: float) -> float:
        """The same of one moment."""
        return float(self.first(np.array([after]))[0])


class View:
    """Those readings of a vital that count for something, in the order in which they came."""

    def __init__(self, series: Series, rows: Places | None, stretches: Sequence[Stretch]) -> None:
        self._rows = rows
        everything = slice(None) if rows is None else rows
        self.t: Floats = series.t[everything]
        self.value: Floats = series.value[everything]
        self.at: NDArray[np.int64] = series.observed_at[everything]
        self.begins: list[int] = [
            0,
            *(int(np.searchsorted(self.t, one.t, "right" if one.tick else "left")) for one in stretches[1:]),
            len(self.t),
        ]
        """Where each stretch begins, and the end."""

    def rows(self, places: Places) -> Places:
        """Their places in the series."""
        return places if self._rows is None else self._rows[places]

    @cached_property
    def pauses(self) -> Floats:
        """Seconds from each to the next."""
        return self.t[1:] - self.t[:-1]

    @cached_property
    def longest_pause(self) -> float:
        """The longest of these."""
        return float(self.pauses.max(initial=0.0))

    @cached_property
    def lowest(self) -> float:
        """Of all values."""
        return float(self.value.min(initial=inf))

    @cached_property
    def highest(self) -> float:
        """Of all values."""
        return float(self.value.max(initial=-inf))


class VitalColumns:
    """The readings of one vital."""

    def __init__(self, number: int, name: str, series: Series) -> None:
        self.number, self.name = number, name
        self.series = series
        self._aged = series.received_at is not series.observed_at
        # Nearly every series: all that it has is valid and counts.
        self._every = (
            not self._aged
            and bool(series.validity.max(initial=Validity.VALID) == Validity.VALID)
            and not (series.cause.max(initial=0) and self._provisional.any())
        )
        self._stretches: Sequence[Stretch] = ()

    @cached_property
    def _valid(self) -> Mask:
        valid: Mask = self.series.validity == Validity.VALID
        return valid

    @property
    def _provisional(self) -> Mask:
        named = np.array(list(map(is_provisional, self.series.causes)), np.bool_)
        return named[self.series.cause]

    @cached_property
    def _measured(self) -> Mask:
        series = self.series
        found: Mask = (series.validity != Validity.INVALID) & ~np.isnan(series.value) & ~self._provisional
        if self._aged:
            age = (series.received_at - series.observed_at) / NS
            if series.clock_behind is not None:
                age = age - series.clock_behind
            found &= np.maximum(age, 0.0) <= (LATE_AFTER if series.episodic else LIVE_WITHIN)
        return found

    def valid_between(self, begin: float, end: float) -> list[float]:
        """The valid values that came then; without what came at the end."""
        of_time = slice(*np.searchsorted(self.series.t, [begin, end]))
        chosen: list[float] = self.series.value[of_time][(self._measured & self._valid)[of_time]].tolist()
        return chosen

    def take(self, stretches: Sequence[Stretch]) -> None:
        """What is asked for from now on is by these stretches."""
        self._stretches = stretches

    @cached_property
    def counted(self) -> View:
        """Those that have a value, are live and not provisional."""
        return View(self.series, None if self._every else np.flatnonzero(self._measured), self._stretches)

    @cached_property
    def valid(self) -> View:
        """Those of them that are valid: what a rule judges for which questionable ones do not count."""
        if self._every:
            return self.counted
        return View(self.series, np.flatnonzero(self._measured & self._valid), self._stretches)

    @cached_property
    def armed(self) -> View:
        """Those of them that came when the vital was armed: what a rule judges."""
        if self._every:
            return self.counted
        rows = np.flatnonzero(self._measured)
        chosen = np.zeros(len(rows), np.bool_)
        for first, until in self._sessions():
            chosen[self.armed_at(first) : self.counted.begins[until]] = True
        return View(self.series, rows[chosen], self._stretches)

    @cached_property
    def within_limits(self) -> bool:
        """Whether no reading is outside a limit that is ever in force."""
        bands = [one.force.bands.get(self.name, EVERY_VALUE) for one in self._stretches]
        lowest, highest = self.counted.lowest, self.counted.highest
        return all(low <= lowest and highest <= high for low, high in bands)

    def armed_at(self, first: int) -> int:
        """Place in `counted` of the reading that arms the vital in the session of stretch `first`, or its end."""
        begin = self.counted.begins[first]
        if self._every:
            return begin
        end = self.counted.begins[next(end for begin, end in self._sessions() if begin == first)]
        if begin == end:
            return begin
        valid = self._valid[self.counted.rows(np.arange(begin, end))]
        return begin + int(valid.argmax()) if valid.any() else end

    def _sessions(self) -> Iterator[tuple[int, int]]:
        begins = [one.number for one in self._stretches if one.anew]
        return zip(begins, [*begins[1:], len(self._stretches)], strict=True)


def stretches_of(
    profile: Profile, vitals: Mapping[str, VitalColumns], visits: Sequence[Moment], ticks: Ticks
) -> list[Stretch]:
    """What is in force when: by the phases, by their length, and by the session's own baseline."""
    collected: dict[str, list[float]] = {}
    baseline: dict[str, float] = {}
    stretches = [_without_session(_Same(profile))]
    before, since = None, -inf
    for moment, until in zip(visits, [*(it.t for it in visits), inf][1:], strict=True):
        visit = moment.visit
        if before is not None and before.phase == "baseline":
            for vital in profile.relative & vitals.keys():
                collected.setdefault(vital, []).extend(vitals[vital].valid_between(since, moment.t))
        anew = bool(other_session(before, visit))
        if anew:
            collected = {} if visit is None else {vital: list(values) for vital, values in visit.baseline.items()}
            known = visit is not None and visit.phase not in {"check_in", "baseline"}
            baseline = medians(collected) if known else {}
        elif visit is not None and before is not None and visit.phase != before.phase:
            if before.phase == "baseline":
                baseline = medians(collected)
            elif visit.phase == "baseline":
                baseline = {}
        ends = before is not None and (visit is None or visit.phase != before.phase)
        before, since = visit, moment.t
        force = in_force(profile, visit, baseline, moment.t)
        stretches.append(_stretch(moment.t, len(stretches), force, visit, anew=anew, overdue_ends=ends))
        tick = ticks.first_of(max(moment.t, ticks.start))
        while force.until < inf:
            tick = max(tick, ticks.first_of(force.until))
            if tick >= until or tick > ticks.end:
                break
            force = in_force(profile, visit, baseline, tick)
            stretches.append(_stretch(tick, len(stretches), force, visit, tick=True))
            tick += 1.0
    return stretches


class _Same:
    """A profile as the key of a cache: by which one it is, as rules have no hash."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def __hash__(self) -> int:
        return id(self.profile)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.profile is self.profile


@lru_cache(maxsize=4)
def _without_session(same: _Same) -> Stretch:
    """What is in force before the first visit. Kept: nothing else is in force in most recordings, and they are many."""
    return _stretch(-inf, 0, in_force(same.profile, None, {}, -inf), None, anew=True)


def _stretch(
    t: float,
    number: int,
    force: Force,
    visit: Visit | None,
    *,
    tick: bool = False,
    anew: bool = False,
    overdue_ends: bool = False,
) -> Stretch:
    numbers = {one.rule.id: one.number for several in force.judged.values() for one in several}
    return Stretch(t, number, tick, anew, visit, force, numbers, overdue_ends)


def spans(stretches: Sequence[Stretch], rule: str) -> Iterator[tuple[int, int]]:
    """From which stretch until before which one a rule is in force without a break, in one session."""
    begin = None
    for one in stretches:
        there = rule in one.force.ids
        if begin is not None and (one.anew or not there):
            yield begin, one.number
            begin = None
        if there and begin is None:
            begin = one.number
    if begin is not None:
        yield begin, len(stretches)


def session_of(stretches: Sequence[Stretch], number: int) -> int:
    """The stretch with which that one's session begins."""
    return max(one.number for one in stretches[: number + 1] if one.anew)


def columns_of(recording: Recording) -> dict[str, VitalColumns]:
    """Each vital of the recording."""
    return {name: VitalColumns(number, name, series) for number, (name, series) in enumerate(recording.series.items())}
