"""Judging a reading against the limits and rates in force, and what several rules say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.events import Reading, Validity
from drivers.vitals import VITALS
from monitor.alerts.bed_state import BedState, Held, Past, Step
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Why
from monitor.alerts.in_force import InForce
from monitor.alerts.rules import CombinedRule, LimitRule, RateRule, group_of

_NOTHING = Held()


def judge(state: BedState, bed: str, device: str, reading: Reading, now: float) -> Step:
    """What a reading that counts changes of the limits and rates of its vital; `on` is left to the caller."""
    changes: list[AlertEvent] = []
    held, past = dict(state.held), state.recent.get(reading.vital)
    if reading.vital in state.recent:
        assert reading.value is not None  # noqa: S101 - the engine gives no other
        past = Past(now, reading.value, reading.validity is Validity.VALID, past)
    for one in state.force.judged[reading.vital]:
        if reading.validity is Validity.QUESTIONABLE and not one.rule.questionable:
            continue
        standing = state.on.get(one.rule.id)
        if isinstance(one.rule, LimitRule):
            change = _limit(one.rule, one.number, held, standing, reading, now)
        else:
            change = _rate(one.rule, past, state.rates_since[one.rule.id], standing, reading, now)
        if change is AlertState.ON:
            changes.append(_on(one, bed, device, reading))
        elif change is AlertState.OFF and standing is not None:
            changes.append(off(standing, reading.observed_at, Why.READING, _back(one, reading), reading.value))
    recent = {**state.recent, reading.vital: past} if reading.vital in state.recent else state.recent
    return state._replace(held=held, recent=recent), changes


def _limit(
    rule: LimitRule, limit: float, held: dict[str, Held], standing: AlertEvent | None, reading: Reading, now: float
) -> AlertState | None:
    value = reading.value
    assert value is not None  # noqa: S101 - the engine gives no other
    before = held.pop(rule.id, _NOTHING)
    outside = rule.outside(value, limit)
    window = (*before.window, outside)[-rule.of :] if rule.of > 1 else ()
    holds = outside and (rule.of == 1 or sum(window) >= rule.readings)
    since = None
    if holds and standing is None:
        anew = before.since is None or (rule.gap is not None and now - before.last > rule.gap)
        since = now if anew else before.since
    change = None
    if standing is not None:
        change = AlertState.OFF if rule.clears(value, limit) else None
    elif since is not None and now - since >= rule.delay:
        since, change = None, AlertState.ON
    if since is not None or any(window):
        held[rule.id] = Held(window, since, now)
    return change


def _rate(
    rule: RateRule,
    past: Past | None,
    since: float,
    standing: AlertEvent | None,
    reading: Reading,
    now: float,
) -> AlertState | None:
    value = reading.value
    assert value is not None  # noqa: S101 - the engine gives no other
    values = looked_back_on(rule, past, max(since, now - rule.within))
    if not values:
        # It was taken before the rule applied: what a station goes through again at its start.
        return None
    change = max(values) - value if rule.side == "low" else value - min(values)
    if standing is None:
        return AlertState.ON if change >= rule.change else None
    return AlertState.OFF if change < rule.change - rule.hysteresis else None


def looked_back_on(rule: RateRule, past: Past | None, since: float) -> list[float]:
    """The values since then that count for a rate."""
    values = []
    while past is not None and past.at >= since:
        if past.valid or rule.questionable:
            values.append(past.value)
        past = past.before
    return values


def combine(state: BedState, bed: str, now: float, at: int, why: Why, *, waited: bool = False) -> Step:
    """What the combined rules say after a step. `waited`: the step was a tick, at which delays end."""
    if not state.force.combined:
        return state, []
    changes, true_since = [], dict(state.true_since)
    for rule in state.force.combined:
        members = [state.on[member] for member in rule.members if member in state.on]
        standing = state.on.get(rule.id)
        if len(members) < (len(rule.members) if rule.every else 1):
            true_since.pop(rule.id, None)
            if standing is not None:
                changes.append(off(standing, at, why, f"over: {standing.text}"))
            continue
        since = true_since.setdefault(rule.id, now)
        if standing is None and (rule.delay == 0 or (waited and now - since >= rule.delay)):
            changes.append(_together(rule, bed, members, at, why))
    return state._replace(on=applied(state.on, changes), true_since=true_since), changes


def off(alert: AlertEvent, at: int, why: Why, text: str, value: float | None = None) -> AlertEvent:
    """The end of a condition."""
    return alert._replace(state=AlertState.OFF, at=at, text=text, value=value, why=why)


def applied(on: Mapping[str, AlertEvent], changes: Sequence[AlertEvent]) -> Mapping[str, AlertEvent]:
    """The conditions that are on after these changes."""
    if not changes:
        return on
    standing = dict(on)
    for change in changes:
        if change.state is AlertState.ON:
            standing[change.rule] = change
        else:
            standing.pop(change.rule, None)
    return standing


def _on(one: InForce, bed: str, device: str, reading: Reading) -> AlertEvent:
    rule, number = one
    label, unit = VITALS[rule.vital].label, VITALS[rule.vital].unit_label
    if isinstance(rule, LimitRule):
        text = f"{label} {reading.value:.4g} {'<' if rule.side == 'low' else '>'} {number:.4g}"
    else:
        way = "fell" if rule.side == "low" else "rose"
        text = f"{label} {reading.value:.4g}: {way} by {number:.4g} {unit} or more within {rule.within:g} s"
    return AlertEvent(
        bed,
        rule.id,
        Kind.PHYSIOLOGICAL,
        rule.priority,
        AlertState.ON,
        reading.observed_at,
        text,
        rule.vital,
        device,
        reading.value,
        number,
        group_of(rule),
        Why.READING,
    )


def _back(one: InForce, reading: Reading) -> str:
    label = VITALS[one.rule.vital].label
    if isinstance(one.rule, LimitRule):
        return f"{label} {reading.value:.4g}: back inside {one.number:.4g}"
    return f"{label} {reading.value:.4g}: no longer {'falling' if one.rule.side == 'low' else 'rising'} so fast"


def _together(rule: CombinedRule, bed: str, members: Sequence[AlertEvent], at: int, why: Why) -> AlertEvent:
    text = (" and " if rule.every else " or ").join(member.text for member in members)
    return AlertEvent(bed, rule.id, Kind.PHYSIOLOGICAL, rule.priority, AlertState.ON, at, text, group=rule.id, why=why)
