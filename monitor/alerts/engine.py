"""When an alert comes on and when it goes off: pure functions of state, event and time.

Each function takes the state of one bed and returns the next one with the changes it caused; nothing is read, written
or waited for. `now` is monotonic seconds, so that no correction of the wall clock starts or ends an alert; `at` is the
UTC time that the change is recorded with.

Rules:
- an invalid reading is neither inside nor outside a limit: it proves nothing, so it neither raises nor clears;
- a provisional systolic never counts;
- a questionable value counts like a valid one: a doubtful alarm is better than a missed one;
- a gap changes nothing: a standing alert stands, and a condition that was outside before and after it has held (a
  device that speaks less often than its vitals go stale would else never alert);
- a reading that arrives long after it was measured (a broker's backlog) is recorded, and alerts nobody;
- a vital can become stale only once it has been measured, and never because of a device that is lost as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from drivers.device import LATE_AFTER
from drivers.events import Cause, LinkState, Reading, Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Limit, Priority

_LOST = {
    LinkState.LOST: "connection lost",
    LinkState.SILENT: "sends nothing",
    LinkState.UNDECODABLE: "sends what cannot be decoded",
    LinkState.REFUSED: "cannot be opened",
}


@dataclass(frozen=True)
class Profile:
    """The conditions in force on a bed."""

    limits: tuple[Limit, ...] = ()
    stale_after: float = 10.0
    """Seconds without a value after which a continuous vital is stale (suggested in the project's clinical notes;
    no standard gives a number for a central display)."""
    stale_priority: Priority = Priority.LOW
    device_lost_priority: Priority = Priority.MEDIUM
    by_vital: Mapping[str, tuple[Limit, ...]] = field(init=False)

    def __post_init__(self) -> None:
        vitals = {limit.vital for limit in self.limits}
        table = {vital: tuple(limit for limit in self.limits if limit.vital == vital) for vital in vitals}
        object.__setattr__(self, "by_vital", table)


class Seen(NamedTuple):
    """The last value of a vital."""

    at: float
    """Monotonic seconds."""
    device: str
    cause: str
    """Of the invalid readings that came since; empty where none came."""
    episodic: bool
    """It was measured once, and says nothing of when the next is due."""


@dataclass(frozen=True, slots=True)
class BedState:
    """All that the rules remember of one bed. Replaced, never changed."""

    pending: Mapping[str, float] = field(default_factory=dict)
    """Rule -> since when its condition has held (monotonic seconds), while its delay runs."""
    on: Mapping[str, AlertEvent] = field(default_factory=dict)
    """Rule -> the event that turned it on."""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """Vital -> its last value."""
    lost: frozenset[str] = frozenset()
    """Devices whose link is down."""


Step = tuple[BedState, list[AlertEvent]]


def on_reading(profile: Profile, state: BedState, bed: str, device: str, reading: Reading, now: float) -> Step:
    """What one reading changes."""
    vital = reading.vital
    last = state.seen.get(vital)
    if reading.validity is Validity.INVALID:
        if last is None or last.cause == reading.cause:
            return state, []
        return replace(state, seen={**state.seen, vital: last._replace(cause=reading.cause)}), []
    if Cause.PROVISIONAL in reading.cause or _is_history(profile, reading):
        return state, []
    pending, changes = _limits(profile, state, bed, device, reading, now)
    if f"stale_{vital}" in state.on:
        text = f"{VITALS[vital].label}: measured again"
        changes.append(_off(state.on[f"stale_{vital}"], reading.observed_at, text, reading.value))
    seen = {**state.seen, vital: Seen(now, device, "", reading.episodic)}
    return BedState(pending, _applied(state.on, changes), seen, state.lost), changes


def _limits(
    profile: Profile, state: BedState, bed: str, device: str, reading: Reading, now: float
) -> tuple[Mapping[str, float], list[AlertEvent]]:
    limits = profile.by_vital.get(reading.vital, ())
    if not limits or reading.value is None:
        return state.pending, []
    pending, changes = dict(state.pending), []
    for limit in limits:
        rule = limit.rule
        if rule in state.on:
            if _back_inside(limit, reading.value):
                text = f"{VITALS[limit.vital].label} {reading.value:.4g}: back inside {limit.threshold:.4g}"
                changes.append(_off(state.on[rule], reading.observed_at, text, reading.value))
            continue
        since = pending.pop(rule, now)
        if _outside(limit, reading.value):
            if now - since >= limit.delay:
                changes.append(_limit_on(limit, bed, device, reading))
            else:
                pending[rule] = since
    return pending, changes


def on_link(profile: Profile, state: BedState, bed: str, device: str, link: LinkState, detail: str, at: int) -> Step:
    """What a change of a device's link changes."""
    rule = f"device_lost_{device}"
    changes: list[AlertEvent] = []
    lost, seen = state.lost, state.seen
    if link in _LOST:
        lost = lost | {device}
        if rule not in state.on:
            text = f"{device}: {_LOST[link]}"
            changes.append(
                AlertEvent(
                    bed, rule, Kind.TECHNICAL, profile.device_lost_priority, AlertState.ON, at, text, device=device
                )
            )
    elif link in {LinkState.RECEIVING, LinkState.ENDED}:
        lost = lost - {device}
        if rule in state.on:
            changes.append(_off(state.on[rule], at, f"{device}: {detail or 'receiving again'}"))
    pending = state.pending
    if link is LinkState.ENDED:
        # A capture that came to its end is no fault, and nothing could ever clear its alerts: it is over.
        gone = {vital for vital, last in seen.items() if last.device == device}
        seen = {vital: last for vital, last in seen.items() if vital not in gone}
        pending = {rule: since for rule, since in pending.items() if rule.rsplit("_", 1)[0] not in gone}
        changes += [
            _off(alert, at, f"{device}: ended") for alert in state.on.values() if alert.device == device and alert.vital
        ]
    return BedState(pending, _applied(state.on, changes), seen, lost), changes


def on_tick(profile: Profile, state: BedState, bed: str, now: float, at: int) -> Step:
    """What the mere passing of time changes; call it about once a second."""
    changes = [
        _stale_on(profile, bed, vital, last, at)
        for vital, last in state.seen.items()
        if now - last.at >= profile.stale_after
        and not last.episodic
        and last.device not in state.lost
        and f"stale_{vital}" not in state.on
    ]
    if not changes:
        return state, []
    return replace(state, on=_applied(state.on, changes)), changes


def _is_history(profile: Profile, reading: Reading) -> bool:
    """Whether it was measured too long before it was received to say how the patient is now."""
    return reading.age > (LATE_AFTER if reading.episodic else profile.stale_after)


def _outside(limit: Limit, value: float) -> bool:
    return value < limit.threshold if limit.side == "low" else value > limit.threshold


def _back_inside(limit: Limit, value: float) -> bool:
    if limit.side == "low":
        return value >= limit.threshold + limit.hysteresis
    return value <= limit.threshold - limit.hysteresis


def _limit_on(limit: Limit, bed: str, device: str, reading: Reading) -> AlertEvent:
    sign = "<" if limit.side == "low" else ">"
    text = f"{VITALS[limit.vital].label} {reading.value:.4g} {sign} {limit.threshold:.4g}"
    return AlertEvent(
        bed,
        limit.rule,
        Kind.PHYSIOLOGICAL,
        limit.priority,
        AlertState.ON,
        reading.observed_at,
        text,
        limit.vital,
        device,
        reading.value,
        limit.threshold,
    )


def _stale_on(profile: Profile, bed: str, vital: str, last: Seen, at: int) -> AlertEvent:
    why = f" ({last.cause.replace('_', ' ').replace(',', ', ')})" if last.cause else ""
    text = f"{VITALS[vital].label}: no value for {profile.stale_after:g} s{why}"
    return AlertEvent(
        bed,
        f"stale_{vital}",
        Kind.TECHNICAL,
        profile.stale_priority,
        AlertState.ON,
        at,
        text,
        vital,
        last.device,
    )


def _off(alert: AlertEvent, at: int, text: str, value: float | None = None) -> AlertEvent:
    return alert._replace(state=AlertState.OFF, at=at, text=text, value=value)


def _applied(on: Mapping[str, AlertEvent], changes: list[AlertEvent]) -> Mapping[str, AlertEvent]:
    if not changes:
        return on
    standing = dict(on)
    for change in changes:
        if change.state is AlertState.ON:
            standing[change.rule] = change
        else:
            standing.pop(change.rule, None)
    return standing
