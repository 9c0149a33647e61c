"""A session in numbers, each of which can be computed again by hand from the chart.

Nothing here is a judgement. What counts as being back at the baseline is the authors' choice, in line with what clinics
look at after an hour of recovery: within 10 % of it, to the end of what was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from drivers.clock import NS
from drivers.events import Validity, is_provisional
from monitor.alerts.conditions import URGENCY, Kind, Priority
from monitor.review.alert_lives import AlertLife
from monitor.review.tracks import Span, Track, covered, seconds_where
from monitor.sessions.session import Session, state_after
from monitor.sessions.steps import State, Step

DESATURATED = 90.0
"""SpO2 in percent below which minutes are counted: the usual limit of alarms (Rheineck-Leyssius 1997)."""
BACK_WITHIN = 10.0
"""Percent of the baseline."""
_RISES = ("heart_rate", "pulse_rate", "nibp_sys", "nibp_dia", "nibp_mean", "abp_sys", "abp_dia", "abp_mean")


class Extreme(NamedTuple):
    """A value and when it was measured, UTC nanoseconds; the first of several equal ones."""

    value: float
    at: int


class VitalSummary(NamedTuple):
    """One vital in a session; values are in its unit."""

    vital: str
    readings: int
    questionable: int
    invalid: int
    lowest: Extreme | None
    """Of the valid readings; None where there is none."""
    highest: Extreme | None
    baseline: float | None
    """The median of the valid readings of the baseline phase."""
    rise: float | None
    """From the baseline to the highest valid reading since the infusion's start; of rates and pressures."""
    back_after: float | None
    """Seconds from the infusion's end until it was within `BACK_WITHIN` of the baseline, and stayed so; 0 where it was
    already; None where it did not come back, or it is not known."""
    coverage: float | None
    """Percent of the session for which there was a current value; None for one that is measured now and then."""
    longest_gap: Span | None
    """The longest stretch without a value; None where there is no gap, or it is measured now and then."""


class AlertSummary(NamedTuple):
    """All alerts of one rule."""

    rule: str
    kind: Kind
    priority: Priority
    """The highest that they had."""
    text: str
    """Of the first."""
    times: int
    seconds: float
    """For how long its condition was present, in all."""


class Summary(NamedTuple):
    """A session in numbers; times are seconds."""

    recorded: float
    """From the opening to the closing, or to now."""
    infusion: float
    """For how long the infusion ran, without its pauses."""
    vitals: tuple[VitalSummary, ...]
    desaturated: float | None
    """Seconds below `DESATURATED`, by readings that have a value; None where there is no SpO2."""
    cuff_readings: int
    """Determinations that are neither provisional nor failed."""
    alerts: tuple[AlertSummary, ...]
    """The most urgent first."""

    def vital(self, key: str) -> VitalSummary | None:
        """That of one vital."""
        return next((one for one in self.vitals if one.vital == key), None)


def baselines(session: Session, vitals: Mapping[str, Track]) -> dict[str, float]:
    """By vital the median of the valid readings of the baseline phase."""
    phase = _baseline_phase(session)
    if phase is None:
        return {}
    found = {}
    for vital, track in vitals.items():
        values = track.value[track.valid & (track.at >= phase.since) & (track.at < phase.until)]
        if len(values):
            found[vital] = float(np.median(values))
    return found


def summarise(
    session: Session,
    vitals: Mapping[str, Track],
    baseline: Mapping[str, float],
    alerts: Sequence[AlertLife],
    without: Mapping[str, Sequence[Span]],
    span: Span,
) -> Summary:
    """The numbers of a session: `without` has the gaps of each continuous vital, `span` is that of the chart."""
    spo2 = vitals.get("spo2")
    sys = vitals.get("nibp_sys")
    return Summary(
        recorded=span.seconds,
        infusion=session.elapsed(span.until),
        vitals=tuple(
            _vital(session, track, baseline.get(vital), without.get(vital), span) for vital, track in vitals.items()
        ),
        desaturated=None if spo2 is None else seconds_where(spo2, span, spo2.value < DESATURATED),
        cuff_readings=0 if sys is None else int((sys.known & ~_provisional(sys)).sum()),
        alerts=_alerts(alerts, span.until),
    )


def _baseline_phase(session: Session) -> Span | None:
    for shown, after in zip(session.steps, (*session.steps[1:], None), strict=True):
        if shown.content.get("step") == Step.BASELINE:
            return Span(shown.at, 2**62 if after is None else after.at)
    return None


def _vital(
    session: Session, track: Track, baseline: float | None, without: Sequence[Span] | None, span: Span
) -> VitalSummary:
    valid = track.valid
    at, value = track.at[valid], track.value[valid]
    return VitalSummary(
        track.vital,
        len(track.at),
        int((track.validity == Validity.QUESTIONABLE).sum()),
        int((track.validity == Validity.INVALID).sum()),
        Extreme(float(value.min()), int(at[value.argmin()])) if len(value) else None,
        Extreme(float(value.max()), int(at[value.argmax()])) if len(value) else None,
        baseline,
        _rise(session, track, baseline),
        _back_after(session, track, baseline),
        None if without is None or not span.seconds else 100 * covered(track, span) / span.seconds,
        max(without or (), key=lambda gap: gap.seconds, default=None),
    )


def _rise(session: Session, track: Track, baseline: float | None) -> float | None:
    if baseline is None or session.started_at is None or track.vital not in _RISES:
        return None
    since = track.value[track.valid & (track.at >= session.started_at)]
    return float(since.max()) - baseline if len(since) else None


def _back_after(session: Session, track: Track, baseline: float | None) -> float | None:
    stopped = _stopped_at(session)
    if baseline is None or session.started_at is None or stopped is None or track.vital not in _RISES:
        return None
    valid = track.valid & (track.at >= session.started_at)
    at, value = track.at[valid], track.value[valid]
    away = np.flatnonzero(np.abs(value - baseline) > baseline * BACK_WITHIN / 100)
    if not len(at) or (len(away) and away[-1] == len(at) - 1):
        return None
    back_at = int(at[away[-1] + 1]) if len(away) else session.started_at
    return max(0.0, (back_at - stopped) / NS)


def _stopped_at(session: Session) -> int | None:
    """When the infusion was over for good; None where it was not."""
    stopped = None
    for shown in session.steps:
        state = state_after(shown)
        if state is State.RUNNING:
            stopped = None
        elif state is State.STOPPED:
            stopped = shown.at
    return stopped


def _provisional(track: Track) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    table = np.array(list(map(is_provisional, track.causes)))
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = table[track.cause]
    return found


def _alerts(alerts: Sequence[AlertLife], until: int) -> tuple[AlertSummary, ...]:
    by_rule: dict[str, list[AlertLife]] = {}
    for life in alerts:
        by_rule.setdefault(life.rule, []).append(life)
    made = [
        AlertSummary(
            rule,
            several[0].kind,
            max((life.priority for life in several), key=URGENCY.__getitem__),
            several[0].text,
            len(several),
            sum(life.seconds(until) for life in several),
        )
        for rule, several in by_rule.items()
    ]
    return tuple(sorted(made, key=lambda one: (-URGENCY[one.priority], -one.seconds, one.rule)))
