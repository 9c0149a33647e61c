"""A chart as JSON: for the page, a clinic's own systems and whoever compares two charts. Times are RFC 3339 text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.clock import iso
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts import actions
from monitor.review.alert_lives import AlertLife
from monitor.review.chart import Chart
from monitor.review.equipment import DeviceUse
from monitor.review.limits import LimitSpan
from monitor.review.summary import Extreme, Summary, VitalSummary
from monitor.review.tracks import CuffReading, Span
from monitor.sessions import view
from monitor.sessions.entries import Kind
from monitor.sessions.session import Session
from monitor.storage.device_events import DeviceEvent


def told(chart: Chart) -> dict[str, Any]:
    """All of the chart but the readings themselves."""
    session = chart.session
    return {
        "session": {**view.brief(session, chart.span.until), "entries": view.entries(session)},
        "checklist": _checklist(session),
        "discharge": list(session.steps[-1].content.get("criteria", ())),
        "signatures": signatures(session),
        "signed": session.signed,
        "span": _span(chart.span),
        "stays": view.stays(session),
        "phases": [{"phase": state.phase.value, "state": state.value, **_span(span)} for state, span in chart.phases],
        "vitals": [
            {
                "vital": vital,
                "label": VITALS[vital].label if vital in VITALS else vital,
                "unit": VITALS[vital].unit_label if vital in VITALS else "",
                "colour": VITALS[vital].colour if vital in VITALS else "",
                "decimals": VITALS[vital].decimals if vital in VITALS else 0,
                "devices": list(track.devices),
                "readings": len(track.at),
                "gaps": [_span(gap) for gap in chart.gaps.get(vital, ())],
            }
            for vital, track in chart.vitals.items()
        ],
        "cuff_readings": [_cuff_reading(reading) for reading in chart.cuff_readings],
        "baseline": dict(chart.baseline),
        "alerts": [_alert(life, chart.span.until) for life in chart.alerts],
        "silences": [actions.told(event) for event in chart.silences],
        "limits": [_limit(span) for span in chart.limits],
        "equipment": [_use(use) for use in chart.equipment],
        "device_events": _events(chart.device_events),
        "summary": summary(chart.summary),
    }


def _checklist(session: Session) -> list[dict[str, Any]]:
    """The items that were answered or skipped, as they stand: in the order in which they were first."""
    return [
        {
            "item": item,
            "title": shown.content["title"],
            "state": "skipped" if "skipped" in shown.content else "answered",
            "answer": shown.content.get("answer"),
            "reason": shown.content.get("skipped"),
            "by": shown.entry.author,
            "at": iso(shown.at),
        }
        for item, shown in session.latest(Kind.CHECK, "item").items()
    ]


def signatures(session: Session) -> list[dict[str, Any]]:
    """Every signature; only the last one can be of the chart as it stands."""
    return [
        {
            "number": shown.entry.number,
            "at": iso(shown.at),
            "by": shown.entry.author,
            "through": shown.content["through"],
            "stands": session.signed and shown is session.signatures[-1],
        }
        for shown in session.signatures
    ]


def summary(numbers: Summary) -> dict[str, Any]:
    """A session in numbers; durations are seconds."""
    return {
        "recorded_s": numbers.recorded,
        "infusion_s": numbers.infusion,
        "desaturated_s": numbers.desaturated,
        "cuff_readings": numbers.cuff_readings,
        "vitals": [_vital(one) for one in numbers.vitals],
        "alerts": [
            {
                "rule": one.rule,
                "kind": one.kind.value,
                "priority": one.priority.value,
                "text": one.text,
                "times": one.times,
                "seconds": one.seconds,
            }
            for one in numbers.alerts
        ],
    }


def _vital(one: VitalSummary) -> dict[str, Any]:
    return {
        "vital": one.vital,
        "readings": one.readings,
        "questionable": one.questionable,
        "invalid": one.invalid,
        "lowest": _extreme(one.lowest),
        "highest": _extreme(one.highest),
        "baseline": one.baseline,
        "rise": one.rise,
        "back_after_s": one.back_after,
        "coverage_percent": one.coverage,
        "longest_gap": None if one.longest_gap is None else _span(one.longest_gap),
    }


def _cuff_reading(reading: CuffReading) -> dict[str, Any]:
    return {
        "at": iso(reading.at),
        "device": reading.device,
        "sys": reading.sys,
        "dia": reading.dia,
        "mean": reading.mean,
        "validity": Validity(reading.validity).name.lower(),
        "cause": reading.cause,
        "provisional": reading.provisional,
    }


def _alert(life: AlertLife, until: int) -> dict[str, Any]:
    first, seen = life.changes[0], life.acknowledged
    return {
        "bed": life.bed,
        "rule": life.rule,
        "group": life.group,
        "kind": life.kind.value,
        "priority": life.priority.value,
        "text": life.text,
        "vital": first.vital,
        "device": first.device,
        "value": first.value,
        "limit": first.limit,
        "began": iso(life.began),
        "present_until": _time(life.present_until),
        "ended": _time(life.ended),
        "seconds": life.seconds(until),
        "acknowledged": None if seen is None else {"at": iso(seen.at), "by": seen.actor},
        "over_by": life.over_by,
        "changes": [actions.told(change) for change in life.changes],
    }


def _limit(span: LimitSpan) -> dict[str, Any]:
    limit = span.limit
    return {
        "rule": limit.rule,
        "vital": limit.vital,
        "side": limit.side,
        "limit": limit.number,
        "priority": limit.priority.value,
        "set_for_session": limit.set_for_session,
        **_span(Span(span.since, span.until)),
    }


def _use(use: DeviceUse) -> dict[str, Any]:
    return {
        "device": use.device,
        "vitals": list(use.vitals),
        "readings": use.readings,
        "since": _time(use.since),
        "until": _time(use.until),
        "clock": _events(use.clock),
    }


def _events(events: Sequence[DeviceEvent]) -> list[dict[str, Any]]:
    return [_device_event(event) for event in events]


def _device_event(event: DeviceEvent) -> dict[str, Any]:
    return {**event._asdict(), "at": iso(event.at)}


def _extreme(extreme: Extreme | None) -> dict[str, Any] | None:
    return None if extreme is None else {"value": extreme.value, "at": iso(extreme.at)}


def _span(span: Span) -> dict[str, Any]:
    return {"since": iso(span.since), "until": iso(span.until), "seconds": span.seconds}


def _time(at: int | None) -> str | None:
    return None if at is None else iso(at)
