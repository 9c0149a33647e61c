"""How a recording is brought into the journal: in portions of columns, each for a stretch of time.

A portion can be brought again: a reading that is there already is not stored twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from drivers.clock import NS
from drivers.errors import StepRefused
from drivers.events import Event, Reading, Validity, Waveform
from drivers.recordings.recording import Recording, Series
from drivers.vitals import VITALS, WAVEFORMS
from monitor.config_base import Name
from monitor.forms import Line
from monitor.sessions.session import Session
from monitor.sessions.steps import State

ROUTE = "/api/recordings"
"""Where a station takes them."""
READINGS = 5_000
"""About how many readings a portion has."""
SAMPLES = 50_000
"""About how many samples a portion has."""
LONGEST_RUN = 10.0
"""Seconds: longer runs of samples are stored in parts."""
_MOST_RUNS = 1_000
LONGEST_BODY = 2_000_000
"""Bytes of a portion as JSON: twelve for each sample at most, and sixty for each reading."""

_At = Annotated[int, Field(ge=0, lt=2**62)]
_Vital = Annotated[str, Field(json_schema_extra={"enum": list(VITALS)})]
_Value = Annotated[float, Field(allow_inf_nan=False)] | None
_Cause = Annotated[str, Field(pattern=r"^[a-z_]*(,[a-z_]+)*$", max_length=100)]
_VALIDITIES = tuple(Validity)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Form):
    """Readings of one vital: lists of one length."""

    vital: _Vital
    at: Annotated[list[_At], Field(max_length=4 * READINGS)]
    """UTC nanoseconds."""
    value: list[_Value]
    """In the vital's unit; null where there is none."""
    validity: list[Literal[0, 1, 2]]
    """0 valid, 1 questionable, 2 invalid: without a value."""
    cause: list[Annotated[int, Field(ge=0)]]
    """Places in `causes`."""
    causes: Annotated[list[_Cause], Field(max_length=100)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.vital not in VITALS:
            raise ValueError(f"{self.vital!r} is no vital")
        if not len(self.at) == len(self.value) == len(self.validity) == len(self.cause):
            raise ValueError("its lists have not one length")
        if self.cause and max(self.cause) >= len(self.causes):
            raise ValueError("a cause is not among its causes")
        if any((value is None) is not (one == 2) for value, one in zip(self.value, self.validity, strict=True)):
            raise ValueError("a reading has no value exactly where it is invalid")
        return self

    def readings(self) -> Iterator[Reading]:
        """One after the other; received when they were measured."""
        episodic = VITALS[self.vital].episodic
        for at, value, validity, cause in zip(self.at, self.value, self.validity, self.cause, strict=True):
            yield Reading(self.vital, value, _VALIDITIES[validity], at, at, self.causes[cause], 0.0, episodic)


class Run(_Form):
    """Equally spaced samples, without a scale."""

    name: Annotated[str, Field(json_schema_extra={"enum": list(WAVEFORMS)})]
    rate: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
    """Samples per second."""
    at: _At
    """Of the first sample, UTC nanoseconds."""
    samples: Annotated[list[Annotated[int, Field(ge=-(2**31), lt=2**31)]], Field(min_length=1, max_length=4 * SAMPLES)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name not in WAVEFORMS:
            raise ValueError(f"{self.name!r} is no waveform")
        return self

    @property
    def until(self) -> int:
        """When the last sample is over, UTC nanoseconds."""
        return self.at + round(len(self.samples) * NS / self.rate)

    def waveform(self) -> Waveform:
        """The run as an event."""
        return Waveform(self.name, tuple(self.samples), self.rate, self.at, self.at)


class Portion(_Form):
    """A part of a recording, for a session that was opened for it and that has its stretch of the bed assigned."""

    session: Line
    bed: Name
    device: Name
    """What gave the recording: no device that the bed has."""
    readings: Annotated[list[Column], Field(max_length=len(VITALS))] = Field(default_factory=list)
    waveforms: Annotated[list[Run], Field(max_length=_MOST_RUNS)] = Field(default_factory=list)

    @property
    def size(self) -> int:
        """How many readings and samples it has."""
        return sum(len(it.at) for it in self.readings) + sum(len(it.samples) for it in self.waveforms)

    def events(self) -> list[Event]:
        """All of it as a device gives it."""
        events: list[Event] = [reading for column in self.readings for reading in column.readings()]
        events.extend(run.waveform() for run in self.waveforms)
        return events


PORTION: TypeAdapter[Portion] = TypeAdapter(Portion)


def refuse_foreign(portion: Portion, session: Session | None) -> None:
    """Raise StepRefused where that portion is none of an open session that waits for its recording."""
    if session is None or session.state is State.CLOSED or session.bed:
        raise StepRefused(f"no session {portion.session!r} is open without a bed, for a recording")
    begins = [at for column in portion.readings for at in column.at] + [run.at for run in portion.waveforms]
    ends = begins + [run.until for run in portion.waveforms]
    assigned = [stay for stay in session.stays if stay.bed == portion.bed and stay.until is not None]
    if begins and not any(it.since <= min(begins) and max(ends) <= (it.until or 0) for it in assigned):
        raise StepRefused(f"that is outside what is assigned to session {session.id} of {portion.bed}")


def portions(
    recording: Recording, session: str, bed: str, device: str, there: Collection[tuple[str, int]] = ()
) -> Iterator[Portion]:
    """The whole recording: its readings in order of time, then its waveforms without the runs that are `there`."""
    columns = [_Sorted.of(vital, series) for vital, series in recording.series.items()]
    times = np.sort(np.concatenate([np.empty(0, np.int64), *(it.at for it in columns)]))
    # What was measured at one moment is never divided.
    cuts = np.unique(np.append(times[::READINGS], times[-1:] + 1)).tolist()
    for since, until in itertools.pairwise(cuts):
        parts = [it.between(since, until) for it in columns]
        yield Portion(session=session, bed=bed, device=device, readings=[it for it in parts if it.at])
    for runs in _runs(recording, there):
        yield Portion(session=session, bed=bed, device=device, waveforms=runs)


class _Sorted(NamedTuple):
    """A series in order of `observed_at`."""

    vital: str
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    validity: NDArray[np.uint8]
    cause: NDArray[np.intp]
    causes: tuple[str, ...]

    @classmethod
    def of(cls, vital: str, series: Series) -> Self:
        order = np.argsort(series.observed_at, kind="stable")
        columns = (series.value[order], series.validity[order], series.cause[order])
        return cls(vital, series.observed_at[order], *columns, series.causes)

    def between(self, since: int, until: int) -> Column:
        first, last = np.searchsorted(self.at, [since, until]).tolist()
        at, values, validity, cause = (it[first:last].tolist() for it in self[1:5])
        value = [None if one == Validity.INVALID else it for it, one in zip(values, validity, strict=True)]
        return Column(vital=self.vital, at=at, value=value, validity=validity, cause=cause, causes=list(self.causes))


def _runs(recording: Recording, there: Collection[tuple[str, int]]) -> Iterator[list[Run]]:
    for wave in recording.waveforms:
        several: list[Run] = []
        size = 0
        for run in wave.runs(min(LONGEST_RUN, SAMPLES / wave.rate)):
            if (run.name, run.observed_at) in there:
                continue
            several.append(Run(name=run.name, rate=run.rate, at=run.observed_at, samples=list(run.samples)))
            size += len(run.samples)
            if size >= SAMPLES or len(several) == _MOST_RUNS:
                yield several
                several, size = [], 0
        if several:
            yield several
