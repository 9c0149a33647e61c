"""How long the chart of a session takes to open, to print, to export and to import: beside what others take to read it.

The others open the same session in their own formats, as exported here. They read columns and compute nothing of them;
a chart has its gaps, its alerts and its summary as well.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS
from drivers.recordings import formats
from monitor.review.chart import Chart, build
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.review.report import html, pdf
from monitor.review.report.content import Report
from monitor.review.source import JournalSource
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.session import Session

CHART_AIM = 10.0
"""Milliseconds for two hours."""
SHARE = 10
"""The chart of two hours is to take no more than this part of the time that `vitaldb` takes to read it."""
SPANS = (2, 24)
"""Hours."""
_BED = day.BEDS[3]
_HOUR = 3600 * NS


def measure() -> Table:
    """Open charts of two hours and of a day, from the journal of a clinic's day."""
    table = Table(
        f"Charts: a session of {len(day.VITALS)} vitals at 1 Hz out of the journal of a clinic's day",
        f"the chart of 2 h in under {CHART_AIM:g} ms, and in a {SHARE}th of the time that vitaldb reads it in",
        ("opened", "median ms", "fastest", "readings", "of vitaldb's time"),
    )
    for hours in SPANS:
        chart = _chart(hours)
        readings = sum(len(track.at) for track in chart.vitals.values())
        rounds = 21 if hours == SPANS[0] else 5
        with tempfile.TemporaryDirectory() as folder:
            ours = _timed(lambda hours=hours: _chart(hours), rounds)  # type: ignore[misc]  # its type is of the default
            others = _others(chart, Path(folder), rounds)
        slowest = statistics.median(others["vitaldb"])
        for name, took in {"this chart": ours, **others}.items():
            middle = statistics.median(took)
            cells = (f"{middle:.1f}", f"{min(took):.1f}", f"{readings:,}", f"{middle / slowest:.2f}")
            table.rows.append((f"{name}, {hours} h", *cells))
            table.raw.append({"opened": name, "hours": hours, "ms": took, "readings": readings})
        middle = statistics.median(ours)
        if hours == SPANS[0] and (middle >= CHART_AIM or middle * SHARE > slowest):
            table.missed.append(f"{middle:.1f} ms, vitaldb {slowest:.1f} ms")
    table.notes = [
        "vitaldb reads the .vital file that is exported here, wfdb the record; both into memory, as columns of 1 Hz.",
        "The files are in the system's cache.",
    ]
    return table


def measure_files() -> Table:
    """Print, export and import the same sessions."""
    table = Table(
        "Reports, exports and imports of the same sessions",
        "no aim: what they take",
        ("file", "hours", "median ms", "readings/s", "MB"),
    )
    for hours in SPANS:
        chart = _chart(hours)
        readings = sum(len(track.at) for track in chart.vitals.values())
        rounds = 5 if hours == SPANS[0] else 3
        report = Report(chart, None, "Clinic", None, zone=UTC)
        makers: dict[str, Callable[[], bytes]] = {
            "report, PDF": lambda report=report: pdf.render(report),  # type: ignore[misc]  # their types are of the defaults
            "report, HTML": lambda report=report: html.render(report),  # type: ignore[misc]
        }
        makers |= {
            f"export, {name}": lambda chart=chart, name=name: _exported(chart, name)  # type: ignore[misc]
            for name in EXPORTERS
        }
        for what, make in makers.items():
            size = len(make())
            _add(table, what, hours, _timed(make, rounds), readings, size)
        with tempfile.TemporaryDirectory() as folder:
            for name in formats.FORMATS:
                file = Path(folder) / f"session{EXPORTERS[name]().suffix}"
                file.write_bytes(_exported(chart, name))
                read = formats.reader(file, name)
                took = _timed(lambda read=read, file=file: read(file), rounds)  # type: ignore[misc]
                _add(table, f"read, {name}", hours, took, readings, file.stat().st_size)
    table.notes = ["An import reads the file so, and then writes its readings to the journal: see the journal's rate."]
    return table


def _add(table: Table, what: str, hours: int, took: list[float], readings: int, size: int) -> None:
    middle = statistics.median(took)
    table.rows.append((what, str(hours), f"{middle:,.0f}", f"{readings / middle * 1e3:,.0f}", f"{size / 1e6:.2f}"))
    table.raw.append({"file": what, "hours": hours, "ms": took, "readings": readings, "bytes": size})


def _timed(make: Callable[[], Any], rounds: int) -> list[float]:
    """Milliseconds of each round, after one that is not counted."""
    make()
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        make()
        took.append((time.perf_counter() - started) * 1e3)
    return took


def _chart(hours: int) -> Chart:
    source = JournalSource(day.journal(day.HOURS))
    return build(source, _session(hours), 0)


def _session(hours: int) -> Session:
    until = day.START + hours * _HOUR

    def entry(number: int, kind: Kind, at: int, **content: object) -> Entry:
        return Entry("s", number, kind, at, at, "Kim", _BED, content, f"{number:032x}")

    minute = 60 * NS
    return Session(
        [
            entry(1, Kind.OPENED, day.START, reference="P-1", planned_minutes=40, profile="adult_infusion"),
            entry(2, Kind.STEP, day.START + minute, step="baseline"),
            entry(3, Kind.STEP, day.START + 20 * minute, step="start"),
            entry(4, Kind.NOTE, day.START + 30 * minute, text="calm"),
            entry(5, Kind.STEP, day.START + 60 * minute, step="stop"),
            entry(6, Kind.STEP, day.START + 61 * minute, step="recovery"),
            entry(7, Kind.CLOSED, until, criteria=[]),
        ]
    )


def _exported(chart: Chart, name: str) -> bytes:
    file = io.BytesIO()
    EXPORTERS[name]().write(export_of(chart, "Clinic", day.journal(day.HOURS)), file)
    return file.getvalue()


def _others(chart: Chart, folder: Path, rounds: int) -> dict[str, list[float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vitaldb  # noqa: PLC0415 - a library of the tests and benchmarks, which is slow to load
        import wfdb  # noqa: PLC0415 - likewise
    vital = folder / "session.vital"
    vital.write_bytes(_exported(chart, "vital"))
    with zipfile.ZipFile(io.BytesIO(_exported(chart, "wfdb"))) as record:
        record.extractall(folder)
    [head] = folder.glob("*.hea")

    def of_vitaldb() -> object:
        file = vitaldb.VitalFile(str(vital))
        return file.to_numpy(file.get_track_names(), 1)

    return {
        "vitaldb": _timed(of_vitaldb, rounds),
        "wfdb": _timed(lambda: wfdb.rdrecord(str(head.with_suffix(""))), rounds),
    }
