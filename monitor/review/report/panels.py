"""The panels of the drawing in which values are: pressures and rates, oxygen saturation, a strip for each other vital.

What a mark means is in its shape; colour only adds. Of each step the lowest and the highest are both drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import Priority
from monitor.review.chart import Chart
from monitor.review.limits import LimitSpan
from monitor.review.report import svg
from monitor.review.report.axes import TimeAxis, ValueAxis, steps
from monitor.review.report.language import Language, label
from monitor.review.tracks import Track
from monitor.sessions.steps import State

SATURATION = "spo2"
RATES: Mapping[str, tuple[svg.Mark, bool]] = MappingProxyType(
    {
        "pulse_rate": (svg.ring, False),
        "heart_rate": (svg.dot, True),
        "abp_sys": (svg.small_apex_down, False),
        "abp_dia": (svg.small_apex_up, False),
        "abp_mean": (svg.dash, False),
    }
)
"""What is measured all the time and shares the panel with the cuff: its mark, and whether that is filled. In the order
in which they are drawn: a disc is seen in a ring."""
CUFF: Mapping[str, svg.Mark] = MappingProxyType(
    {"nibp_sys": svg.apex_down, "nibp_dia": svg.apex_up, "nibp_mean": svg.dash}
)
INK: Mapping[str, str] = MappingProxyType(
    {
        "heart_rate": "#14612f",
        "pulse_rate": "#3f7d20",
        "spo2": "#184f8f",
        "nibp_sys": "#8c1d18",
        "nibp_dia": "#8c1d18",
        "nibp_mean": "#8c1d18",
        "abp_sys": "#9a4a32",
        "abp_dia": "#9a4a32",
        "abp_mean": "#9a4a32",
        "resp_rate": "#5b5a00",
        "etco2": "#444444",
        "temp": "#6b4a1c",
        "perfusion_index": "#5a2f8a",
    }
)
"""Dark enough for paper, and for a copy of it without colours."""
BLACK, GREY, PALE = "#111", "#777", "#c9c9c9"
LINES: Mapping[Priority, str] = MappingProxyType({Priority.HIGH: "none", Priority.MEDIUM: "5 2", Priority.LOW: "1 2"})
"""How the limit of an alert of that priority is dashed."""
_WIDEST_SCALE = 300.0


class Sheet(NamedTuple):
    """What every part of the drawing needs."""

    chart: Chart
    language: Language
    times: TimeAxis
    step: int
    """Nanoseconds: a mark is as wide as that."""
    fine: int
    """Nanoseconds: so much finer are bars."""


def ink(vital: str) -> str:
    """Its colour."""
    return INK.get(vital, BLACK)


def pressure_axis(chart: Chart, top: float, height: float) -> ValueAxis:
    """From 0 to 200, or as high as anything was that is not questionable."""
    highest = max(
        (_highest_valid(chart.vitals[vital]) for vital in (*RATES, *CUFF) if vital in chart.vitals), default=0.0
    )
    return ValueAxis(0, min(_WIDEST_SCALE, max(200.0, 20 * math.ceil(highest / 20))), top, height)


def saturation_axis(chart: Chart, top: float, height: float) -> ValueAxis:
    """From 80 % or as low as it was to 100 %."""
    lowest = _lowest(chart.vitals[SATURATION]) if SATURATION in chart.vitals else 100.0
    return ValueAxis(max(0.0, min(80.0, 10 * math.floor(lowest / 10))), 101, top, height)


def strip_axis(track: Track, top: float, height: float) -> ValueAxis:
    """As wide as its values are."""
    low, high = _lowest(track), _highest(track)
    if track.vital == "temp":
        return ValueAxis(min(35.0, math.floor(low)), max(39.0, math.ceil(high)), top, height)
    step = 10 if high > 5 else 1
    return ValueAxis(min(0, step * math.floor(low / step)), max(step, step * math.ceil(high / step)), top, height)


def empty(sheet: Sheet, axis: ValueAxis) -> str:
    """Says so where nothing was measured at all."""
    middle = (sheet.times.left + sheet.times.right) / 2
    text = sheet.language.say("No readings")
    return svg.words(middle, axis.top + axis.height / 2, text, 14, text_anchor="middle", fill=GREY)


def ruled(sheet: Sheet, axis: ValueAxis, title: str, step: float, numbers: float) -> str:
    """The panel's field: its ruling by time and value, its phases, and its scale."""
    times, language = sheet.times, sheet.language
    fine, bold = times.ruling(language)
    parts = [
        svg.box(times.x(span.since), axis.top, times.x(span.until) - times.x(span.since), axis.height, fill="#e9eef5")
        for state, span in sheet.chart.phases
        if state is State.RUNNING
    ]
    for moments, style in ((set(fine) - set(bold), 0.35), (set(bold), 0.9)):
        across = "".join(f"M{svg.n(times.x(at))} {svg.n(axis.top)}v{svg.n(axis.height)}" for at in sorted(moments))
        parts.append(svg.path(across, stroke=PALE if style < 0.5 else "#a5a5a5", stroke_width=style))
    along = "".join(f"M{svg.n(times.left)} {svg.n(axis.y(value))}H{svg.n(times.right)}" for value in axis.marks(step))
    parts.append(svg.path(along, stroke=PALE, stroke_width=0.35))
    edges = [times.x(span.since) for _, span in sheet.chart.phases[1:]]
    between = "".join(f"M{svg.n(x)} {svg.n(axis.top)}v{svg.n(axis.height)}" for x in edges)
    parts.append(svg.path(between, stroke=BLACK, stroke_width=0.7, stroke_dasharray="1.5 1.5"))
    parts.append(svg.box(times.left, axis.top, times.width, axis.height, fill="none", stroke=BLACK, stroke_width=0.8))
    for value in axis.marks(numbers):
        y = min(axis.bottom, max(axis.top + 5, axis.y(value) + 3))
        parts.append(svg.words(times.left - 4, y, language.number(value), 8.5, text_anchor="end"))
    lines = title.split("\n")
    middle = axis.top + axis.height / 2 - 5 * (len(lines) - 1)
    parts += [
        svg.words(0, middle + 10 * place + 3, text, 8.5, font_weight="bold" if not place else "normal")
        for place, text in enumerate(lines)
    ]
    return "".join(parts)


def pressures(sheet: Sheet, axis: ValueAxis) -> str:
    """Pressures of cuff and artery, heart and pulse rate."""
    vitals = sheet.chart.vitals
    parts = [ruled(sheet, axis, "\n".join(("mmHg", sheet.language.say("per min"))), 10, 20)]
    parts.append(limits(sheet, axis, (*RATES, *CUFF)))
    parts += [_rate(sheet, axis, vitals[vital]) for vital in RATES if vital in vitals]
    parts += _cuff(sheet, axis)
    if not vitals:
        parts.append(empty(sheet, axis))
    return "".join(parts)


def saturation(sheet: Sheet, axis: ValueAxis) -> str:
    """Oxygen saturation on its own scale."""
    numbers = 5 if axis.high - axis.low <= 30 else 10
    parts = [ruled(sheet, axis, f"{label(SATURATION)}\n%", numbers, numbers), limits(sheet, axis, (SATURATION,))]
    if track := sheet.chart.vitals.get(SATURATION):
        parts.append(bars(sheet, axis, track))
    return "".join(parts)


def strip(sheet: Sheet, axis: ValueAxis, track: Track) -> str:
    """Any other vital."""
    about = VITALS.get(track.vital)
    title = f"{label(track.vital)}\n{about.unit_label if about else ''}"
    wide = axis.high - axis.low
    return ruled(sheet, axis, title, wide / 2, wide) + bars(sheet, axis, track)


def bars(sheet: Sheet, axis: ValueAxis, track: Track) -> str:
    """From the lowest to the highest of each step, questionable ones hollow."""
    times = sheet.times
    width = times.width * sheet.fine / max(1, times.span.until - times.span.since)
    full = "".join(
        f"M{svg.n(x)} {svg.n(min(axis.y(low) + 0.8, axis.bottom))}V{svg.n(max(axis.y(high) - 0.8, axis.top))}"
        for x, low, high in steps(track, track.valid, times.span, sheet.fine).columns(times)
    )
    hollow = "".join(
        f"M{svg.n(x - width / 2)} {svg.n(axis.y(low) + 0.9)}V{svg.n(axis.y(high) - 0.9)}h{svg.n(width)}"
        f"V{svg.n(axis.y(low) + 0.9)}z"
        for x, low, high in steps(track, _questionable(track), times.span, sheet.fine).columns(times)
    )
    return svg.path(full, stroke=ink(track.vital), stroke_width=width) + svg.path(
        hollow, stroke=ink(track.vital), stroke_width=0.5, fill="white"
    )


def limits(sheet: Sheet, axis: ValueAxis, vitals: Iterable[str]) -> str:
    """The limits in force as thin lines, equal ones as one, with what they are at the right or where they end."""
    alike: dict[tuple[str, float, Priority, int, int], list[LimitSpan]] = {}
    for span in sheet.chart.limits:
        limit = span.limit
        if limit.vital in vitals and limit.vital in sheet.chart.vitals and axis.low <= limit.number <= axis.high:
            alike.setdefault((limit.side, limit.number, limit.priority, span.since, span.until), []).append(span)
    parts, free = [], axis.top + 2.0
    for (side, number, priority, since, until), spans in sorted(alike.items(), key=lambda it: -it[0][1]):
        y, ends = axis.y(number), sheet.times.x(until)
        colour = ink(spans[0].limit.vital)
        line = svg.line(
            sheet.times.x(since), y, ends, y, stroke=colour, stroke_width=0.45, stroke_dasharray=LINES[priority]
        )
        parts.append(line)
        names = ", ".join(dict.fromkeys(label(span.limit.vital).removeprefix("NIBP ") for span in spans))
        text = f"{names} {'<' if side == 'low' else '>'} {sheet.language.number(number)}"
        if ends < sheet.times.right - 1:
            if svg.width_of(text, 6) < ends - sheet.times.x(since):
                parts.append(svg.words(ends - 1.5, y - 1.2, text, 6, text_anchor="end", fill=colour))
            continue
        free = max(free + 7, y + 2.4)
        parts.append(svg.words(ends + 3, free, text, 7.2, fill=colour))
    return "".join(parts)


def _rate(sheet: Sheet, axis: ValueAxis, track: Track) -> str:
    mark, filled = RATES[track.vital]
    colour = ink(track.vital)
    parts = []
    for which, shape, filling in (
        (_questionable(track), svg.diamond, "white"),
        (track.valid, mark, colour if filled else "none"),
    ):
        found = list(steps(track, which, sheet.times.span, sheet.step).columns(sheet.times))
        between = "".join(
            f"M{svg.n(x)} {svg.n(axis.y(low))}V{svg.n(axis.y(high))}" for x, low, high in found if high > low
        )
        ends = [(x, value) for x, low, high in found for value in dict.fromkeys((low, high))]
        inside = [(x, axis.y(value)) for x, value in ends if value <= axis.high]
        parts.append(svg.path(between, stroke=colour, stroke_width=0.5))
        parts.append(svg.marks(shape, inside, stroke=colour, stroke_width=0.6, fill=filling))
        parts += [_beyond(sheet, axis, x, value, colour) for x, value in ends if value > axis.high]
    return "".join(parts)


def _beyond(sheet: Sheet, axis: ValueAxis, x: float, value: float, colour: str) -> str:
    """What is higher than the scale: an arrow, and the value in numbers."""
    arrow = svg.path(
        f"M{svg.n(x)} {svg.n(axis.top + 7)}v-6m-2 2.5l2 -2.5l2 2.5", stroke=colour, stroke_width=0.7, fill="none"
    )
    return arrow + svg.words(x + 3, axis.top + 7, sheet.language.number(value), 7, fill=colour)


def _cuff(sheet: Sheet, axis: ValueAxis) -> Iterator[str]:
    times = sheet.times
    within = [it for it in sheet.chart.cuff_readings if times.span.since <= it.at <= times.span.until]
    both = [it for it in within if it.sys is not None and it.dia is not None and it.validity is Validity.VALID]
    lines = "".join(
        f"M{svg.n(times.x(it.at))} {svg.n(axis.y(it.sys or 0))}V{svg.n(axis.y(it.dia or 0))}" for it in both
    )
    yield svg.path(lines, stroke=ink("nibp_sys"), stroke_width=0.5, stroke_dasharray="1 1")
    for vital, mark in CUFF.items():
        style = {"stroke": ink(vital), "stroke_linecap": "round", "stroke_linejoin": "round"}
        for doubtful in (True, False):
            points = [
                (times.x(it.at), axis.y(value))
                for it in within
                if (value := getattr(it, vital.removeprefix("nibp_"))) is not None
                and (it.validity is Validity.QUESTIONABLE) is doubtful
            ]
            shape = svg.closed(mark) if doubtful else mark
            yield svg.marks(
                shape, points, fill="white" if doubtful else "none", stroke_width=0.6 if doubtful else 1.5, **style
            )


def _questionable(track: Track) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = track.known & ~track.valid
    return found


def _lowest(track: Track) -> float:
    return float(track.value[track.known].min(initial=math.inf)) if track.known.any() else 0.0


def _highest_valid(track: Track) -> float:
    return float(track.value[track.valid].max(initial=0.0))


def _highest(track: Track) -> float:
    return float(track.value[track.known].max(initial=-math.inf)) if track.known.any() else 0.0
