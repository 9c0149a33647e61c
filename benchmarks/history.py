"""What a day takes on disk, and how long a chart and a wide view of it take to read."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS
from monitor.storage.blocks import SLOT
from monitor.storage.charts import Band, Trace
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.history import History

CHART_AIM, OVERVIEW_AIM = 10.0, 300.0
"""Milliseconds."""
_WIDTHS = (1_440, 1_920, 3_840)
_CHART_HOURS = 2
_ROUNDS = 21
_SIZES = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
_EXTREMES = """
    SELECT bed, vital, (observed_at - :start) / :slot, min(value), max(value), count(*)
    FROM readings JOIN series ON series.id = readings.series GROUP BY 1, 2, 3"""

_Found = TypeVar("_Found")
_Key = tuple[str, str]
"""bed, vital."""
_Slots = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Lowest, highest and count of each half minute of the day."""


def measure(hours: int = day.HOURS) -> Table:
    """Read a day of 20 beds as the charts do, and hold what comes against the rows themselves."""
    folder = day.journal(hours)
    history = History(folder)
    beds, vitals, readings = len(day.BEDS), len(day.VITALS), day.count(hours)
    table = Table(
        f"History: {hours} h of {beds} beds x {vitals} vitals at 1 Hz, {readings:,} readings, sealed every minute",
        f"the chart in {CHART_AIM:g} ms, the overview in {OVERVIEW_AIM:g} ms, no extreme lost",
        ("view", "median ms", "fastest", "slowest", "aim", "of readings", "extremes"),
        raw=[{"readings": readings}],
    )
    since = day.START + max(0, hours - _CHART_HOURS) * 3600 * NS // 2
    until = since + _CHART_HOURS * 3600 * NS
    traces = _timed(table, "chart of 2 h, one bed", CHART_AIM, lambda: history.chart(day.BEDS[3], since, until))
    truth = _truth(folder, hours)
    _add_check(table, sum(len(trace.readings.observed_at) for trace in traces), _chart_is_right(folder, traces))
    end = day.START + hours * 3600 * NS
    for width in _WIDTHS:
        bands = _timed(
            table,
            f"overview of {hours} h, {beds} beds, {width:,} steps",
            OVERVIEW_AIM,
            lambda width=width: history.overview(day.START, end, width),  # type: ignore[misc]  # its type is of the default
        )
        _add_check(table, sum(int(band.total.sum()) for band in bands), _all_there(bands, truth))
    table.notes = [*_on_disk(folder, readings), "The file is in the system's cache, as that of a running station is."]
    return table


def _timed(table: Table, title: str, aim: float, read: Callable[[], _Found]) -> _Found:
    found = read()
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        found = read()
        took.append((time.perf_counter() - started) * 1e3)
    middle = statistics.median(took)
    table.rows.append((title, f"{middle:.1f}", f"{min(took):.1f}", f"{max(took):.1f}", f"{aim:g}"))
    table.raw.append({"view": title, "ms": took})
    if middle >= aim:
        table.missed.append(f"{title} ({middle:.0f} ms)")
    return found


def _add_check(table: Table, readings: int, right: bool) -> None:  # noqa: FBT001 - the last two cells of a row
    table.rows[-1] += (f"{readings:,}", "equal" if right else "DIFFER")
    if not right:
        table.missed.append(f"{table.rows[-1][0]}: it differs from the rows")


def _chart_is_right(folder: Path, traces: list[Trace]) -> bool:
    """Whether every value of the chart is that of its row."""
    question = "SELECT value FROM readings WHERE series = ? AND observed_at BETWEEN ? AND ? ORDER BY observed_at"
    with closing(_opened(folder)) as journal:
        for trace in traces:
            [(series,)] = journal.execute("SELECT id FROM series WHERE (bed, device, vital) = (?, ?, ?)", trace[:3])
            span = (series, int(trace.readings.observed_at[0]), int(trace.readings.observed_at[-1]))
            values = np.array([value for (value,) in journal.execute(question, span)], np.float64)
            if not np.array_equal(values, trace.readings.values, equal_nan=True):
                return False
    return len(traces) == len(day.VITALS)


def _truth(folder: Path, hours: int) -> dict[_Key, _Slots]:
    """The extremes of each half minute of each series, from the rows."""
    slots = hours * 3600 * NS // SLOT
    truth: dict[_Key, _Slots] = {
        (bed, vital): (np.full(slots, np.nan), np.full(slots, np.nan), np.zeros(slots, np.int64))
        for bed in day.BEDS
        for vital in day.VITALS
    }
    with closing(_opened(folder)) as journal:
        for bed, vital, slot, *values in journal.execute(_EXTREMES, {"start": day.START, "slot": SLOT}):
            for column, value in zip(truth[bed, vital], values, strict=True):
                column[slot] = np.nan if value is None else value
    return truth


def _all_there(bands: list[Band], truth: dict[_Key, _Slots]) -> bool:
    """Whether each step of each band has the extremes and the count of its rows."""
    if {(band.bed, band.vital) for band in bands} != truth.keys():
        return False
    for band in bands:
        lowest, highest, count = truth[band.bed, band.vital]
        starts = day.START + np.arange(len(count)) * SLOT
        _, first = np.unique(starts - starts % band.step, return_index=True)
        if not (
            np.array_equal(band.lowest, np.fmin.reduceat(lowest, first), equal_nan=True)
            and np.array_equal(band.highest, np.fmax.reduceat(highest, first), equal_nan=True)
            and np.array_equal(band.total, np.add.reduceat(count, first))
        ):
            return False
    return True


def _on_disk(folder: Path, readings: int) -> list[str]:
    whole = (folder / JOURNAL_FILE).stat().st_size
    with closing(_opened(folder)) as journal:
        sizes = dict(journal.execute(_SIZES).fetchall())
    parts = {
        "rows": sizes.pop("readings"),
        "their index by commit": sizes.pop("readings_by_commit"),
        "blocks": sizes.pop("blocks"),
        "summaries": sizes.pop("summaries"),
        "seals, chain and all else": sum(sizes.values()),
    }
    each = ", ".join(f"{name} {size / readings:.2f}" for name, size in parts.items())
    a_day = whole / readings * 86_400 * len(day.VITALS) / 1e6
    return [f"On disk {whole / readings:.1f} bytes a reading, {a_day:.0f} MB a bed and day: {each}."]


def _opened(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{(folder / JOURNAL_FILE).as_uri()}?mode=ro", uri=True)
