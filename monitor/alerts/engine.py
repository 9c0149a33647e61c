"""When a condition begins and when it ends: pure functions of state, event and time.

Each function takes the state of one bed and returns the next one with the conditions that began (ON) and ended (OFF);
nothing is read, written or waited for. `now` is monotonic seconds, so that no correction of the wall clock starts or
ends an alert; `at` is the UTC time that the change is recorded with. What people are told of it is `signals`' matter.

Rules:
- an invalid reading is neither inside nor outside a limit: it proves nothing, so it neither raises nor clears;
- a provisional systolic never counts;
- a questionable value counts like a valid one unless a rule says otherwise: a doubtful alarm is better than a missed
  one; but only a valid one arms a vital (no alert of it before it was validly measured in this session);
- a gap changes nothing: a standing alert stands, and a condition that was outside before and after it has held, unless
  a rule says after how long its delay begins anew;
- a reading that arrives long after it was measured (a broker's backlog) is recorded, and alerts nobody;
- a vital can become stale only once it has been measured, and never because of a device that is lost as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nextafter

from drivers.device import LATE_AFTER
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, Reading, Validity, is_provisional
from drivers.vitals import VITALS
from monitor.alerts.bed_state import BedState, Past, Seen, Step, with_moments
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.in_force import Visit, in_force, medians, other_session
from monitor.alerts.judge import applied, combine, judge, off
from monitor.alerts.passing import (
    AFTER_CUFF,
    CUFF_HOLDS,
    TOLD_AGAIN_WITHIN,
    due,
    pass_time,
)
from monitor.alerts.quiet import CUFF, missing, trimmed, with_quiet
from monitor.alerts.rules import DEVICE_ALARM, DEVICE_STATUS, LOW_BATTERY, OF_DEVICES, Profile, lost_rule

LIVE_WITHIN = 10.0
"""Seconds after its measurement within which a continuous vital still says how the patient is."""
_LIVE_NS = int(LIVE_WITHIN * 1e9)
CUFF_BUSY, BATTERY_LOW = "cuff_busy", "low_battery"
"""Codes of `DeviceStatus` that mean something here."""

_LOST = {
    LinkState.LOST: "connection lost",
    LinkState.SILENT: "sends nothing",
    LinkState.UNDECODABLE: "sends what cannot be decoded",
    LinkState.REFUSED: "cannot be opened",
}
_ANEW = -inf
"""As `BedState.due`: the next tick looks."""


def on_readings(
    profile: Profile, state: BedState, bed: str, device: str, readings: Sequence[Reading], now: float
) -> Step:
    """What a device's readings change."""
    events: list[AlertEvent] = []
    at: dict[str, float] | None = None
    quiet, recent = state.quiet, state.recent
    for reading in readings:
        # Nearly every reading: valid, inside every limit, and nothing of its vital is open.
        vital, value, validity, observed_at, received_at, cause, behind, _ = reading
        if (
            vital in quiet
            and validity == 0
            and value is not None
            and quiet[vital][0] <= value <= quiet[vital][1]
            and not cause
            and received_at - observed_at <= _LIVE_NS
            and not behind
        ):
            if at is None:
                at = dict(state.at)
            at[vital] = now
            if vital in recent:
                recent = {**recent, vital: Past(now, value, True, recent[vital])}
            continue
        if at is not None:
            state, at = with_moments(state, at, recent), None
        state, changes = _on_reading(profile, state, bed, device, reading, now)
        events += changes
        quiet, recent = state.quiet, state.recent
    return (state if at is None else with_moments(state, at, recent)), events


def _on_reading(profile: Profile, state: BedState, bed: str, device: str, reading: Reading, now: float) -> Step:
    vital = reading.vital
    if reading.validity is Validity.INVALID or reading.value is None:
        return _no_value(state, vital, reading.cause, now), []
    if is_provisional(reading.cause):
        return (_cuff_works(state, now) if now >= state.cuff_until else state), []
    if reading.age > (LATE_AFTER if reading.episodic else LIVE_WITHIN):
        return state, []
    seen = state.seen.get(vital)
    valid = reading.validity is Validity.VALID
    armed = valid or (seen is not None and seen.armed)
    changes = [
        off(alert, reading.observed_at, Why.READING, f"{VITALS[vital].label}: measured again", reading.value)
        for alert in missing(state, vital)
    ]
    if vital == CUFF and now < state.cuff_until:
        state = state._replace(cuff_until=min(state.cuff_until, now + AFTER_CUFF))
    if valid and state.visit is not None and state.visit.phase == "baseline" and vital in profile.relative:
        state = state._replace(collected={**state.collected, vital: (*state.collected.get(vital, ()), reading.value)})
    # The state of before the reading: what it ends is `missing`, which no limit looks at.
    state = state._replace(
        at={**state.at, vital: now}, seen={**state.seen, vital: Seen(device, reading.episodic, armed)}, due=_ANEW
    )
    if armed and vital in state.force.judged:
        state, judged = judge(state, bed, device, reading, now)
        changes = [*judged, *changes]
    state = state._replace(on=applied(state.on, changes))
    state, ended = _sensor_on(state, device, reading.observed_at)
    state, combined = combine(state, bed, now, reading.observed_at, Why.READING)
    return with_quiet(profile, state, vital), [*changes, *ended, *combined]


def _no_value(state: BedState, vital: str, cause: str, now: float) -> BedState:
    """A device said that it has no value."""
    seen = state.seen.get(vital)
    if seen is None or seen.cause == cause:
        return state
    quiet = {key: band for key, band in state.quiet.items() if key != vital}
    sensor_off = state.sensor_off
    if Cause.SENSOR_OFF in cause and seen.armed and seen.device not in sensor_off:
        sensor_off = {**sensor_off, seen.device: now}
    return state._replace(
        seen={**state.seen, vital: seen._replace(cause=cause)}, quiet=quiet, sensor_off=sensor_off, due=_ANEW
    )


def _cuff_works(state: BedState, now: float) -> BedState:
    quiet = {vital: band for vital, band in state.quiet.items() if vital != CUFF}
    return state._replace(cuff_until=now + CUFF_HOLDS, quiet=quiet, due=_ANEW)


def _sensor_on(state: BedState, device: str, at: int) -> Step:
    """Where no vital of a device lacks its sensor any more."""
    standing = [state.on[name] for rule in state.force.probe_off if (name := f"{rule.id}_{device}") in state.on]
    if (device not in state.sensor_off and not standing) or any(
        seen.device == device and Cause.SENSOR_OFF in seen.cause for seen in state.seen.values()
    ):
        return state, []
    ended = [off(alert, at, Why.READING, f"{device}: sensor on the patient again") for alert in standing]
    sensor_off = {key: since for key, since in state.sensor_off.items() if key != device}
    return state._replace(sensor_off=sensor_off, on=applied(state.on, ended)), ended


def on_link(
    profile: Profile, state: BedState, bed: str, device: str, link: LinkState, detail: str, now: float, at: int
) -> Step:
    """What a change of a device's link changes."""
    rule = lost_rule(device)
    changes: list[AlertEvent] = []
    seen = state.seen
    state = state._replace(due=_ANEW)
    if link in _LOST:
        # Told again, or for the first time: it is true since the restart, too.
        state = state._replace(unproven={key: until for key, until in state.unproven.items() if key != rule})
        if rule not in state.on:
            text = f"{device}: {_LOST[link]}"
            changes.append(_of_device(bed, rule, profile.devices.lost, device, text, at))
    elif link in {LinkState.RECEIVING, LinkState.ENDED} and rule in state.on:
        changes.append(off(state.on[rule], at, Why.DEVICE, f"{device}: {detail or 'receiving again'}"))
    if link is LinkState.ENDED:
        # A capture that came to its end is no fault, and nothing could ever clear its alerts: it is over.
        gone = {vital for vital, last in seen.items() if last.device == device}
        rules = {one.rule.id for vital in gone for one in state.force.judged.get(vital, ())}
        state = state._replace(
            seen={vital: last for vital, last in seen.items() if vital not in gone},
            held={key: held for key, held in state.held.items() if key not in rules},
            recent={vital: None if vital in gone else past for vital, past in state.recent.items()},
            quiet={vital: band for vital, band in state.quiet.items() if vital not in gone},
            sensor_off={key: since for key, since in state.sensor_off.items() if key != device},
        )
        changes += [
            off(alert, at, Why.DEVICE, f"{device}: ended")
            for alert in state.on.values()
            if alert.device == device and alert.rule != rule
        ]
    state = state._replace(on=applied(state.on, changes))
    state, combined = combine(state, bed, now, at, Why.DEVICE)
    return state, [*changes, *combined]


def on_device(
    profile: Profile, state: BedState, bed: str, device: str, event: DeviceStatus | DeviceAlarm, now: float, at: int
) -> Step:
    """What a device says of itself, or its own alarm: passed on as it is."""
    if isinstance(event, DeviceStatus) and event.code == CUFF_BUSY:
        if event.active:
            return _cuff_works(state, now), []
        return state._replace(cuff_until=min(state.cuff_until, now + AFTER_CUFF), due=_ANEW), []
    kind = Kind.TECHNICAL
    if isinstance(event, DeviceAlarm):
        # Nothing tells which of a device's alarms are of the patient: none of them is taken for less.
        rule, priority, kind = f"{DEVICE_ALARM}{device}_{event.code}", profile.devices.alarm, Kind.PHYSIOLOGICAL
    elif event.code == BATTERY_LOW:
        rule, priority = f"{LOW_BATTERY}{device}", profile.devices.low_battery
    else:
        rule, priority = f"{DEVICE_STATUS}{device}_{event.code}", profile.devices.status
    unproven = {key: until for key, until in state.unproven.items() if key != rule}
    state = state._replace(unproven=unproven)
    standing = state.on.get(rule)
    changes = []
    if event.active and standing is None:
        changes.append(_of_device(bed, rule, priority, device, f"{device}: {event.text}", at, kind))
    elif standing is not None and not event.active:
        changes.append(off(standing, at, Why.DEVICE, f"{device}: over: {event.text}"))
    return state._replace(on=applied(state.on, changes)), changes


def on_visit(profile: Profile, state: BedState, bed: str, visit: Visit | None, now: float, at: int) -> Step:
    """A session was opened, moved here or away, closed, another phase began, or its limits were changed.

    Another session is another patient: what was learned of the one before is forgotten, and conditions of it end.
    """
    changes: list[AlertEvent] = []
    if other := other_session(state.visit, visit):
        of_patient = [alert for alert in state.on.values() if not only_of_device(alert)]
        changes = [off(alert, at, Why.SESSION, f"over: {other}: {alert.text}") for alert in of_patient]
        state = BedState(
            on=applied(state.on, changes),
            cuff_until=state.cuff_until,
            unproven=state.unproven,
            collected={} if visit is None else dict(visit.baseline),
            at={} if visit is None else dict(visit.measured),
        )
        if visit is not None and visit.phase not in {"check_in", "baseline"}:
            state = state._replace(baseline=medians(state.collected))
    elif visit is not None and state.visit is not None and visit.phase != state.visit.phase:
        if state.visit.phase == "baseline":
            state = state._replace(baseline=medians(state.collected))
        elif visit.phase == "baseline":
            # A start that was declared void: the baseline goes on.
            state = state._replace(baseline={})
    overdue_ends = state.visit is not None and (visit is None or visit.phase != state.visit.phase)
    state = state._replace(visit=visit)
    state, ended = _reforced(profile, state, now, at, since=now, overdue_ends=overdue_ends)
    state, combined = combine(state, bed, now, at, Why.SESSION)
    return state, [*changes, *ended, *combined]


def on_tick(profile: Profile, state: BedState, bed: str, now: float, at: int) -> Step:
    """What the mere passing of time changes; call it about once a second."""
    if now < state.due:
        return state, []
    ended: list[AlertEvent] = []
    anew = now >= state.force.until
    if anew:
        # What was read at this very moment was read before.
        state, ended = _reforced(profile, state, now, at, since=nextafter(now, inf))
    if now >= state.trim_at:
        state = trimmed(profile, state, now)
    if _ANEW < state.cuff_until <= now:
        state = with_quiet(profile, state._replace(cuff_until=_ANEW), CUFF)
    if not anew and (later := due(state, now)) > now:
        return state._replace(due=later), ended
    state, changes = pass_time(profile, state, bed, now, at)
    state, combined = combine(state, bed, now, at, Why.TIME, waited=True)
    changed = {event.vital for event in changes if event.vital}
    for vital in changed:
        state = with_quiet(profile, state, vital)
    return state._replace(due=due(state, now)), [*ended, *changes, *combined]


def on_restart(state: BedState, standing: Sequence[AlertEvent], now: float, at: int) -> Step:
    """Take up the conditions that were on when the station ended: `state` is that of the bed's session, if any.

    What no rule of the profile can end any more is over. A device's own status or alarm is over unless the device tells
    it again in time.
    """
    names = {f"{rule.id}_" for rule in (*state.force.stale, *state.force.probe_off)}
    # What is told to nobody, and only a part of others, is in no journal: a replay has found it.
    kept = {rule: alert for rule, alert in state.on.items() if alert.priority is Priority.NONE}
    unproven = {}
    changes = []
    for alert in standing:
        of_device = only_of_device(alert)
        known = alert.rule in state.force.ids or any(alert.rule.startswith(name) for name in names)
        if not known and not of_device:
            changes.append(off(alert, at, Why.RESTART, f"over: the rule is not in force any more: {alert.text}"))
            continue
        kept[alert.rule] = alert._replace(state=AlertState.ON, session="")
        if of_device:
            unproven[alert.rule] = now + TOLD_AGAIN_WITHIN
    # Nobody listened in between: what is continuous is missed from now on.
    continuous = {vital: now for vital, seen in state.seen.items() if not seen.episodic}
    at_ = {**state.at, **continuous}
    state = state._replace(at=at_, on=kept, unproven=unproven, due=_ANEW, quiet={})
    return state, changes


def _reforced(
    profile: Profile, state: BedState, now: float, at: int, *, since: float, overdue_ends: bool = False
) -> Step:
    """The state under the rules that are in force from now on; a rate looks back on readings from `since` on."""
    force = in_force(profile, state.visit, state.baseline, now)
    gone = state.force.ids - force.ids
    # Not by what was seen: what stood before a restart may not have been seen since.
    absent = {
        f"{rule.id}_{alert.vital or alert.device}"
        for rule in (*state.force.stale, *state.force.probe_off)
        if rule.id in gone
        for alert in state.on.values()
    }
    if overdue_ends:
        absent |= {rule.id for rule in state.force.overdue}
    ended = [
        off(alert, at, Why.SESSION, f"over: not judged in this phase: {alert.text}")
        for alert in state.on.values()
        if alert.rule in gone or alert.rule in absent
    ]
    state = state._replace(
        force=force,
        on=applied(state.on, ended),
        held={key: held for key, held in state.held.items() if key in force.ids},
        recent={vital: state.recent.get(vital) for vital in force.rates},
        rates_since={
            rule.id: state.rates_since.get(rule.id, since) for rates in force.rates.values() for rule in rates
        },
        trim_at=now if force.rates else inf,
        true_since={key: since for key, since in state.true_since.items() if key in force.ids},
        due=_ANEW,
        quiet={},
    )
    for vital in state.seen:
        state = with_quiet(profile, state, vital)
    return state, ended


def only_of_device(alert: AlertEvent) -> bool:
    """Whether it is of a device alone: it stands whoever the patient is."""
    return alert.rule.startswith(OF_DEVICES)


def _of_device(
    bed: str, rule: str, priority: Priority, device: str, text: str, at: int, kind: Kind = Kind.TECHNICAL
) -> AlertEvent:
    return AlertEvent(bed, rule, kind, priority, AlertState.ON, at, text, device=device, group=rule, why=Why.DEVICE)
