"""Recordings as comma-separated values, plain or gzipped: a line a moment, a column a vital, blank or NaN for missing.

Columns, in any order and any case:

| column | is |
|---|---|
| `t`, `Time [s]` | seconds; may stand still (a grid has doubled seconds), never falls |
| `HR` `PR` `SpO2` `PI` `RR` `SBP` `DBP` `MBP`, or a key of `drivers.vitals` | that vital, in its unit there |
| `PULSE` `RESP` | pulse and respiration, as the BIDMC data set names them |
| `UTC`, `time`, `timestamp` with ISO 8601 in its cells | real times: see `csv_dated`, which reads these tables |
| `time` beside `HR [bpm]`, `SpO2 [%]`, `NBPs [mmHg]` ... | 999.56 ticks a second: the MIMIC-IV Waveform Database |

`SBP`, `DBP` and `MBP` are of a cuff. Monitors repeat its last result for minutes: a line with the same pressures as the
line with pressures before is no new reading. A systolic alone, in a file that has a column of diastolic or mean
pressures, is provisional. What lies outside a vital's plausible range is questionable.

Lines of that database are not always in the order of their times: they are put in order.

Other columns are not read, and named in `Recording.ignored`. A file of several devices has columns like `SpO2_3900P`:
those of one `device` are read where it is named.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.events import Cause, Validity
from drivers.recordings import csv_dated
from drivers.recordings.bounds import MOST_TEXT, check_seconds, read_whole
from drivers.recordings.recording import Recording, Series, moments
from drivers.vitals import VITALS

MIMIC_TICKS = 999.56
"""A second of the MIMIC-IV Waveform Database has."""
_SECONDS = ("t", "time [s]")
_TICKS = "time"
_NAMES = {
    "heart_rate": ("hr", "hr [bpm]"),
    "pulse_rate": ("pr", "pulse", "pulse (spo2) [bpm]"),
    "spo2": ("spo2", "spo2 [%]"),
    "perfusion_index": ("pi", "perf [nu]"),
    "resp_rate": ("rr", "resp", "rr [rpm]"),
    "nibp_sys": ("sbp", "nbps [mmhg]"),
    "nibp_dia": ("dbp", "nbpd [mmhg]"),
    "nibp_mean": ("mbp", "nbpm [mmhg]"),
    "abp_sys": ("abps [mmhg]",),
    "abp_dia": ("abpd [mmhg]",),
    "abp_mean": ("abpm [mmhg]",),
}
_VITAL_OF = {name: key for key, names in _NAMES.items() for name in names} | {key: key for key in VITALS}
_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
_CAUSES = (
    "",
    str(Cause.IMPLAUSIBLE),
    str(Cause.PROVISIONAL),
    f"{Cause.PROVISIONAL},{Cause.IMPLAUSIBLE}",
)
"""By number: 1 is implausible, 2 is provisional."""

_Numbers = NDArray[np.float64]


class _Header(NamedTuple):
    width: int
    time: int
    ticks: bool
    """Whether time is in the ticks of the MIMIC-IV Waveform Database."""
    vitals: Mapping[str, int]
    ignored: tuple[str, ...]


def read(path: Path, device: str = "") -> Recording:
    """The whole file. Raises BadCapture, with the line where there is one, if it is none of the above."""
    text = _text(path)
    try:
        return _read(path, text, device)
    except csv.Error as error:
        raise BadCapture(f"{path}: {error}") from error


def _read(path: Path, text: str, device: str) -> Recording:
    first, _, body = text.partition("\n")
    if csv_dated.is_dated(first, body.partition("\n")[0]):
        return csv_dated.read(path, text, device)
    header = _header(path, first, device)
    table = _table(body, header)
    if table is None:
        table = _table_line_by_line(path, text, header)
    if not len(table):
        raise BadCapture(f"{path}: there is no line below its header")
    if header.ticks:
        table = table[np.argsort(table[:, 0], kind="stable")] / ([MIMIC_TICKS] + [1.0] * len(header.vitals))
    seconds = table[:, 0]
    check_seconds(path, float(seconds[0]), float(seconds[-1]))
    series = _series(seconds, dict(zip(header.vitals, table[:, 1:].T, strict=True)))
    ends = moments(seconds[[0, -1]]).tolist()
    return Recording(str(path), series, ends[0], ends[1], ignored=header.ignored)


def _text(path: Path) -> str:
    try:
        return read_whole(path, MOST_TEXT).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadCapture(f"{path}:{line}: not text in UTF-8: {error.reason}") from error


def _header(path: Path, line: str, device: str) -> _Header:
    names = [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]
    # A column `time` of another program may be in anything; only those of the database have units in their names.
    ticks = any(name.lower() in _VITAL_OF and name.endswith("]") for name in names)
    of_time = (_TICKS,) if ticks else _SECONDS
    time, vitals, ignored = None, dict[str, int](), list[str]()
    for place, name in enumerate(names):
        known = name.lower()
        if device and known.endswith(f"_{device.lower()}"):
            known = known[: -len(device) - 1]
        elif device and known not in of_time:
            known = ""
        if time is None and known in of_time:
            time = place
        elif (vital := _VITAL_OF.get(known)) is None:
            ignored.append(name)
        elif vital in vitals:
            raise BadCapture(f"{path}:1: {name!r} is a second column of {VITALS[vital].label}")
        else:
            vitals[vital] = place
    if time is None:
        raise BadCapture(f"{path}:1: there is no column of time; expected `t`, in seconds")
    if not vitals:
        raise BadCapture(f"{path}:1: no column is a vital that is known: {', '.join(ignored)}{_hint(ignored, device)}")
    # In the table's own order, so that what is read depends on no order of columns.
    vitals = {key: vitals[key] for key in VITALS if key in vitals}
    return _Header(len(names), time, ticks, vitals, tuple(ignored))


def _hint(names: Sequence[str], device: str) -> str:
    devices = {
        match[2]: None
        for name in names
        if (match := re.fullmatch(r"(.+)_(.+?)", name)) and match[1].lower() in _VITAL_OF
    }
    if devices:
        return f"; there are columns of the devices {', '.join(devices)}: name one"
    return f"; of the device {device} there is none" if device else "; expected HR, PR, SpO2, PI, RR, SBP, DBP or MBP"


def _table(body: str, header: _Header) -> _Numbers | None:
    """The columns of time and of each vital; None where something about them is wrong or unusual."""
    if not body.strip():
        return np.empty((0, 1 + len(header.vitals)))
    filled = body.replace(",,", ",nan,").replace(",,", ",nan,").replace(",\n", ",nan\n")
    try:
        table: _Numbers = np.loadtxt(
            io.StringIO(filled + "nan" if filled.endswith(",") else filled),
            delimiter=",",
            comments=None,
            usecols=(header.time, *header.vitals.values()),
            ndmin=2,
        )
    except ValueError:
        return None
    time = table[:, 0]
    in_order = header.ticks or (time[1:] >= time[:-1]).all()
    usual = in_order and np.isfinite(time).all() and not np.isinf(table).any()
    return table if usual else None


def _table_line_by_line(path: Path, text: str, header: _Header) -> _Numbers:
    """The same, more slowly, and with the line of what is wrong."""
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    next(lines)
    table: list[list[float]] = []
    last = -math.inf
    for cells in lines:
        where = f"{path}:{lines.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != header.width:
            raise BadCapture(f"{where}: has {len(cells)} cells; its header has {header.width}")
        row = [_number(where, cells[place]) for place in (header.time, *header.vitals.values())]
        if math.isnan(row[0]):
            raise BadCapture(f"{where}: has no time")
        if row[0] < last and not header.ticks:
            raise BadCapture(f"{where}: the time {row[0]:.12g} is before that of the line above, {last:.12g}")
        last = row[0]
        table.append(row)
    return np.array(table).reshape(len(table), 1 + len(header.vitals))


def _number(where: str, cell: str) -> float:
    try:
        number = float(cell) if cell.strip() else math.nan
    except ValueError:
        _not_a_number(where, cell)
    if math.isinf(number):
        _not_a_number(where, cell)
    return number


def _not_a_number(where: str, cell: str) -> NoReturn:
    raise BadCapture(f"{where}: {cell.strip()!r} is no number") from None


def _series(seconds: _Numbers, columns: Mapping[str, _Numbers]) -> dict[str, Series]:
    t, at = moments(seconds), np.rint(seconds * NS).astype(np.int64)
    cuff = {vital: column for vital, column in columns.items() if vital in _CUFF}
    told = _told(cuff) if cuff else None
    others = [column for vital, column in cuff.items() if vital != "nibp_sys"]
    alone = np.isnan(np.column_stack(others)).sum(axis=1) == len(others) if others else None
    series = {}
    for vital, column in columns.items():
        here = np.flatnonzero(~np.isnan(column) if vital not in cuff else ~np.isnan(column) & told)
        value, low_high = column[here], VITALS[vital].plausible
        cause = ((value < low_high[0]) | (value > low_high[1])).astype(np.intp)
        if vital == "nibp_sys" and alone is not None:
            cause += 2 * alone[here]
        validity = np.where(cause == 0, Validity.VALID, Validity.QUESTIONABLE).astype(np.uint8)
        seen = at[here]
        series[vital] = Series(t[here], value, validity, cause, _CAUSES, seen, seen, VITALS[vital].episodic)
    return series


def _told(cuff: Mapping[str, _Numbers]) -> NDArray[np.bool_]:
    """Which lines have pressures that are not those of the line before that has any."""
    # No pressure is below 0: there it can stand for none, which is equal to none.
    rows = np.nan_to_num(np.column_stack(list(cuff.values())), nan=-1.0)
    places = np.flatnonzero((rows != -1).any(axis=1))
    told = np.zeros(len(rows), np.bool_)
    told[places[:1]] = True
    told[places[1:]] = (rows[places[1:]] != rows[places[:-1]]).any(axis=1)
    return told
