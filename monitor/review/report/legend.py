"""What the marks of the drawing mean: only those that it can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from monitor.alerts.conditions import Priority
from monitor.review.report import svg
from monitor.review.report.lanes import ENTRY_MARKS, FILLINGS
from monitor.review.report.language import NAMES, label
from monitor.review.report.panels import BLACK, CUFF, LINES, RATES, SATURATION, Sheet, ink
from monitor.sessions.entries import Kind

_SIZE = 7.5
_LINE = 10.5
_SYMBOL = 16.0
_SPACE = 10.0

Item = tuple[Callable[[float, float], str], str]
"""Draws a symbol around that point, and what it means."""


def legend(sheet: Sheet, width: float) -> tuple[str, float]:
    """The symbols and their meanings, line after line, and how high they are."""
    parts, x, y = [], 0.0, _LINE
    for symbol, text in (*_vitals(sheet), *_doubts(sheet), *_times(sheet)):
        needs = _SYMBOL + svg.width_of(text, _SIZE) + _SPACE
        if x and x + needs > width:
            x, y = 0.0, y + _LINE
        parts.append(symbol(x + _SYMBOL / 2 - 1, y - 2.5))
        parts.append(svg.words(x + _SYMBOL, y, text, _SIZE))
        x += needs
    return "".join(parts), y + 3


def _vitals(sheet: Sheet) -> Iterator[Item]:
    say, vitals = sheet.language.say, sheet.chart.vitals
    for vital, mark in CUFF.items():
        if vital in vitals:
            yield _mark(mark, 2 if mark is svg.apex_down else -2, "none", ink(vital), 1.5), _named(sheet, vital)
    for vital, (shape, filled) in reversed(list(RATES.items())):
        if vital in vitals:
            yield _mark(shape, 0, ink(vital) if filled else "none", ink(vital), 0.7), _named(sheet, vital)
    if any(vital not in (*CUFF, *RATES) for vital in vitals):
        text = f"{label(SATURATION)}: " if set(vitals) <= {*CUFF, *RATES, SATURATION} else ""
        yield _bar(filled=True), text + say("lowest to highest of each step")
    if set(vitals) & set(RATES):
        yield _dumbbell, say("lowest and highest of each step")


def _doubts(sheet: Sheet) -> Iterator[Item]:
    say = sheet.language.say
    if set(sheet.chart.vitals) - set(CUFF):
        yield _mark(svg.diamond, 0, "white", BLACK, 0.6), say("questionable: hollow")
        yield lambda x, y: svg.box(x - 6, y - 2.5, 12, 5, fill=svg.HATCH), say("no value")
    ticks = lambda x, y: svg.path(f"M{svg.n(x - 3)} {svg.n(y - 2.5)}v5m3 -5v5m3 -5v5", stroke=BLACK, stroke_width=0.7)  # noqa: E731 - as the others are
    yield ticks, say("reading without a value")


def _times(sheet: Sheet) -> Iterator[Item]:
    say, chart = sheet.language.say, sheet.chart
    for priority, text in (
        (Priority.HIGH, say("limit and alert: high priority")),
        (Priority.MEDIUM, say("medium")),
        (Priority.LOW, say("low")),
    ):
        yield _alert(priority), text
    if any(life.acknowledged for life in chart.alerts):
        yield (
            (
                lambda x, y: (
                    svg.box(x - 5, y - 2.5, 10, 5, fill="white", stroke=BLACK, stroke_width=0.6)
                    + svg.line(x, y - 4, x, y + 4, stroke=BLACK, stroke_width=0.9)
                )
            ),
            say("acknowledged"),
        )
    for kind, text in ((Kind.DOSE, say("dose")), (Kind.EVENT, say("event"))):
        if any(shown.entry.kind is kind for shown in chart.session.standing):
            yield _mark(ENTRY_MARKS[kind], 0, BLACK, "none", 0), text
    yield lambda x, y: svg.words(x - 3, y + 2.4, "12", 7), say("number in the table of alerts or entries")


def _named(sheet: Sheet, vital: str) -> str:
    return f"{label(vital)}: {sheet.language.say(NAMES[vital])}"


def _mark(mark: svg.Mark, down: float, fill: str, stroke: str, width: float) -> Callable[[float, float], str]:
    return lambda x, y: svg.path(mark(x, y + down), fill=fill, stroke=stroke, stroke_width=width)


def _bar(*, filled: bool) -> Callable[[float, float], str]:
    return lambda x, y: svg.box(x - 1.2, y - 3.5, 2.4, 7, fill=BLACK if filled else "white")


def _dumbbell(x: float, y: float) -> str:
    return svg.line(x, y - 3, x, y + 3, stroke=BLACK, stroke_width=0.5) + svg.marks(
        svg.dot, ((x, y - 3), (x, y + 3)), fill=BLACK
    )


def _alert(priority: Priority) -> Callable[[float, float], str]:
    return lambda x, y: (
        svg.line(x - 7, y - 3, x + 7, y - 3, stroke=BLACK, stroke_width=0.6, stroke_dasharray=LINES[priority])
        + svg.box(x - 6, y - 1, 12, 4, fill=FILLINGS[priority], stroke=BLACK, stroke_width=0.6)
    )
