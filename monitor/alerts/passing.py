"""What begins by the passing of time alone: what is missing, stale, overdue, or held back for a while."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from drivers.vitals import VITALS
from monitor.alerts.bed_state import BedState, Seen, Step
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.judge import applied, off
from monitor.alerts.rules import OverdueRule, ProbeOffRule, Profile, StaleRule, lost_rule

CUFF_HOLDS = 60.0
"""Seconds from the beginning of an inflation for which a missing pulse on the same arm is held back, at most (vendors'
monitors allow 60 s: Philips MP2, MX800)."""
AFTER_CUFF = 10.0
"""Seconds after the cuff is done, within these, until the pulse should be found again."""
TOLD_AGAIN_WITHIN = 30.0
"""Seconds after a restart within which a device tells again what it said of itself before."""
HELD_BACK = "held_back_"
"""What the rule of the record of a condition that is held back begins with."""
_OF_THE_ARM = frozenset({"spo2", "pulse_rate", "perfusion_index"})


def stale_rule(rule: StaleRule, vital: str) -> str:
    """The condition's name."""
    return f"{rule.id}_{vital}"


def pass_time(profile: Profile, state: BedState, bed: str, now: float, at: int) -> Step:
    """The conditions that begin, or end, at a tick; the combined ones apart."""
    changes = [*_probe_off(state, bed, now, at)]
    on = applied(state.on, changes)
    changes += _stale(profile, state._replace(on=on), bed, now, at)
    changes += _overdue(state, bed, now, at)
    untold = [rule for rule, until in state.unproven.items() if now >= until]
    changes += [
        off(state.on[rule], at, Why.RESTART, f"over: not told again: {state.on[rule].text}")
        for rule in untold
        if rule in state.on
    ]
    unproven = {rule: until for rule, until in state.unproven.items() if rule not in untold}
    return state._replace(on=applied(state.on, changes), unproven=unproven), changes


def due(state: BedState, now: float) -> float:
    """The earliest moment at which a tick can change anything, if nothing else comes."""
    moments = [state.force.until, state.trim_at, *state.unproven.values()]
    if state.cuff_until > -inf:
        moments.append(state.cuff_until)
    if any(rule.startswith(HELD_BACK) for rule in state.on):
        # Whether the value is back tells only the next look.
        moments.append(now)
    for rule, vital, _ in _can_be_stale(state):
        missing_at = state.at[vital] + rule.after
        if missing_at > now or stale_rule(rule, vital) not in state.on:
            moments.append(missing_at)
    moments += [
        max(since + rule.after, now)
        for rule in state.force.probe_off
        for device, since in state.sensor_off.items()
        if f"{rule.id}_{device}" not in state.on
    ]
    moments += [
        until for rule in state.force.overdue if rule.id not in state.on and (until := _overdue_at(state, rule)) < inf
    ]
    moments += [
        since + rule.delay
        for rule in state.force.combined
        if rule.id not in state.on and (since := state.true_since.get(rule.id)) is not None
    ]
    return min(moments)


def _can_be_stale(state: BedState) -> Iterator[tuple[StaleRule, str, Seen]]:
    for rule in state.force.stale:
        for vital, seen in state.seen.items():
            if seen.armed and not seen.episodic and lost_rule(seen.device) not in state.on:
                yield rule, vital, seen


def _stale(profile: Profile, state: BedState, bed: str, now: float, at: int) -> Iterator[AlertEvent]:
    for rule, vital, seen in _can_be_stale(state):
        missing = now - state.at[vital] >= rule.after
        if not missing and not profile.same_arm:
            continue
        name = stale_rule(rule, vital)
        held_back = state.on.get(HELD_BACK + name)
        explained = any(f"{other.id}_{seen.device}" in state.on for other in state.force.probe_off)
        hold = profile.same_arm and vital in _OF_THE_ARM and now < state.cuff_until
        if held_back is not None and not (missing and hold):
            yield off(held_back, at, Why.TIME, f"{VITALS[vital].label}: no longer held back")
        if not missing or name in state.on or explained:
            continue
        if hold:
            if held_back is None:
                yield _held_back(bed, name, vital, seen, at)
            continue
        why = f" ({seen.cause.replace('_', ' ').replace(',', ', ')})" if seen.cause else ""
        yield AlertEvent(
            bed,
            name,
            Kind.TECHNICAL,
            rule.priority,
            AlertState.ON,
            at,
            f"{VITALS[vital].label}: no value for {rule.after:g} s{why}",
            vital,
            seen.device,
            group=f"stale_{vital}",
            why=Why.TIME,
        )


def _held_back(bed: str, name: str, vital: str, seen: Seen, at: int) -> AlertEvent:
    text = f"{VITALS[vital].label}: no value, held back while the cuff on the same arm measures"
    return AlertEvent(
        bed,
        HELD_BACK + name,
        Kind.OTHER,
        Priority.NONE,
        AlertState.ON,
        at,
        text,
        vital,
        seen.device,
        group=HELD_BACK + name,
        why=Why.TIME,
    )


def _probe_off(state: BedState, bed: str, now: float, at: int) -> Iterator[AlertEvent]:
    for rule in state.force.probe_off:
        for device, since in state.sensor_off.items():
            if now - since >= rule.after and not {f"{rule.id}_{device}", lost_rule(device)} & state.on.keys():
                yield _sensor(rule, bed, device, at)


def _sensor(rule: ProbeOffRule, bed: str, device: str, at: int) -> AlertEvent:
    return AlertEvent(
        bed,
        f"{rule.id}_{device}",
        Kind.TECHNICAL,
        rule.priority,
        AlertState.ON,
        at,
        f"{device}: sensor off the patient",
        device=device,
        group=f"probe_off_{device}",
        why=Why.TIME,
    )


def _overdue(state: BedState, bed: str, now: float, at: int) -> Iterator[AlertEvent]:
    for rule in state.force.overdue:
        if rule.id not in state.on and now >= _overdue_at(state, rule):
            seen = state.seen.get(rule.vital)
            minutes = (_overdue_at(state, rule) - _overdue_since(state, rule)) / 60
            yield AlertEvent(
                bed,
                rule.id,
                Kind.TECHNICAL,
                rule.priority,
                AlertState.ON,
                at,
                f"{VITALS[rule.vital].label}: no reading for {minutes:.0f} min",
                rule.vital,
                "" if seen is None else seen.device,
                group=rule.id,
                why=Why.TIME,
            )


def _overdue_since(state: BedState, rule: OverdueRule) -> float:
    visit = state.visit
    assert visit is not None  # noqa: S101 - `_overdue_at` has looked
    return max(visit.began, state.at.get(rule.vital, visit.began))


def _overdue_at(state: BedState, rule: OverdueRule) -> float:
    if state.visit is None or state.visit.cuff_every is None:
        return inf
    return _overdue_since(state, rule) + state.visit.cuff_every + rule.grace
