"""What a recording is read into: columns for whoever judges it as a whole, readings for whoever takes one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Reading, Validity, Waveform

_PARTS = 2.0**20
"""Moments are multiples of this part of a second (a microsecond): then sums and differences of them have no rounding,
and all who compare them with a delay come to the same result."""


@dataclass(frozen=True, slots=True)
class Series:
    """Every reading of one vital, as columns of n, in the order in which they came."""

    t: NDArray[np.float64]
    """When each came, seconds, float64[n]; never falls. See `moments`."""
    value: NDArray[np.float64]
    """In the vital's unit; NaN where there is none."""
    validity: NDArray[np.uint8]
    """`Validity` as a number, uint8[n]."""
    cause: NDArray[np.intp]
    """Place in `causes`, intp[n]."""
    causes: tuple[str, ...]
    """Causes as a `Reading` has them."""
    observed_at: NDArray[np.int64]
    """UTC nanoseconds, int64[n]."""
    received_at: NDArray[np.int64]
    """The same column where nothing says that it was received at another time."""
    episodic: bool
    """Whether all of it is measured now and then, as `Reading.episodic`."""
    clock_behind: NDArray[np.float64] | None = None
    """Seconds, as `Reading.clock_behind`; 0 where there is no column."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Every run of samples of one waveform, one after the other; what lies between two runs was not recorded."""

    name: str
    """A key of `vitals.WAVEFORMS`."""
    rate: float
    """Samples per second."""
    samples: NDArray[np.int32]
    """Of all runs, as the file has them, without its scale: int32[n]."""
    begins: NDArray[np.int64]
    """Of each run the time of its first sample, UTC nanoseconds, int64[r]."""
    lengths: NDArray[np.int64]
    """How many samples each run has, int64[r]; one or more."""

    @property
    def until(self) -> int:
        """When the last sample of all is over, UTC nanoseconds."""
        return int((self.begins + np.rint(self.lengths * (NS / self.rate)).astype(np.int64)).max())

    def runs(self, longest: float) -> Iterator[Waveform]:
        """Each run as it is, or in parts of so many seconds at most."""
        most = max(1, int(longest * self.rate))
        ends = np.cumsum(self.lengths)
        for begins_at, length, end in zip(self.begins.tolist(), self.lengths.tolist(), ends.tolist(), strict=True):
            for first in range(0, length, most):
                at = begins_at + round(first * NS / self.rate)
                part = self.samples[end - length + first : min(end, end - length + first + most)]
                yield Waveform(self.name, tuple(part.tolist()), self.rate, at, at)


@dataclass(frozen=True)
class Recording:
    """What one bed's devices measured, over one stretch of time."""

    name: str
    """As its reader was asked for it: a path, or a session."""
    series: Mapping[str, Series]
    """By vital, in the order in which readings of one moment follow each other."""
    began: float
    """The first moment of which it tells, seconds on the scale of `Series.t`."""
    ended: float
    """And the last."""
    origin: int = 0
    """UTC nanoseconds of second 0."""
    ignored: tuple[str, ...] = field(default=())
    """What else the file has, by its own names."""
    waveforms: tuple[Wave, ...] = field(default=())
    """At most one of a name."""

    def shifted(self, by: int) -> Recording:
        """The same, so many nanoseconds later."""
        series = {
            vital: replace(one, observed_at=one.observed_at + by, received_at=one.received_at + by)
            for vital, one in self.series.items()
        }
        waves = tuple(replace(wave, begins=wave.begins + by) for wave in self.waveforms)
        return replace(self, series=series, origin=self.origin + by, waveforms=waves)

    def at(self, t: float) -> int:
        """UTC nanoseconds of a moment in seconds."""
        return self.origin + round(t * NS)

    def readings(self) -> Iterator[tuple[float, list[Reading]]]:
        """The same one after the other: what came at one moment, with that moment, in order of time."""
        keys, columns = list(self.series), list(self.series.values())
        if not columns:
            return
        came = np.concatenate([one.t for one in columns])
        which = np.repeat(np.arange(len(columns)), [len(one.t) for one in columns])
        rows = np.concatenate([np.arange(len(one.t)) for one in columns])
        order = np.lexsort((rows, which, came))
        now, batch = self.began, list[Reading]()
        for t, vital, row in zip(came[order].tolist(), which[order].tolist(), rows[order].tolist(), strict=True):
            if t != now and batch:
                yield now, batch
                batch = []
            now = t
            batch.append(_reading(keys[vital], columns[vital], row))
        if batch:
            yield now, batch


def moments(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds as `Series.t` has them: rounded to a microsecond, and so that nothing is lost in computing with them."""
    return np.rint(seconds * _PARTS) / _PARTS


def _reading(vital: str, series: Series, row: int) -> Reading:
    validity = Validity(int(series.validity[row]))
    return Reading(
        vital,
        None if validity is Validity.INVALID else float(series.value[row]),
        validity,
        int(series.observed_at[row]),
        int(series.received_at[row]),
        series.causes[series.cause[row]],
        0.0 if series.clock_behind is None else float(series.clock_behind[row]),
        series.episodic,
    )
