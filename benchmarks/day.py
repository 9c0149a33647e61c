"""The journal of a clinic's day: 20 beds of 6 vitals, a reading of each every second, one commit a second, sealed.

The values walk as a patient's do: small steps, whole numbers but for the temperature, spells with the sensor off and
spells of doubt, each with its cause. Bytes a reading are only as honest as that. Half of the beds are wired, so that a
reading is observed when it is received; the other half come by a gateway that gives its own time to the millisecond.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Cause, Reading, Validity
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.database import Database
from monitor.storage.rows import Batch

START = 1_767_225_600 * NS
"""UTC nanoseconds of the first second: midnight."""
HOURS = 24
BEDS = tuple(f"chair-{number:02}" for number in range(1, 21))
_DEVICE = "monitor"
_HOUR = 3600
_SEAL_EVERY = 60
_MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory: what is not measured need not wait for a disk."""
_ROOM = 2_000_000_000


class _Course(NamedTuple):
    """How one vital goes."""

    vital: str
    around: float
    step: float
    """Standard deviation from one second to the next."""
    pull: float
    """How much of the way back to `around` it goes each second."""
    most: float
    decimals: int
    missing: tuple[Cause, ...]
    """Why a spell has no values, one of these at random; without any there is none."""
    doubts: tuple[Cause, ...]


_COURSES = (
    _Course("heart_rate", 74, 0.8, 0.01, 200, 0, (Cause.SENSOR_OFF,), (Cause.ARTIFACT,)),
    _Course("pulse_rate", 74, 0.8, 0.01, 200, 0, (Cause.SENSOR_OFF, Cause.SEARCHING), (Cause.LOW_PERFUSION,)),
    _Course("spo2", 96.8, 0.2, 0.01, 100, 0, (Cause.SENSOR_OFF, Cause.SEARCHING), (Cause.LOW_PERFUSION,)),
    _Course("resp_rate", 15, 0.6, 0.03, 60, 0, (Cause.NO_DATA,), (Cause.ARTIFACT,)),
    _Course("etco2", 37, 0.5, 0.02, 80, 0, (Cause.NO_DATA,), ()),
    _Course("temp", 36.8, 0.01, 0.001, 42, 1, (), ()),
)
VITALS = tuple(course.vital for course in _COURSES)
_Content = tuple[float | None, Validity, str]


@functools.cache
def journal(hours: int = HOURS) -> Path:
    """The data folder with that day's first `hours`: made once, removed when the process ends."""
    folder = _temporary(None)
    with tempfile.TemporaryDirectory(dir=_quickest_place()) as making:
        made = Path(making) / JOURNAL_FILE
        _fill(made, hours)
        shutil.copy(made, folder / JOURNAL_FILE)
    return folder


def copy(hours: int = HOURS) -> Path:
    """A data folder of its own with the same journal, for a program that writes to it; removed as the first one."""
    folder = _temporary(None)
    shutil.copy(journal(hours) / JOURNAL_FILE, folder / JOURNAL_FILE)
    return folder


def count(hours: int) -> int:
    """How many readings that is."""
    return hours * _HOUR * len(BEDS) * len(VITALS)


def _temporary(place: Path | None) -> Path:
    folder = tempfile.TemporaryDirectory(dir=place, prefix="day-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _quickest_place() -> Path | None:
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        return _MEMORY
    return None


def _fill(path: Path, hours: int) -> None:
    draw = np.random.default_rng(1)
    values = {bed: [course.around + draw.normal(0, 5 * course.step) for course in _COURSES] for bed in BEDS}
    database = Database(path)
    try:
        for hour in range(hours):
            beds = [_an_hour(bed, number, hour, values[bed], draw) for number, bed in enumerate(BEDS)]
            for second, batches in enumerate(zip(*beds, strict=True), start=1):
                if database.write(batches, []).new != len(BEDS) * len(VITALS):
                    raise RuntimeError(f"second {second} of hour {hour} was not stored as it is")
                if second % _SEAL_EVERY == 0:
                    database.seal(START + (hour * _HOUR + second) * NS)
    finally:
        database.close()


def _an_hour(bed: str, number: int, hour: int, values: list[float], draw: np.random.Generator) -> Iterator[Batch]:
    """The bed's batches, one a second; `values` become those of the hour's end."""
    contents = [_contents(course, place, values, draw) for place, course in enumerate(_COURSES)]
    due = START + (hour * _HOUR + np.arange(_HOUR)) * NS + number * 41_000_007
    observed = due + draw.integers(0, 3_000_000, _HOUR)
    received = observed
    if number % 2:
        observed = observed - observed % 1_000_000
        received = observed + draw.integers(2_000_000, 15_000_000, _HOUR)
    for observed_at, received_at, *all_six in zip(observed.tolist(), received.tolist(), *contents, strict=True):
        readings = [
            Reading(vital, value, validity, observed_at, received_at, cause)
            for vital, (value, validity, cause) in zip(VITALS, all_six, strict=True)
        ]
        yield Batch(bed, _DEVICE, readings, [], None)


def _contents(course: _Course, place: int, values: list[float], draw: np.random.Generator) -> list[_Content]:
    walked = np.empty(_HOUR)
    value = values[place]
    for second, step in enumerate(draw.normal(0, course.step, _HOUR).tolist()):
        value += step + course.pull * (course.around - value)
        walked[second] = value
    values[place] = value
    told = np.round(np.clip(walked, 0, course.most), course.decimals).tolist()
    contents: list[_Content] = [(value, Validity.VALID, "") for value in told]
    for doubt in _spells(course.doubts, 3, draw):
        for second in doubt[1].tolist():
            contents[second] = (told[second], Validity.QUESTIONABLE, doubt[0])
    for gap in _spells(course.missing, 1, draw):
        for second in gap[1].tolist():
            contents[second] = (None, Validity.INVALID, gap[0])
    return contents


def _spells(
    causes: tuple[Cause, ...], an_hour: int, draw: np.random.Generator
) -> Iterator[tuple[Cause, NDArray[np.int64]]]:
    """Spells of up to two minutes, `an_hour` on average: the cause, and the seconds of the hour."""
    for _ in range(draw.poisson(an_hour) if causes else 0):
        begins = int(draw.integers(0, _HOUR))
        yield (
            causes[draw.integers(len(causes))],
            np.arange(begins, min(_HOUR, begins + int(draw.integers(5, 120)))),
        )
