"""What happened in a session beside its readings, as lines in order of time: entries, alerts, silences and devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from drivers.clock import iso
from monitor.alerts.conditions import AlertEvent
from monitor.review.chart import Chart
from monitor.sessions.entries import Kind
from monitor.sessions.session import Shown
from monitor.sessions.text import text_of


class Happening(NamedTuple):
    """One line."""

    at: int
    """UTC nanoseconds."""
    what: str
    """The kind of an entry; `alert`, `audio`, `alarm` or `device`, and what became of it."""
    text: str
    """For people; a note keeps its line breaks."""
    by: str
    """Who wrote or did it, where a person did."""
    remark: str
    """What else must be known of it: that it is late, corrected or void; an alert's priority and rule."""


def happenings(chart: Chart) -> list[Happening]:
    """All of them; of one moment, entries come before alerts before devices."""
    lines = [_entry(shown) for shown in chart.session.shown]
    lines += [_alert(change) for life in chart.alerts for change in life.changes]
    lines += [Happening(it.at, f"{it.rule} {it.state.value}", it.text, it.actor, "") for it in chart.silences]
    lines += [
        Happening(it.at, f"device {it.kind}", ": ".join(filter(None, (it.device, it.code, it.state, it.text))), "", "")
        for it in chart.device_events
    ]
    return sorted(lines, key=lambda line: line.at)


def _entry(shown: Shown) -> Happening:
    entry = shown.entry
    text = text_of(entry._replace(content=shown.content))
    return Happening(shown.at, entry.kind.value, text, entry.author, "; ".join(_remarks(shown)))


def _remarks(shown: Shown) -> Iterator[str]:
    entry = shown.entry
    if shown.void:
        yield "VOID"
    if shown.corrected_by:
        by = ", ".join(map(str, shown.corrected_by))
        was = "" if shown.void and shown.at == entry.at else f"; it was {iso(entry.at)}: {text_of(entry)}"
        yield f"corrected by entry {by}{was}"
    if shown.late:
        yield f"entered {iso(entry.entered_at)}"
    if entry.kind is not Kind.CLOCK_SET:
        yield f"entry {entry.number}"


def _alert(change: AlertEvent) -> Happening:
    remark = f"{change.priority.value} {change.kind.value}: {change.rule}"
    return Happening(change.at, f"alert {change.state.value}", change.text, change.actor, remark)
