"""A session as a table for a spreadsheet: a line a moment, a column a vital; `docs/exports.md` tells each column.

RFC 4180 in UTF-8 with a byte order mark, by which spreadsheets know it. The drivers' reader of recordings reads it.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

import numpy as np

from drivers.clock import NS
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.review.chart import Chart
from monitor.review.exports.happenings import Happening, happenings
from monitor.review.exports.registry import Export
from monitor.review.tracks import Track
from monitor.sessions.steps import Phase
from monitor.sessions.text import local

_TIMES = ("Local time", "UTC", "t (s)", "Since infusion start (s)", "Phase", "Infusion")
_HAPPENED = ("Event", "Text", "By", "Remark")
_ABOUT = ("Session", "Reference")
# What a spreadsheet takes for a formula; full-width signs too, in some of their languages.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


class _Column(NamedTuple):
    """One vital, or of a vital that several devices measured what one of them did."""

    name: str
    unit: str
    track: Track
    device: int | None
    """Place in the track's devices; None for all of them."""
    doubted: bool
    """Whether any of its readings is not valid: then a column of what was doubted stands beside it."""

    @property
    def headers(self) -> tuple[str, ...]:
        header = f"{self.name} ({self.unit})" if self.unit else self.name
        return (header, f"{self.name} validity") if self.doubted else (header,)


class CsvExporter:
    """See the module."""

    name = "csv"
    suffix = ".csv"
    media_type = "text/csv; charset=utf-8"
    extra = ""

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
        try:
            csv.writer(text).writerows(_lines(export.chart))
        finally:
            # The file is its owner's to close.
            text.detach()


EXPORTER = CsvExporter()


def guarded(text: str) -> str:
    """Text that no spreadsheet computes: `'` stands before what would be a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _lines(chart: Chart) -> Iterator[list[str]]:
    columns = list(_columns(chart.vitals))
    headers = [header for column in columns for header in column.headers]
    yield [*_TIMES, *map(guarded, headers), *_HAPPENED, *_ABOUT]
    times = _Times(chart)
    about = [guarded(chart.session.id), guarded(chart.session.reference)]
    readings = _readings(columns)
    happened = happenings(chart)
    lines: list[tuple[int, int, list[str] | Happening]] = [
        (at, order, cells) for (at, order), cells in readings.items()
    ]
    # Behind all readings of their moment.
    lines += [(line.at, len(readings) + order, line) for order, line in enumerate(happened)]
    without, nothing = [""] * len(headers), [""] * len(_HAPPENED)
    for at, _, line in sorted(lines, key=lambda it: it[:2]):
        if isinstance(line, Happening):
            yield [*times.cells(at), *without, *map(guarded, line[1:]), *about]
        else:
            yield [*times.cells(at), *line, *nothing, *about]


def _columns(vitals: Mapping[str, Track]) -> Iterator[_Column]:
    for vital, track in vitals.items():
        name = VITALS[vital].label.replace("₂", "2") if vital in VITALS else vital
        unit = VITALS[vital].unit_label if vital in VITALS else ""
        doubted = track.validity != Validity.VALID
        if len(track.devices) == 1:
            yield _Column(name, unit, track, None, bool(doubted.any()))
        else:
            for place, device in enumerate(track.devices):
                yield _Column(f"{name}_{device}", unit, track, place, bool(doubted[track.device == place].any()))


def _readings(columns: list[_Column]) -> dict[tuple[int, int], list[str]]:
    """By moment the cells of all columns; a device that gave several values for one moment has several lines there."""
    rows: dict[tuple[int, int], list[str]] = {}
    width, first = sum(len(column.headers) for column in columns), 0
    for column in columns:
        track = column.track
        chosen = slice(None) if column.device is None else np.flatnonzero(track.device == column.device)
        columns_of = (one[chosen].tolist() for one in (track.at, track.value, track.validity, track.cause))
        before, order = None, 0
        for at, value, validity, cause in zip(*columns_of, strict=True):
            order = order + 1 if at == before else 0
            before = at
            cells = rows.get((at, order))
            if cells is None:
                cells = rows[at, order] = [""] * width
            if validity != Validity.INVALID:
                cells[first] = repr(value)
            if validity != Validity.VALID:
                cells[first + 1] = _doubt(validity, track.causes[cause])
        first += len(column.headers)
    return rows


def _doubt(validity: int, cause: str) -> str:
    word = Validity(validity).name.lower()
    return f"{word}: {cause}" if cause else word


class _Times:
    """When a line is, in every way that a reader may want to sort or plot it by."""

    def __init__(self, chart: Chart) -> None:
        self._opened, self._started = chart.session.opened_at, chart.session.started_at
        self._ends = chart.span.until
        self._since = [span.since for _, span in chart.phases]
        self._states = [state for state, _ in chart.phases]

    def cells(self, at: int) -> list[str]:
        """A cell for each of `_TIMES`."""
        place = bisect_right(self._since, at) - 1
        state = self._states[place] if place >= 0 and at <= self._ends else None
        return [
            local(at),
            _utc(at),
            _seconds(at - self._opened),
            "" if self._started is None else _seconds(at - self._started),
            "" if state is None else state.phase.value,
            state.value if state is not None and state.phase is Phase.INFUSION else "",
        ]


def _utc(at: int) -> str:
    seconds, fraction = divmod(at, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def _seconds(nanoseconds: int) -> str:
    """Seconds, exactly; with a decimal always, so that who looks at the first lines takes the column for decimals."""
    whole, fraction = divmod(abs(nanoseconds), NS)
    text = f"{whole}.{fraction:09d}".rstrip("0")
    text = f"{text}0" if text.endswith(".") else text
    return f"-{text}" if nanoseconds < 0 else text
