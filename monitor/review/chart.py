"""The chart of a session: one object, which the page, the report and every export are made of.

It is computed from what was recorded and from nothing else: no configuration, no clock. So the same record gives the
same chart, whoever opens it, whenever, from the journal or from InfluxDB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.review.alert_lives import AlertLife, lives, silences
from monitor.review.equipment import DeviceUse, equipment
from monitor.review.limits import LimitSpan, limits_in_force
from monitor.review.source import Source
from monitor.review.summary import Summary, baselines, summarise
from monitor.review.tracks import CuffReading, Span, Track, cuff_readings, gaps, tracks
from monitor.sessions.session import Session, state_after
from monitor.sessions.steps import State
from monitor.storage.charts import Trace
from monitor.storage.device_events import DeviceEvent
from monitor.storage.history import LATEST

_ENDS_WITHIN = 60 * NS
"""Nanoseconds after the closing within which what stood of the patient is told to be over."""


@dataclass(frozen=True)
class Chart:
    """A session as it stands, with all that was recorded of it. Times are UTC nanoseconds."""

    session: Session
    """Steps, checklist, entries and their corrections: see there."""
    span: Span
    """From the first to the last of what belongs to it: its opening and closing, or the moment at which the chart was
    made, and any recording that was assigned to it."""
    vitals: Mapping[str, Track]
    """By vital, in the order of the table of vitals."""
    gaps: Mapping[str, tuple[Span, ...]]
    """By continuous vital, where there is no value."""
    cuff_readings: tuple[CuffReading, ...]
    baseline: Mapping[str, float]
    """By vital, the median of the valid readings of the baseline phase."""
    alerts: tuple[AlertLife, ...]
    silences: tuple[AlertEvent, ...]
    """When the audio, or all signals, of the bed were paused, switched off and on."""
    limits: tuple[LimitSpan, ...]
    equipment: tuple[DeviceUse, ...]
    device_events: tuple[DeviceEvent, ...]
    """What became of the devices: their links, their own status and alarms."""
    summary: Summary

    @property
    def phases(self) -> tuple[tuple[State, Span], ...]:
        """The parts of the visit, with their pauses, one after the other, without the closed one."""
        steps = self.session.steps
        ends = [*(after.at for after in steps[1:]), self.span.until]
        parts = [(state_after(shown), Span(shown.at, until)) for shown, until in zip(steps, ends, strict=True)]
        return tuple(part for part in parts if part[0] is not State.CLOSED)


def build(source: Source, session: Session, now: int) -> Chart:
    """The chart of a session as its entries have it; one that is open is shown until `now` (UTC nanoseconds).

    Raises what `source` raises.
    """
    until = now if session.closed_at is None else session.closed_at
    traces: list[Trace] = []
    events: list[AlertEvent] = []
    devices: list[DeviceEvent] = []
    span = Span(session.opened_at, max(until, session.opened_at))
    for bed, begins, ends in session.stretches(LATEST if session.closed_at is not None else now):
        # The last moment belongs to it.
        traces += source.traces(bed, begins, ends + 1)
        events += source.alerts(bed, begins, ends + _ENDS_WITHIN)
        devices += source.devices(bed, begins, ends + 1)
        span = Span(min(span.since, begins), max(span.until, ends))
    vitals = tracks(traces)
    baseline = baselines(session, vitals)
    without = {vital: tuple(gaps(track, span)) for vital, track in vitals.items() if not _episodic(vital)}
    of_session = [event for event in events if _belongs(event, session, span)]
    alerts = lives(of_session)
    return Chart(
        session,
        span,
        vitals,
        without,
        tuple(cuff_readings(vitals)),
        baseline,
        tuple(alerts),
        tuple(silences(of_session)),
        tuple(limits_in_force(session, baseline, span.until)),
        tuple(equipment(vitals, devices)),
        tuple(devices),
        summarise(session, vitals, baseline, alerts, without, span),
    )


def _episodic(vital: str) -> bool:
    return vital in VITALS and VITALS[vital].episodic


def _belongs(event: AlertEvent, session: Session, span: Span) -> bool:
    """Whether it is of this session: what came on after the closing is of the next one, or of an empty bed."""
    if event.session and event.session != session.id:
        return False
    return event.at <= span.until or (event.session == session.id and event.state is AlertState.OFF)
