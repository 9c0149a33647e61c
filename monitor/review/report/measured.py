"""The tables of what was measured: the vitals in numbers, every five minutes, cuff readings, gaps and devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Cause, Validity
from monitor.review.chart import Chart
from monitor.review.report.axes import clock_marks
from monitor.review.report.language import NAMES, NONE, Language, duration, label, message
from monitor.review.report.model import Cell, Column, Section, Table, cells
from monitor.review.summary import DESATURATED, Extreme, VitalSummary
from monitor.review.tracks import SPEAKS_FOR, CuffReading, Span, Track

EVERY = 5
"""Minutes from row to row of the table of values."""
_MOST_EMPTY = 12
"""Rows without any value that stand one below the other in that table: an hour."""
_LEFT_OUT = "…"
_PRESSURES = ("nibp", "abp")
_VALIDITIES: Mapping[Validity, str] = MappingProxyType(
    {
        Validity.VALID: message("valid"),
        Validity.QUESTIONABLE: message("questionable"),
        Validity.INVALID: message("failed"),
    }
)
_CAUSES: Mapping[str, str] = MappingProxyType(
    {
        Cause.SENSOR_OFF: message("sensor off"),
        Cause.SEARCHING: message("no steady pulse"),
        Cause.ARTIFACT: message("artefact"),
        Cause.LOW_PERFUSION: message("low perfusion"),
        Cause.NO_DATA: message("no value"),
        Cause.MEASUREMENT_FAILED: message("measurement failed"),
        Cause.PROVISIONAL: message("provisional"),
        Cause.AGE_UNKNOWN: message("time not known"),
        Cause.CHECKSUM: message("checksum"),
        Cause.IMPLAUSIBLE: message("implausible"),
    }
)


def summary(chart: Chart, language: Language) -> Section:
    """Each vital in a row."""
    say = language.say
    columns = (
        Column(say("Vital"), 1),
        Column(say("Lowest"), number=True),
        Column(say("Highest"), number=True),
        Column(say("Baseline"), number=True),
        Column(say("Largest rise"), number=True),
        Column(say("Back at baseline"), number=True),
        Column(say("Coverage"), number=True),
        Column(say("Longest gap"), number=True),
        Column(say("Readings"), number=True),
    )
    rows = tuple(_summary_row(one, language) for one in chart.summary.vitals)
    text = []
    if chart.summary.desaturated is not None:
        below = say("{vital} below {limit}: {duration}.")
        limit = f"{language.number(DESATURATED)} %"
        text.append(below.format(vital=label("spo2"), limit=limit, duration=duration(chart.summary.desaturated)))
    return Section(say("Vitals"), Table(columns, rows), tuple(text))


def cuff_readings(chart: Chart, language: Language) -> Section:
    """Each determination in a row."""
    say = language.say
    columns = (
        Column(say("Time")),
        *(Column(f"{label(vital)} (mmHg)", number=True) for vital in ("nibp_sys", "nibp_dia", "nibp_mean")),
        Column(say("Device"), 1),
        Column(say("Validity"), 2),
    )
    rows = tuple(
        cells(
            language.time(it.at),
            *(language.value("nibp_sys", value, unit=False) for value in (it.sys, it.dia, it.mean)),
            it.device,
            _validity(it, language),
        )
        for it in chart.cuff_readings
    )
    return Section(say("Cuff readings"), Table(columns, rows))


def values(chart: Chart, language: Language) -> Section:
    """What every vital was at each fifth minute: nothing that was older than it is good for."""
    say = language.say
    marks = np.array(clock_marks(chart.span, EVERY, language), np.int64)
    columns, found = [Column(say("Time"))], []
    for group in _groups(chart):
        columns.append(Column(_heading(group), 1, number=True))
        found.append(_column(chart, group, marks, language))
    empty = np.array([set(several) == {NONE} for several in zip(*found, strict=True)], np.bool_)
    rows = tuple(
        cells(language.hour(int(marks[place])), *(column[place] for column in found))
        if shown
        else cells(*(_LEFT_OUT for _ in columns))
        for place, shown in _shown(empty)
    )
    text = say(
        "The last valid reading before each time: of the cuff no older than {minutes} min, else no older than "
        "{seconds} s. {none} where there is none."
    ).format(minutes=EVERY, seconds=SPEAKS_FOR // NS, none=NONE)
    return Section(
        say("Values every {minutes} minutes").format(minutes=EVERY),
        Table(tuple(columns), rows if found else ()),
        (text,),
    )


def gaps(chart: Chart, language: Language) -> Section:
    """Where a vital that is measured all the time has no value."""
    say = language.say
    columns = (
        Column(say("Vital"), 1),
        Column(say("From"), 1),
        Column(say("Until"), 1),
        Column(say("Duration"), 1, number=True),
    )
    alike: dict[Span, list[str]] = {}
    for vital, several in chart.gaps.items():
        for gap in several:
            alike.setdefault(gap, []).append(label(vital))
    rows = tuple(
        cells(", ".join(vitals), language.time(gap.since), language.time(gap.until), duration(gap.seconds))
        for gap, vitals in sorted(alike.items())
    )
    text = say("Where a vital that is measured all the time has no value for longer than {seconds} s.")
    return Section(say("Gaps"), Table(columns, rows), (text.format(seconds=SPEAKS_FOR // NS),))


def devices(chart: Chart, language: Language) -> Section:
    """What each device measured, and what was found of its clock."""
    say = language.say
    columns = (
        Column(say("Device"), 1),
        Column(say("Vitals"), 2),
        Column(say("Readings"), number=True),
        Column(say("First reading")),
        Column(say("Last reading")),
        Column(say("Clock"), 2),
    )
    rows = tuple(
        cells(
            use.device,
            ", ".join(map(label, use.vitals)) or NONE,
            language.number(use.readings),
            NONE if use.since is None else language.time(use.since),
            NONE if use.until is None else language.time(use.until),
            "\n".join(f"{language.time(it.at)} {it.text}" for it in use.clock) or say("nothing found"),
        )
        for use in chart.equipment
    )
    return Section(say("Devices"), Table(columns, rows))


def device_events(chart: Chart, language: Language) -> Section:
    """What became of the devices."""
    say = language.say
    columns = (
        Column(say("Time")),
        Column(say("Device"), 1),
        Column(say("What")),
        Column(say("State")),
        Column(say("Text"), 3),
    )
    rows = tuple(
        cells(language.time(it.at), it.device, " ".join(filter(None, (it.kind, it.code))), it.state, it.text or NONE)
        for it in chart.device_events
    )
    return Section(say("Device events"), Table(columns, rows))


def _summary_row(one: VitalSummary, language: Language) -> tuple[Cell, ...]:
    vital, say = one.vital, language.say
    readings = tuple(
        text.format(count=language.number(count))
        for count, text in (
            (one.questionable, say("questionable: {count}")),
            (one.invalid, say("without a value: {count}")),
        )
        if count
    )
    name = (say(NAMES[vital]),) if vital in NAMES else ()
    gap = one.longest_gap
    return cells(
        Cell(label(vital), name),
        _extreme(vital, one.lowest, language),
        _extreme(vital, one.highest, language),
        language.value(vital, one.baseline),
        NONE if one.rise is None else f"{'+' if one.rise > 0 else ''}{language.value(vital, one.rise)}",
        NONE if one.back_after is None else duration(one.back_after),
        NONE if one.coverage is None else language.percent(one.coverage),
        NONE if gap is None else Cell(duration(gap.seconds), (language.time(gap.since),)),
        Cell(language.number(one.readings), readings),
    )


def _extreme(vital: str, found: Extreme | None, language: Language) -> Cell:
    if found is None:
        return Cell(NONE)
    return Cell(language.value(vital, found.value), (language.time(found.at),))


def _validity(reading: CuffReading, language: Language) -> str:
    causes = [language.say(_CAUSES.get(cause, cause)) for cause in reading.cause.split(",") if cause]
    text = language.say(_VALIDITIES[reading.validity])
    if reading.validity is Validity.INVALID and reading.sys is not None:
        text = language.say("incomplete")
    return f"{text}: {', '.join(causes)}" if causes else text


def _groups(chart: Chart) -> list[tuple[str, ...]]:
    """The vitals of each column: those of one pressure are together."""
    groups: dict[str, tuple[str, ...]] = {}
    for vital in chart.vitals:
        stem = vital.partition("_")[0]
        key = stem if stem in _PRESSURES else vital
        groups[key] = (*groups.get(key, ()), vital)
    return list(groups.values())


def _heading(group: tuple[str, ...]) -> str:
    first, *more = map(label, group)
    return "/".join((first, *(name.rpartition(" ")[2] for name in more)))


def _column(chart: Chart, group: tuple[str, ...], marks: NDArray[np.int64], language: Language) -> list[str]:
    columns = []
    for vital in group:
        track = chart.vitals[vital]
        fresh = SPEAKS_FOR if vital in chart.gaps else EVERY * 60 * NS
        found = _at(track, marks, fresh)
        decimals = _decimals(found)
        columns.append([NONE if np.isnan(value) else language.number(value, decimals) for value in found])
    return [NONE if set(several) == {NONE} else "/".join(several) for several in zip(*columns, strict=True)]


def _shown(empty: NDArray[np.bool_]) -> Iterator[tuple[int, bool]]:
    """The places of the rows, and whether each is shown: of many empty ones in a row only the first and the last are.

    In place of the others is one that is not shown.
    """
    edges = np.flatnonzero(np.diff(empty.astype(np.int8), prepend=0, append=0))
    left_out = np.zeros(len(empty), np.bool_)
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if after - first > _MOST_EMPTY:
            left_out[first + 1 : after - 1] = True
    for place, out in enumerate(left_out.tolist()):
        if not out:
            yield place, True
        elif not left_out[place - 1]:
            yield place, False


def _decimals(values: Iterable[float]) -> int:
    """As many for all of a column, two at most."""
    known = [value for value in values if not np.isnan(value)]
    return next((it for it in (0, 1) if all(abs(value - round(value, it)) < 1e-6 for value in known)), 2)


def _at(track: Track, marks: NDArray[np.int64], fresh: int) -> list[float]:
    """The last valid value at each moment, NaN where it is older than `fresh` nanoseconds."""
    at, value = track.at[track.valid], track.value[track.valid]
    if not len(at):
        return [np.nan] * len(marks)
    place = np.searchsorted(at, marks, side="right") - 1
    known = (place >= 0) & (marks - at[place] < fresh)
    return [float(number) for number in np.where(known, value[place], np.nan)]
