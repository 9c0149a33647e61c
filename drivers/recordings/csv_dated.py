"""CSV whose lines have real times: this program's own export, and tables of others with a column of ISO 8601.

A time without a zone is UTC. In the program's own export a column `HR validity` beside `HR (/min)` says which readings
are not valid, and every value is a reading; in other tables pressures of a cuff that are repeated are one reading.
Lines may be in any order. Where several columns are one vital (`HR_oximeter`, `HR_monitor`: two devices measured it),
the first is read, or that of the `device` that is named.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.recordings.bounds import LATEST, check_readings, named
from drivers.recordings.labels import scale_of, vital_of
from drivers.recordings.measured import Measured, doubts, recording
from drivers.recordings.recording import Recording

if TYPE_CHECKING:
    from _csv import Reader

_TIMES = ("utc", "time", "timestamp", "datetime", "date_time", "observed_at")
"""Names of the column of times, the best first."""
_NOT_VITALS = frozenset({"local time", "t (s)", "since infusion start (s)"})
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(?:\s?(?:(Z)|(UTC)|([+-])(\d\d):?(\d\d)))?", re.ASCII
)
_VALIDITY = " validity"
_UNIT = re.compile(r"^(.*?)\s*[\[(]([^\])]*)[\])]$")


@dataclass
class _Column:
    """A column that is read."""

    header: str
    place: int
    vital: str
    scale: tuple[float, float]
    validity: int | None = None
    """Place of the column that says which are not valid."""


def time_of(text: str) -> int | None:
    """UTC nanoseconds of a cell; None where it is no time with a date, or of another age."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    try:
        moment = np.datetime64(f"{match[1]}T{match[2].replace(',', '.')}")
    except ValueError:
        return None
    if abs(int(moment.astype("datetime64[s]").astype(np.int64))) > LATEST:
        return None
    at = int(moment.astype("datetime64[ns]").astype(np.int64))
    if match[5]:
        offset = (int(match[6]) * 60 + int(match[7])) * 60 * NS
        at += -offset if match[5] == "+" else offset
    return at


def is_dated(header: str, first: str) -> bool:
    """Whether a table with these two first lines has a column of real times."""
    names, cells = (next(csv.reader([line], skipinitialspace=True), []) for line in (header, first))
    place = _time_column(names)
    return place is not None and place < len(cells) and time_of(cells[place]) is not None


def read(path: Path, text: str, device: str) -> Recording:
    """The recording of that file's text. Raises BadCapture, with the line where there is one, and csv.Error."""
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in next(lines)]
    columns, ignored = _columns(names, device)
    if not columns:
        raise BadCapture(f"{path}:1: no column is a vital that is known: {', '.join(map(named, names))}")
    times, cells = _cells(path, lines, names, columns)
    check_readings(path, len(times) * len(columns))
    own = any(name.lower() in _NOT_VITALS for name in names) or any(it.validity is not None for it in columns)
    vitals = {it.vital: _measured(it, times, *cells[number], own=own) for number, it in enumerate(columns)}
    return recording(path, vitals, (), ignored)


def _time_column(names: Sequence[str]) -> int | None:
    low = [name.strip().lower() for name in names]
    return next((low.index(name) for name in _TIMES if name in low), None)


def _columns(names: Sequence[str], device: str) -> tuple[list[_Column], list[str]]:
    """Those that are read, and the names of the others."""
    found: dict[str, _Column] = {}
    ignored = []
    time = _time_column(names)
    validities = {name[: -len(_VALIDITY)]: place for place, name in enumerate(names) if name.endswith(_VALIDITY)}
    for place, name in enumerate(names):
        if place == time or name.lower() in _NOT_VITALS:
            continue
        plain, unit = match.groups() if (match := _UNIT.fullmatch(name)) else (name, "")
        label, _, of = plain.partition("_")
        known, scale = vital_of(plain), None
        if known is None and of and (not device or of.lower() == device.lower()):
            known = vital_of(label)
        elif device and known is not None:
            known = None
        if known is not None:
            scale = scale_of(known[0], unit)
        if known is not None and scale is not None and known[0] not in found:
            found[known[0]] = _Column(name, place, known[0], scale, validities.get(plain))
        elif not name.endswith(_VALIDITY):
            ignored.append(named(name))
    return list(found.values()), ignored


def _cells(
    path: Path, lines: Reader, names: Sequence[str], columns: Sequence[_Column]
) -> tuple[NDArray[np.int64], list[tuple[list[float], dict[int, str]]]]:
    """The time of every line, and of each column its values (NaN where there is none) and what is said of them."""
    time = _time_column(names)
    assert time is not None  # noqa: S101 - for the type checker: `is_dated` has found it
    times: list[int] = []
    cells: list[tuple[list[float], dict[int, str]]] = [([], {}) for _ in columns]
    for row in lines:
        where = f"{path}:{lines.line_num}"
        if not any(row):
            continue
        if len(row) != len(names):
            raise BadCapture(f"{where}: has {len(row)} cells; its header has {len(names)}")
        at = time_of(row[time])
        if at is None:
            raise BadCapture(f"{where}: {named(row[time])!r} is no time like 2026-11-25T09:00:00Z")
        for (values, told), column in zip(cells, columns, strict=True):
            values.append(_number(where, row[column.place]))
            if column.validity is not None and (said := row[column.validity].strip()):
                told[len(times)] = said
        times.append(at)
    return np.array(times, np.int64), cells


def _number(where: str, cell: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.inf
    if math.isinf(number):
        raise BadCapture(f"{where}: {named(cell.strip())!r} is no number")
    return number


def _measured(
    column: _Column, times: NDArray[np.int64], values: list[float], told: dict[int, str], *, own: bool
) -> Measured:
    factor, offset = column.scale
    with np.errstate(over="ignore"):
        value = np.array(values) if column.scale == (1.0, 0.0) else np.array(values) * factor + offset
    if not own:
        return Measured(times, value)
    # A line without a value and without a word is one of other vitals, or of something that happened.
    here = [place for place, number in enumerate(values) if place in told or not math.isnan(number)]
    said = {number: told[place] for number, place in enumerate(here) if place in told}
    return Measured(times[here], value[here], doubts(column.vital, value[here], said))
