"""What was measured in a session: each vital as columns, and cuff readings as the events that they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Validity, is_provisional
from drivers.vitals import VITALS
from monitor.storage.charts import Trace

SPEAKS_FOR = 10 * NS
"""Nanoseconds for which a continuous vital's value says how the patient is, if no other comes: so long the page shows
it (`live.OLD_AFTER`), and what is longer without one is a gap."""
_PRESSURES = ("nibp_sys", "nibp_dia", "nibp_mean")


@dataclass(frozen=True)
class Track:
    """Every reading of one vital in a session, as columns of n in order of `at`; nothing is left out or filled in."""

    vital: str
    at: NDArray[np.int64]
    """When it was measured, UTC nanoseconds, int64[n]."""
    value: NDArray[np.float64]
    """In the vital's unit, float64[n]; NaN where there is none."""
    validity: NDArray[np.uint8]
    """`Validity` as a number, uint8[n]."""
    cause: NDArray[np.uint16]
    """Place in `causes`, uint16[n]."""
    causes: tuple[str, ...]
    device: NDArray[np.uint16]
    """Place in `devices`, uint16[n]."""
    devices: tuple[str, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which have a value, bool[n]: valid ones and questionable ones."""
        known: NDArray[np.bool_] = (self.validity != Validity.INVALID) & np.isfinite(self.value)
        return known

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which are valid, bool[n]."""
        valid: NDArray[np.bool_] = (self.validity == Validity.VALID) & np.isfinite(self.value)
        return valid


class Span(NamedTuple):
    """A stretch of time, UTC nanoseconds."""

    since: int
    until: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since) / NS


class CuffReading(NamedTuple):
    """One determination of the cuff pressure: what a device gave for one moment."""

    at: int
    """UTC nanoseconds."""
    device: str
    sys: float | None
    """mmHg; None where the device gave none."""
    dia: float | None
    mean: float | None
    validity: Validity
    """The worst of the three."""
    cause: str
    """Their causes, joined by commas."""

    @property
    def provisional(self) -> bool:
        """Whether it is a systolic that came before the cuff was done."""
        return is_provisional(self.cause)


def tracks(parts: Iterable[Trace]) -> dict[str, Track]:
    """The traces of all stretches of a session by vital, in the order of the table; unknown vitals come last."""
    by_vital: defaultdict[str, list[Trace]] = defaultdict(list)
    for part in parts:
        by_vital[part.vital].append(part)
    known = [vital for vital in VITALS if vital in by_vital]
    return {vital: _track(vital, by_vital[vital]) for vital in (*known, *sorted(by_vital.keys() - VITALS.keys()))}


def _track(vital: str, parts: Sequence[Trace]) -> Track:
    table: dict[str, int] = {"": 0}
    # In the order of their names, so that the same readings make the same columns wherever they are read from.
    for words in sorted({words for part in parts for words in _used(part)}):
        table.setdefault(words, len(table))
    devices = tuple(sorted({part.device for part in parts}))
    at = np.concatenate([part.readings.observed_at for part in parts])
    cause = np.concatenate(
        [np.array([table.get(it, 0) for it in part.readings.causes], np.uint16)[part.readings.cause] for part in parts]
    )
    device = np.concatenate(
        [np.full(len(part.readings.observed_at), devices.index(part.device), np.uint16) for part in parts]
    )
    value = np.concatenate([part.readings.values for part in parts])
    validity = np.concatenate([part.readings.validity for part in parts])
    # What is of one series is in order.
    order = np.lexsort((device, at)) if len(parts) > 1 else slice(None)
    return Track(vital, at[order], value[order], validity[order], cause[order], tuple(table), device[order], devices)


def _used(part: Trace) -> Iterable[str]:
    return (part.readings.causes[place] for place in np.flatnonzero(np.bincount(part.readings.cause)).tolist())


def cuff_readings(vitals: Mapping[str, Track]) -> list[CuffReading]:
    """The pressures that a device gave for one moment are one reading; in order of time."""
    found: defaultdict[tuple[int, str], dict[str, tuple[float | None, int, str]]] = defaultdict(dict)
    for vital in _PRESSURES:
        if track := vitals.get(vital):
            columns = (track.at, track.device, track.value, track.validity, track.cause)
            for at, device, value, validity, cause in zip(*(one.tolist() for one in columns), strict=True):
                number = value if isfinite(value) else None
                found[at, track.devices[device]][vital] = (number, validity, track.causes[cause])
    return [_cuff_reading(at, device, pressures) for (at, device), pressures in sorted(found.items())]


def _cuff_reading(at: int, device: str, pressures: Mapping[str, tuple[float | None, int, str]]) -> CuffReading:
    sys, dia, mean = (pressures[vital][0] if vital in pressures else None for vital in _PRESSURES)
    validity = max(validity for _, validity, _ in pressures.values())
    causes = dict.fromkeys(cause for _, _, several in pressures.values() for cause in several.split(",") if cause)
    return CuffReading(at, device, sys, dia, mean, Validity(validity), ",".join(causes))


def gaps(track: Track, span: Span) -> list[Span]:
    """Where a continuous vital has no value for longer than `SPEAKS_FOR`: from the last value to the next one.

    The ends of `span` count as values do, so that what begins late or ends early has a gap there.
    """
    at = track.at[track.known]
    at = at[(at >= span.since) & (at < span.until)]
    edges = np.concatenate([[span.since], at, [span.until]])
    long = np.flatnonzero(np.diff(edges) > SPEAKS_FOR)
    return [Span(int(edges[place]), int(edges[place + 1])) for place in long]


def seconds_where(track: Track, span: Span, counts: NDArray[np.bool_]) -> float:
    """Seconds of `span` for which the last value, not older than `SPEAKS_FOR`, is one of those that count (bool[n])."""
    known = track.known & (track.at >= span.since - SPEAKS_FOR) & (track.at < span.until)
    at, counts = track.at[known], counts[known]
    if not len(at):
        return 0.0
    begins = np.maximum(at, span.since)
    ends = np.minimum(np.minimum(at + SPEAKS_FOR, np.append(at[1:], span.until)), span.until)
    return float(np.maximum(ends - begins, 0)[counts].sum() / NS)


def covered(track: Track, span: Span) -> float:
    """Seconds of `span` for which there is a value that is not older than `SPEAKS_FOR`."""
    return seconds_where(track, span, np.ones(len(track.at), np.bool_))
