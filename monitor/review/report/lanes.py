"""The time lines of the drawing: phases, where values are missing, alerts, entries, and the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from drivers.clock import NS
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.review.report import svg
from monitor.review.report.axes import placed
from monitor.review.report.language import Language, label, message
from monitor.review.report.panels import BLACK, GREY, PALE, Sheet
from monitor.review.tracks import Track
from monitor.sessions import entries
from monitor.sessions.session import Shown
from monitor.sessions.steps import State

PHASES: Mapping[State, str] = MappingProxyType(
    {
        State.CHECK_IN: message("Check-in"),
        State.BASELINE: message("Baseline"),
        State.RUNNING: message("Infusion"),
        State.PAUSED: message("Paused"),
        State.STOPPED: message("Stopped"),
        State.RECOVERY: message("Recovery"),
        State.CLOSED: message("Closed"),
    }
)
FILLINGS: Mapping[Priority, str] = MappingProxyType(
    {Priority.HIGH: BLACK, Priority.MEDIUM: svg.HATCH, Priority.LOW: "white"}
)
"""How the bar of an alert of that priority is filled."""
LANE = 9.0
"""Height of a line of alerts or entries."""
_ALERT_LANES = 6
_ENTRY_LANES = 4
THIN = 6.0
"""Height of a line that tells where there are no values."""
_SIZE = 7.0
_DRAWN = frozenset({entries.Kind.NOTE, entries.Kind.EVENT, entries.Kind.DOSE, entries.Kind.SCORE, entries.Kind.CHECK})
_DRAWN_TOO = frozenset({entries.Kind.LIMIT, entries.Kind.MOVED, entries.Kind.STEP})
ENTRY_MARKS: Mapping[entries.Kind, svg.Mark] = MappingProxyType(
    {entries.Kind.DOSE: svg.diamond, entries.Kind.EVENT: svg.closed(svg.small_apex_up)}
)
"""Of those that are more than a stroke."""
_LONGEST_FROM_START = 6 * 3600


def phases(sheet: Sheet, top: float, height: float) -> str:
    """The parts of the visit with their names, as far as there is room for them."""
    parts = []
    for state, span in sheet.chart.phases:
        left, right = sheet.times.x(span.since), sheet.times.x(span.until)
        filling = {State.RUNNING: "#c9d6e6", State.PAUSED: svg.HATCH}.get(state, "white")
        parts.append(svg.box(left, top, right - left, height, fill=filling, stroke=BLACK, stroke_width=0.6))
        name = sheet.language.say(PHASES[state])
        if svg.width_of(name, 8.5) < right - left:
            style = {"text_anchor": "middle", "font_weight": "bold"}
            parts.append(svg.words((left + right) / 2, top + height - 3.5, name, 8.5, **style))
    return "".join(parts)


def missing(sheet: Sheet, track: Track, top: float) -> str:
    """Where a vital has no value: gaps hatched, readings without a value as ticks."""
    times = sheet.times
    at = track.at[
        (track.validity == Validity.INVALID) & (track.at >= times.span.since) & (track.at <= times.span.until)
    ]
    # One tick for a step: more could not be told apart.
    first = np.unique(at - at % max(1, sheet.step // 4), return_index=True)[1]
    parts = [
        svg.box(times.left, top, times.width, THIN - 1, fill="none", stroke=PALE, stroke_width=0.4),
        *(
            svg.box(
                times.x(gap.since),
                top,
                max(0.6, times.x(gap.until) - times.x(gap.since)),
                THIN - 1,
                fill=svg.HATCH,
                stroke=GREY,
                stroke_width=0.4,
            )
            for gap in sheet.chart.gaps.get(track.vital, ())
        ),
        svg.path(
            "".join(f"M{svg.n(times.x(moment))} {svg.n(top)}v{svg.n(THIN - 1)}" for moment in at[first].tolist()),
            stroke=BLACK,
            stroke_width=0.6,
        ),
        svg.words(times.left - 4, top + THIN - 1.2, label(track.vital), 6.5, text_anchor="end"),
    ]
    return "".join(parts)


def has_missing(sheet: Sheet, vital: str) -> bool:
    """Whether a line tells where it has no value: a cuff's only where a determination failed."""
    track = sheet.chart.vitals[vital]
    if vital in VITALS and VITALS[vital].episodic:
        return vital == "nibp_sys" and bool((track.validity == Validity.INVALID).any())
    return True


def alerts(sheet: Sheet) -> tuple[str, float]:
    """Each alert as a bar, with its number in the table where there is room for it; and how high that is."""
    times, lives = sheet.times, sheet.chart.alerts
    spans = [
        (times.x(life.began) - svg.width_of(str(number), _SIZE) - 2, _ends(sheet, life.ended) + 2)
        for number, life in enumerate(lives, 1)
    ]
    lanes = list(placed(spans, _ALERT_LANES))
    parts = [_title(sheet, message("Alerts"))]
    for number, (life, lane) in enumerate(zip(lives, lanes, strict=True), 1):
        y = LANE * (_ALERT_LANES - 1 if lane is None else lane)
        left, over = times.x(life.began), _ends(sheet, life.present_until)
        style: dict[str, str | float] = {"stroke": BLACK, "stroke_width": 0.6}
        if life.kind is not Kind.PHYSIOLOGICAL:
            style["stroke_dasharray"] = "1.5 1"
        if life.ended != life.present_until:
            parts.append(svg.line(over, y + 4, _ends(sheet, life.ended), y + 4, stroke=BLACK, stroke_width=0.6))
        fill = FILLINGS.get(life.priority, "white")
        parts.append(svg.box(left, y + 1.5, max(1.2, over - left), 5, fill=fill, **style))
        if (seen := life.acknowledged) is not None:
            parts.append(svg.line(times.x(seen.at), y, times.x(seen.at), y + 8, stroke=BLACK, stroke_width=0.9))
        if lane is not None:
            parts.append(svg.words(left - 1.2, y + 6.6, str(number), _SIZE, text_anchor="end"))
    return "".join(parts), _height(lanes, _ALERT_LANES)


def silences(sheet: Sheet) -> tuple[str, float]:
    """When the audio or all signals were paused or off; and how high that is."""
    times, parts = sheet.times, [_title(sheet, message("Silenced"))]
    style: dict[str, str | float] = {"fill": "none", "stroke": BLACK, "stroke_width": 0.6, "stroke_dasharray": "2 1"}
    for since, until in _silent(sheet):
        parts.append(svg.box(times.x(since), 2, max(1.2, times.x(until) - times.x(since)), 4, **style))
    return "".join(parts), LANE


def entry_marks(sheet: Sheet) -> tuple[str, float]:
    """Each entry as it stands, with its number where there is room for it; and how high that is."""
    shown = drawn_entries(sheet)
    where = [sheet.times.x(it.at) for it in shown]
    spans = [(x - 2, x + 2.4 + svg.width_of(str(it.entry.number), _SIZE)) for x, it in zip(where, shown, strict=True)]
    lanes = list(placed(spans, _ENTRY_LANES))
    parts = [_title(sheet, message("Entries"))]
    for x, it, lane in zip(where, shown, lanes, strict=True):
        y = LANE * (lane or 0)
        mark = ENTRY_MARKS.get(it.entry.kind)
        if mark is None:
            parts.append(svg.line(x, y + 1, x, y + 7.5, stroke=BLACK, stroke_width=0.9))
        else:
            parts.append(svg.path(mark(x, y + 4), fill=BLACK))
        if lane is not None:
            parts.append(svg.words(x + 2.4, y + 6.6, str(it.entry.number), _SIZE))
    return "".join(parts), _height(lanes, _ENTRY_LANES)


def drawn_entries(sheet: Sheet) -> list[Shown]:
    """Those that have a place on the time line, in order of time."""
    kinds, span = _DRAWN | _DRAWN_TOO, sheet.times.span
    found = [it for it in sheet.chart.session.standing if it.entry.kind in kinds and span.since <= it.at <= span.until]
    return sorted(found, key=lambda it: (it.at, it.entry.number))


def clock(sheet: Sheet, top: float) -> str:
    """The time by the clock on the wall and, under it, minutes since the infusion's start."""
    times, language, parts = sheet.times, sheet.language, []
    _, bold = times.ruling(language)
    started = sheet.chart.session.started_at
    from_start = started is not None and times.span.seconds <= _LONGEST_FROM_START
    for at in bold:
        parts.append(svg.words(times.x(at), top + 8, _clock(language, at), 8.5, text_anchor="middle"))
        if from_start and started is not None:
            text = f"{round((at - started) / NS / 60):+d}".replace("-", "−")
            parts.append(svg.words(times.x(at), top + 17, text, 7, text_anchor="middle", fill=GREY))
    parts.append(svg.words(0, top + 8, language.say("Time"), 8.5, font_weight="bold"))
    if from_start:
        parts.append(svg.words(0, top + 17, language.say("min from start"), 7, fill=GREY))
    return "".join(parts)


def _clock(language: Language, at: int) -> str:
    moment = language.moment(at)
    return language.hour(at) if (moment.hour, moment.minute) == (0, 0) else language.clock(at)


def _height(lanes: list[int | None], most: int) -> float:
    return LANE * max((most if lane is None else lane + 1 for lane in lanes), default=1)


def _title(sheet: Sheet, title: str) -> str:
    return svg.words(0, 7, sheet.language.say(title), 8.5, font_weight="bold")


def _ends(sheet: Sheet, at: int | None) -> float:
    return sheet.times.right if at is None else sheet.times.x(at)


def _silent(sheet: Sheet) -> Iterator[tuple[int, int]]:
    """From when to when; a pause whose end was not told lasted as long as was asked for."""
    since: dict[tuple[str, str], AlertEvent] = {}
    for event in sheet.chart.silences:
        key = event.bed, event.rule
        if (before := since.pop(key, None)) is not None:
            yield before.at, min(event.at, _latest_end(before, sheet.times.span.until))
        if event.state is not AlertState.ON:
            since[key] = event
    for event in since.values():
        yield event.at, _latest_end(event, sheet.times.span.until)


def _latest_end(event: AlertEvent, until: int) -> int:
    paused = event.state is AlertState.PAUSED and event.value is not None
    return min(until, event.at + round((event.value or 0.0) * NS)) if paused else until
