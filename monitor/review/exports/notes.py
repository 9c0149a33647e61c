"""What a chart says in words, as notes with a time: for formats that hold numbers and annotations.

Notes lie within the recording: what was noted of another moment (a signature, days later) stands at its nearest end and
tells its own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import monitor
from drivers.clock import NS, iso
from drivers.events import Validity
from monitor.review.alert_lives import AlertLife
from monitor.review.chart import Chart
from monitor.review.tracks import CuffReading, Span, Track
from monitor.sessions.session import Shown
from monitor.sessions.steps import State
from monitor.sessions.text import text_of
from monitor.storage.device_events import DeviceEvent


class Note(NamedTuple):
    """Something that is said of a moment, or of a stretch of time."""

    at: int
    """UTC nanoseconds."""
    until: int | None
    """None for a moment."""
    text: str
    """May have line breaks, and any script."""


def notes(chart: Chart, site: str) -> list[Note]:
    """All of the chart but readings and what is computed of them: in order of time, what the file is of first."""
    span = recorded(chart)
    found = [_inside(note, span) for note in _said(chart)]
    return [Note(span.since, None, about(chart, site)), *sorted(found, key=lambda note: note.at)]


def about(chart: Chart, site: str) -> str:
    """What a file is of, one line."""
    session = chart.session
    words = [
        f"session {session.id}",
        f"reference {session.reference}",
        f"site {site}",
        f"opened {iso(session.opened_at)}",
        f"profile {session.profile}",
        f"infusion-monitor {monitor.__version__}",
        "times are UTC",
    ]
    return ", ".join(words)


def recorded(chart: Chart) -> Span:
    """From the first to the last of the session and its readings, UTC nanoseconds."""
    ends = [chart.span, *(Span(int(track.at[0]), int(track.at[-1])) for track in chart.vitals.values())]
    return Span(min(span.since for span in ends), max(span.until for span in ends))


def doubts(track: Track) -> Iterator[Note]:
    """Runs of readings of one device that are not valid, from the first to the last of each, and why."""
    for place, device in enumerate(track.devices):
        of_device = track.device == place
        at, validity, cause = (column[of_device] for column in (track.at, track.validity, track.cause))
        changes = np.flatnonzero(np.diff(validity) | np.diff(cause)) + 1
        for first, after in zip([0, *changes.tolist()], [*changes.tolist(), len(at)], strict=True):
            if validity[first] != Validity.VALID:
                words = doubt(int(validity[first]), track.causes[cause[first]])
                until = int(at[after - 1]) if after - first > 1 else None
                yield Note(int(at[first]), until, f"{track.vital} of {device}: {words}")


def doubt(validity: int, cause: str) -> str:
    """A validity and its cause, in words."""
    word = Validity(validity).name.lower()
    return f"{word}, {cause}" if cause else word


def _said(chart: Chart) -> Iterator[Note]:
    yield from map(_entry, chart.session.shown)
    for state, span in chart.phases:
        yield Note(span.since, span.until, f"phase: {_phase(state)}")
    yield from (_alert(life, chart.span.until) for life in chart.alerts)
    for event in chart.silences:
        yield Note(event.at, None, _by(f"signals: {event.text}", event.actor))
    yield from map(_cuff, chart.cuff_readings)
    yield from map(_device, chart.device_events)


def _phase(state: State) -> str:
    return " ".join(dict.fromkeys([state.phase.value, state.value])).replace("_", " ")


def _entry(shown: Shown) -> Note:
    entry = shown.entry
    text = text_of(entry._replace(content=shown.content))
    words = [f"entry {entry.number}", entry.author]
    if shown.late:
        words.append(f"entered {iso(entry.entered_at)}")
    if shown.corrected_by:
        words.append(f"corrected by entry {', '.join(map(str, shown.corrected_by))}")
        if (first := text_of(entry)) != text:
            words.append(f"at first: {first}")
        if shown.at != entry.at:
            words.append(f"at first {iso(entry.at)}")
    return Note(shown.at, None, f"{'void: ' if shown.void else ''}{text} [{'; '.join(filter(None, words))}]")


def _alert(life: AlertLife, until: int) -> Note:
    text = f"alert, {life.priority.value}, {life.kind.value}: {life.text}"
    if seen := life.acknowledged:
        text += f"; acknowledged {iso(seen.at)}{f' by {seen.actor}' if seen.actor else ''}"
    if life.ended is None:
        text += "; stands at the end"
    elif life.ended != life.present_until:
        text += f"; latched until {iso(life.ended)}{f', ended by {life.over_by}' if life.over_by else ''}"
    return Note(life.began, max(life.began, min(life.present_until or until, until)), text)


def _cuff(reading: CuffReading) -> Note:
    sys, dia, mean = ("-" if it is None else f"{it:g}" for it in (reading.sys, reading.dia, reading.mean))
    text = f"NIBP {sys}/{dia} ({mean}) mmHg, {reading.device}"
    if reading.validity is not Validity.VALID:
        text += f": {doubt(reading.validity, reading.cause)}"
    return Note(reading.at, None, text)


def _device(event: DeviceEvent) -> Note:
    words = filter(None, [event.code, event.state, event.text])
    return Note(event.at, None, f"device {event.device}, {event.kind}: {', '.join(words)}")


def _by(text: str, actor: str) -> str:
    return f"{text} [{actor}]" if actor else text


def _inside(note: Note, span: Span) -> Note:
    at, until = note.at, note.until
    text = note.text if span.since <= at <= span.until else f"{iso(at)}: {note.text}"
    at = min(max(at, span.since), span.until)
    return Note(at, None if until is None else min(max(until, at), span.until), text)


def seconds(note: Note) -> float | None:
    """How long a note's stretch is; None for a moment."""
    return None if note.until is None else (note.until - note.at) / NS


def worded(note: Note) -> str:
    """The note's text with how long its stretch is, for formats whose annotations have no length."""
    length = seconds(note)
    return note.text if length is None else f"{note.text} (for {length:.3f} s)"
