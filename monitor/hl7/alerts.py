"""PCD-04 (ORU^R40): one change of one alert. All that is told of one alert has one filler order number, OBR-3."""

from __future__ import annotations

import math

from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority
from monitor.hl7.message import ALERT, Names, Visit, message
from monitor.hl7.observations import NOWHERE, coded_as, equipment_of
from monitor.hl7.text import components, escaped, number, segment, time

_SIGNALS = frozenset({ALARM, AUDIO})
_ALARM, _LOW, _HIGH = "196616^MDC_EVT_ALARM^MDC", "196670^MDC_EVT_LO^MDC", "196648^MDC_EVT_HI^MDC"
_PRIORITIES = {Priority.NONE: "PN", Priority.LOW: "PL", Priority.MEDIUM: "PM", Priority.HIGH: "PH"}
_TYPES = {Kind.PHYSIOLOGICAL: "SP", Kind.TECHNICAL: "ST", Kind.OTHER: "SA"}
_STATES = {AlertState.LATCHED: "latched", AlertState.OFF: "inactive"}
_FACETS = {
    3: "68481^MDC_ATTR_EVENT_PHASE^MDC",
    4: "68482^MDC_ATTR_ALARM_STATE^MDC",
    5: "68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC",
    6: "68484^MDC_ATTR_ALARM_PRIORITY^MDC",
    7: "68485^MDC_ATTR_ALERT_TYPE^MDC",
}


def is_told(event: AlertEvent) -> bool:
    """Whether people are told of it: not of what is only a part of a combination."""
    return event.priority is not Priority.NONE or event.rule in _SIGNALS


def is_over(event: AlertEvent) -> bool:
    """Whether nothing stands of it any more; of the signals of a bed it is `on` that is normal."""
    return event.state is (AlertState.ON if event.rule in _SIGNALS else AlertState.OFF)


def alerted(names: Names, visit: Visit, event: AlertEvent, began: AlertEvent) -> str:
    """The message of one change of the alert that began with `began`, which may be the change itself."""
    moment = time(event.at)
    order = components(f"{event.bed or 'station'}.{event.rule}.{began.at}", names.site)
    equipment = equipment_of(names, visit, event.device) if event.device else components("station", names.site)
    limit_kind = _abnormal(began)
    coded = coded_as(event.vital) if event.vital else None
    place = coded.place if coded else NOWHERE
    code = {"L": _LOW, "H": _HIGH}.get(limit_kind, _ALARM)
    flags = f"{_PRIORITIES[event.priority]}~{_TYPES[event.kind]}~{limit_kind or 'A'}"
    body = segment("OBR", f1="1", f3=order, f4=_ALARM, f7=moment)

    def facet(number_: int, kind: str, code: str, text: str, **more: str) -> str:
        fields = {"f11": "R", "f14": moment, "f18": equipment, **more}
        return segment("OBX", f1=str(number_), f2=kind, f3=code, f4=f"{place}.{number_}", f5=text, **fields)

    body += facet(1, "ST", code, escaped(event.text), f8=flags)
    if coded is None:
        body += facet(2, "ST", "68480^MDC_ATTR_ALERT_SOURCE^MDC", escaped(event.device or event.bed or "station"))
    else:
        value = number(event.value) if event.value is not None and math.isfinite(event.value) else ""
        limits = _limits(event.limit, limit_kind)
        measured = {"f6": coded.unit, "f7": limits, "f11": "R" if value else "X"}
        body += facet(2, "NM" if value else "", coded.code, value, **measured)
    told = {
        3: "end" if is_over(event) else "start" if event == began else "continue",
        4: _state(event),
        5: _inactivation(event),
        6: _PRIORITIES[event.priority],
        7: _TYPES[event.kind],
    }
    for place_, text in told.items():
        # Who did it is told where it is told what they did.
        body += facet(place_, "ST", _FACETS[place_], text, f16=escaped(event.actor) if place_ == 5 else "")
    return message(names, ALERT, event.at, visit, body)


def _state(event: AlertEvent) -> str:
    if event.rule in _SIGNALS:
        return "inactive" if is_over(event) else "active"
    return _STATES.get(event.state, "active")


def _inactivation(event: AlertEvent) -> str:
    if event.rule in _SIGNALS and event.state in {AlertState.PAUSED, AlertState.OFF}:
        return f"{event.rule}-{event.state}"
    return "alert-acknowledged" if event.state is AlertState.ACKNOWLEDGED else "enabled"


def _abnormal(began: AlertEvent) -> str:
    """`L` or `H` of an alert that a value under or over a limit raised, else empty."""
    if began.kind is not Kind.PHYSIOLOGICAL or not began.vital or began.value is None or began.limit is None:
        return ""
    return "L" if began.value < began.limit else "H" if began.value > began.limit else ""


def _limits(limit: float | None, kind: str) -> str:
    """OBX-7: what is in order is above a low limit, below a high one."""
    if limit is None or not math.isfinite(limit):
        return ""
    return {"L": ">", "H": "<"}.get(kind, "") + number(limit)
