"""The drawing of a session, as an anaesthesia record: one SVG, without a script, a link or a style from elsewhere.

Its height does not depend on what is in it, so that it fits the first page: the panel of pressures and rates takes what
the others leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drivers.clock import NS
from monitor.review.chart import Chart
from monitor.review.report import lanes, legend, panels, svg
from monitor.review.report.axes import TimeAxis
from monitor.review.report.language import Language
from monitor.review.report.panels import SATURATION, Sheet
from monitor.review.tracks import Span

NAME_SPACE = 'xmlns="http://www.w3.org/2000/svg"'
WIDTH = 728.0
"""Quarters of a millimetre, as all lengths of it."""
_LEFT, _RIGHT = 60.0, 52.0
_PHASES, _SATURATION, _STRIP, _CLOCK, _SPACE = 14.0, 130.0, 36.0, 20.0, 6.0
_STRIPS = 4
"""For so many other vitals there is room: breathing, carbon dioxide, temperature, perfusion."""
_LEAST_STEP, _FINE_STEP = 4.2, 1.6
"""Of a mark, and of a bar."""
_SHORTEST = 60 * NS


def draw(chart: Chart, language: Language, height: float) -> str:
    """The drawing, as high as that: higher only for more vitals than any monitor in use here gives."""
    others = [vital for vital in chart.vitals if vital not in (*panels.RATES, *panels.CUFF, SATURATION)]
    height += max(0, len(others) - _STRIPS) * (_STRIP + 1 + lanes.THIN + _SPACE)
    parts = "".join(_parts(_sheet(chart, language), others, height))
    return (
        f'<svg {NAME_SPACE} viewBox="0 0 {svg.n(WIDTH)} {svg.n(height)}" '
        f'font-family="Libertinus Serif, system-ui, sans-serif" fill="{panels.BLACK}">{svg.DEFINITIONS}{parts}</svg>'
    )


def _sheet(chart: Chart, language: Language) -> Sheet:
    """What all parts need."""
    since, until = chart.span
    times = TimeAxis(Span(since, max(until, since + _SHORTEST)), _LEFT, WIDTH - _LEFT - _RIGHT)
    return Sheet(chart, language, times, times.step(_LEAST_STEP), times.step(_FINE_STEP))


def _parts(sheet: Sheet, others: Sequence[str], bottom: float) -> Iterator[str]:
    vitals = sheet.chart.vitals
    beside = [it for it in (*panels.RATES, "nibp_sys") if it in vitals and lanes.has_missing(sheet, it)]
    # From below: what is under the panel of pressures and rates decides how high that can be.
    top = bottom
    for part, needs in _below(sheet):
        top -= needs
        yield svg.moved(part, top)
        top -= _SPACE
    top -= _CLOCK
    yield lanes.clock(sheet, top)
    for vital in reversed(others):
        top -= lanes.THIN
        yield lanes.missing(sheet, vitals[vital], top)
        top -= _STRIP + 1
        yield panels.strip(sheet, panels.strip_axis(vitals[vital], top, _STRIP), vitals[vital])
        top -= _SPACE
    top -= lanes.THIN
    if SATURATION in vitals:
        yield lanes.missing(sheet, vitals[SATURATION], top)
    top -= _SATURATION + 1
    yield panels.saturation(sheet, panels.saturation_axis(sheet.chart, top, _SATURATION))
    top -= _SPACE
    for vital in reversed(beside):
        top -= lanes.THIN
        yield lanes.missing(sheet, vitals[vital], top)
    yield panels.pressures(sheet, panels.pressure_axis(sheet.chart, _PHASES, top - 1 - _PHASES))
    yield lanes.phases(sheet, 0, _PHASES)


def _below(sheet: Sheet) -> Iterator[tuple[str, float]]:
    """What is under the clock, each with its height: the lowest first."""
    yield legend.legend(sheet, WIDTH)
    yield lanes.entry_marks(sheet)
    if sheet.chart.silences:
        yield lanes.silences(sheet)
    yield lanes.alerts(sheet)
