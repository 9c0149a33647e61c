"""`infusion-monitor summary`: a line per session, for audit and quality work."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from drivers.clock import SystemClock, iso
from drivers.errors import ConfigError
from monitor.alerts.conditions import Priority
from monitor.cli.charts import From, Site, source_of
from monitor.cli.moments import moment
from monitor.cli.options import Config, DataDir
from monitor.cli.progress import progress
from monitor.cli.records import Bed
from monitor.cli.records import Source as Where
from monitor.review.chart import Chart, build
from monitor.review.exports.csv import guarded
from monitor.review.session_list import Wanted, status_of
from monitor.review.summary import VitalSummary
from monitor.sessions.text import local
from monitor.storage.history import LATEST

_RATES = ("heart_rate", "pulse_rate")
_SYSTOLIC = ("nibp_sys", "abp_sys")
_TOLD = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)

_Line = dict[str, Any]
_COLUMNS = {
    "session": ("Session", "Session"),
    "reference": ("Reference", "Reference"),
    "bed": ("Bed", "Bed"),
    "opened_at": ("Opened", "Opened"),
    "infusion_min": ("Infusion (min)", "Inf min"),
    "spo2_lowest": ("SpO2 lowest (%)", "SpO2 min"),
    "spo2_lowest_at": ("SpO2 lowest at", "at"),
    "spo2_below_90_min": ("SpO2 below 90 % (min)", "<90 min"),
    "systolic_highest": ("Systolic highest (mmHg)", "Sys max"),
    "systolic_rise": ("Systolic rise (mmHg)", "rise"),
    "rate_highest": ("HR highest (/min)", "HR max"),
    "spo2_coverage_percent": ("SpO2 coverage (%)", "SpO2 %"),
    "rate_coverage_percent": ("HR coverage (%)", "HR %"),
    "longest_gap_min": ("Longest gap (min)", "gap min"),
    "alerts_high": ("Alerts high", "high"),
    "alerts_medium": ("Alerts medium", "med"),
    "alerts_low": ("Alerts low", "low"),
    "alerts_min": ("Alerts (min)", "alert min"),
    "status": ("Chart", "Chart"),
}
"""What a line has; and what it is called in a spreadsheet, and in a table that has to fit a terminal."""
_TIMES = {"opened_at": 0, "spo2_lowest_at": len("2026-11-25 ")}
"""Which are times, and where people begin to read them."""


def summary(
    *,
    since: Annotated[
        str, typer.Option(metavar="T", help="Opened then or later: 2026-11-25T09:00:00Z, or 30d, 12h ago.")
    ],
    until: Annotated[str | None, typer.Option(metavar="T", help="Opened before that; else until now.")] = None,
    bed: Bed = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet; times are this machine's.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    from_: From = Where.JOURNAL,
    site: Site = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Print a line of numbers for each session, as its chart has them, by when they were opened.

    HR is of the ECG, or of the oximeter where there is none; Sys of the cuff, or of an arterial line where there is
    none. Lowest and highest are of valid readings; SpO2 % and HR % tell for how much of the session there was a
    current value, and the gap is the longest of either. `alert min` is how long the conditions of all alerts were
    present, added up. `Chart` is open, unsigned, signed or amended.
    """
    if as_csv and as_json:
        raise ConfigError(["expected --csv or --json, not both"])
    now = SystemClock.now_ns()
    wanted = Wanted(bed=bed)
    after, before = moment(since, "--since"), LATEST if until is None else moment(until, "--until")
    source = source_of(from_, data_dir, config, site)
    sessions = [session for session in source.sessions(after, before) if wanted.fits(session)]
    lines = []
    with progress("reading", len(sessions)) as step:
        for session in sessions:
            lines.append(_line(build(source, session, now)))
            step(1)
    _print(lines, as_csv=as_csv, as_json=as_json)


def _line(chart: Chart) -> _Line:
    """The numbers of a session, by the keys of `_COLUMNS`."""
    session, numbers = chart.session, chart.summary
    spo2, rate, systolic = _of(chart, "spo2"), _of(chart, *_RATES), _of(chart, *_SYSTOLIC)
    lowest = spo2 and spo2.lowest
    gaps = [one.longest_gap.seconds for one in (spo2, rate) if one is not None and one.longest_gap is not None]
    told = [life.priority for life in chart.alerts]
    return {
        "session": session.id,
        "reference": session.reference,
        "bed": session.last_bed,
        "opened_at": session.opened_at,
        "infusion_min": _minutes(numbers.infusion),
        "spo2_lowest": lowest and lowest.value,
        "spo2_lowest_at": lowest and lowest.at,
        "spo2_below_90_min": None if numbers.desaturated is None else _minutes(numbers.desaturated),
        "systolic_highest": systolic and systolic.highest and systolic.highest.value,
        "systolic_rise": systolic and systolic.rise,
        "rate_highest": rate and rate.highest and rate.highest.value,
        "spo2_coverage_percent": _rounded(spo2 and spo2.coverage),
        "rate_coverage_percent": _rounded(rate and rate.coverage),
        "longest_gap_min": _minutes(max(gaps, default=0)) if spo2 or rate else None,
        **{f"alerts_{priority.value}": told.count(priority) for priority in _TOLD},
        "alerts_min": _minutes(sum(one.seconds for one in numbers.alerts)),
        "status": status_of(session).value,
    }


def _of(chart: Chart, *vitals: str) -> VitalSummary | None:
    """The first of these that was measured."""
    found = (chart.summary.vital(vital) for vital in vitals)
    return next((one for one in found if one is not None), None)


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


def _print(lines: Sequence[_Line], *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        for line in lines:
            times = {key: None if line[key] is None else iso(line[key]) for key in _TIMES}
            print(json.dumps(line | times, ensure_ascii=False))
    elif as_csv:
        # A spreadsheet knows UTF-8 by its mark.
        sys.stdout.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr] # a file here, always
        writer = csv.writer(sys.stdout)
        writer.writerow(name for name, _ in _COLUMNS.values())
        writer.writerows([_cell(line, key, whole=True) for key in _COLUMNS] for line in lines)
    elif lines:
        names = [name for _, name in _COLUMNS.values()]
        print(*_table([names, *([_cell(line, key) for key in _COLUMNS] for line in lines)]), sep="\n")
    else:
        print("There is no session.")


def _cell(line: _Line, key: str, *, whole: bool = False) -> str:
    """As people read it; `whole` for a spreadsheet, where every time has its date and no text is computed."""
    it = line[key]
    if it is None:
        return ""
    if key in _TIMES:
        return local(it)[0 if whole else _TIMES[key] :]
    if isinstance(it, str):
        return guarded(it) if whole else it
    return f"{it:.6g}"


def _table(rows: list[list[str]]) -> Iterator[str]:
    """Aligned: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = {"session", "reference", "bed", "opened_at", "spo2_lowest_at", "status"}
    left = [key in words for key in _COLUMNS]
    for row in rows:
        cells = zip(row, widths, left, strict=True)
        yield "  ".join(cell.ljust(width) if to_left else cell.rjust(width) for cell, width, to_left in cells).rstrip()
