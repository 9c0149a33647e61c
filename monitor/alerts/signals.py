"""What people are told of conditions: on, latched, acknowledged, off; audio and alarm paused or off; reminders.

Detectors say when a condition begins and ends. These pure functions keep what stands on one bed and return the next
state with what is to be told and recorded. States are replaced, never changed; nothing is read, written or waited for.
`now` is monotonic seconds; `at` is the UTC time, in nanoseconds, that a change is recorded with.

After IEC 60601-1-8 and ISO/IEEE 11073-10207:
- a physiological condition of a latching priority stays until somebody acknowledges it; a technical one never does;
- acknowledging silences what is present, until it ends; what comes on later sounds, but for a limit that has to be
  passed before one that is acknowledged: who has seen "SpO2 82 < 85" is not called again by "SpO2 82 < 90";
- nothing is silenced that came on after somebody looked, where it is known when that was;
- a pause ends by itself, and at once when a condition of the patient of at least medium priority comes on;
- off is off until somebody switches it on, and reminds of itself;
- every change of the state is told, and nothing is told without a change but a reminder: so that the last event of
  each rule is all that a restart needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from drivers.clock import NS
from drivers.errors import AlertActionRefused
from monitor.alerts.conditions import ALARM, AUDIO, URGENCY, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.rules import Signals

_NAMES = {AUDIO: "Audio", ALARM: "Alarm"}
_NEXT = {Priority.LOW: Priority.MEDIUM, Priority.MEDIUM: Priority.HIGH}
_SHOWN_FIRST = {AlertState.ON: 0, AlertState.LATCHED: 1, AlertState.ACKNOWLEDGED: 2}
IS_OVER = "is over: "
"""What the text of a latched alert begins with."""
_UNANSWERED = ": not acknowledged for "


class Signal(NamedTuple):
    """One condition that stands, or whose latch does."""

    event: AlertEvent
    """As it was last told: on, latched or acknowledged, with the priority that it was raised to."""
    present: bool
    begun: int
    """Since when the condition or its latch stands, UTC nanoseconds."""
    told: float
    """When it last changed or was reminded of, monotonic."""


class Activation(NamedTuple):
    """Whether the audio, or the alarm signals as a whole, of a bed are given."""

    state: AlertState = AlertState.ON
    """On, paused or off."""
    until: float = math.inf
    """When a pause ends, monotonic; never, if it is none."""
    told: float = -math.inf
    """When it last changed or was reminded of, monotonic."""
    actor: str = ""
    """Who paused it or switched it off."""
    begun: int = 0
    """Since when it is paused or off, UTC nanoseconds."""


class SignalState(NamedTuple):
    """All that stands on one bed."""

    alerts: Mapping[str, Signal] = MappingProxyType({})
    """By rule."""
    audio: Activation = Activation()
    alarm: Activation = Activation()
    due: float = math.inf
    """Before this moment, monotonic, `tick` has nothing to do."""


class Acknowledge(NamedTuple):
    """Somebody has seen the conditions of these rules and groups, or all on the bed where none is named."""

    by: str
    rules: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Lines for people, each of one or more rules."""
    seen: float = math.inf
    """When they looked, monotonic: what came on, or was raised, since then is left."""


class Pause(NamedTuple):
    """No audio, or no alarm signals at all, for so many seconds, or for the profile's where it is None."""

    by: str
    what: str
    """AUDIO or ALARM."""
    seconds: float | None = None
    seen: float = math.inf
    """When they looked, monotonic: what would have ended the pause since then is not silenced by it."""


class SwitchOff(NamedTuple):
    """No audio, or no alarm signals at all, until somebody switches it on."""

    by: str
    what: str


class SwitchOn(NamedTuple):
    """Ends a pause, or switches on what was off."""

    by: str
    what: str


Action = Acknowledge | Pause | SwitchOff | SwitchOn
"""What people can do to the signals of a bed."""

Step = tuple[SignalState, list[AlertEvent]]


def apply(rules: Signals, state: SignalState, changes: Sequence[AlertEvent], now: float) -> Step:
    """What is told of conditions that begin (ON) and end (OFF)."""
    told: list[AlertEvent] = []
    for change in changes:
        if change.state is AlertState.ON:
            state, events = _begins(rules, state, change, now)
        else:
            state, events = _ends(rules, state, change, now)
        told += events
    return (scheduled(rules, state), told) if told else (state, told)


def tick(rules: Signals, state: SignalState, bed: str, now: float, at: int) -> Step:
    """What the mere passing of time changes: the end of pauses, escalation, reminders."""
    if now < state.due:
        return state, []
    told: list[AlertEvent] = []
    for what, activation in _activations(state):
        if activation.until <= now:
            text = f"{_NAMES[what]} on again: the pause is over"
            told.append(_activated(bed, what, AlertState.ON, at, text, Why.TIME))
            state = _with_activation(state, what, Activation(told=now))
        elif _reminds_of(rules, activation) <= now:
            minutes = max(0, at - activation.begun) / NS / 60
            text = f"{_NAMES[what]} is off, for {minutes:.0f} min now, by {activation.actor}"
            told.append(_activated(bed, what, AlertState.OFF, at, text, Why.REMINDER, activation.actor))
            state = _with_activation(state, what, activation._replace(told=now))
    alerts = dict(state.alerts)
    for rule, signal in state.alerts.items():
        if _escalates(rules, state, signal) <= now:
            event = _escalated(rules, signal.event, at)
        elif _reminds(rules, signal) <= now:
            event = signal.event._replace(at=at, why=Why.REMINDER)
        else:
            continue
        told.append(event)
        alerts[rule] = signal._replace(event=event, told=now)
    return scheduled(rules, state._replace(alerts=alerts)), told


def operate(rules: Signals, state: SignalState, bed: str, action: Action, now: float, at: int) -> Step:
    """What a person changes.

    Raises:
        AlertActionRefused: the profile does not allow it, or there is nothing that it could be done to
    """
    if isinstance(action, Acknowledge):
        state, told = _acknowledge(state, action, now, at)
    else:
        if action.what not in _NAMES:
            raise AlertActionRefused(f"{action.what}: neither {AUDIO} nor {ALARM}")
        if isinstance(action, Pause):
            state, told = _pause(rules, state, bed, action, now, at)
        else:
            state, told = _switch(rules, state, bed, action, now, at)
    return (scheduled(rules, state), told) if told else (state, told)


def restored(rules: Signals, standing: Sequence[tuple[AlertEvent, int]], now: float, at: int) -> SignalState:
    """The state after a restart, from the last event of each rule of one bed and since when that rule stands.

    A pause that has run out meanwhile is still one, so that the first tick tells its end.
    """
    state = SignalState()
    alerts: dict[str, Signal] = {}
    for event, since in standing:
        # The wall clock may have been set back since; nothing was told in the future.
        told = now - max(0.0, (at - event.at) / NS)
        if event.rule in _NAMES:
            if event.state is AlertState.PAUSED:
                activation = Activation(event.state, told + (event.value or 0.0), told, event.actor, event.at)
            elif event.state is AlertState.OFF:
                activation = Activation(event.state, math.inf, told, event.actor, since)
            else:
                continue
            state = _with_activation(state, event.rule, activation)
        elif event.state is not AlertState.OFF and event.priority is not Priority.NONE:
            alerts[event.rule] = Signal(event, event.state is not AlertState.LATCHED, since, told)
    return scheduled(rules, state._replace(alerts=alerts))


def scheduled(rules: Signals, state: SignalState) -> SignalState:
    """The same with `due` as these rules have it; to be asked for when a bed gets another profile."""
    due = min(state.audio.until, state.alarm.until, _reminds_of(rules, state.audio), _reminds_of(rules, state.alarm))
    for signal in state.alerts.values():
        due = min(due, _escalates(rules, state, signal), _reminds(rules, signal))
    return state._replace(due=due)


def told_last(bed: str, state: SignalState) -> list[AlertEvent]:
    """What was told last of all that stands: of the alerts, and of audio and alarm where they are paused or off."""
    events = [signal.event for signal in state.alerts.values()]
    for what, it in _activations(state):
        if it.state is not AlertState.ON:
            text = f"{_NAMES[what]} {it.state} by {it.actor}"
            event = _activated(bed, what, it.state, it.begun, text, Why.OPERATOR, it.actor)
            events.append(event._replace(value=it.until - it.told) if it.state is AlertState.PAUSED else event)
    return events


def shown(state: SignalState) -> list[Signal]:
    """One of each group, the most urgent first; two, where what is over is more urgent than what is present.

    Of one priority physiological comes before technical, then what is on, latched, acknowledged, then the newest.
    """
    lines: list[Signal] = []
    seen: set[str] = set()
    present: set[str] = set()
    for signal in sorted(state.alerts.values(), key=_rank):
        group = group_of(signal)
        if group not in seen or (signal.present and group not in present):
            lines.append(signal)
        seen.add(group)
        if signal.present:
            present.add(group)
    return lines


def group_of(signal: Signal) -> str:
    """The line for people that it belongs to."""
    return signal.event.group or signal.event.rule


def audible(state: SignalState, now: float) -> Priority | None:
    """The priority that is to be heard: the highest of what nobody has acknowledged. None is silence."""
    if any(
        activation.state is AlertState.OFF or (activation.state is AlertState.PAUSED and now < activation.until)
        for _, activation in _activations(state)
    ):
        return None
    heard = (
        signal.event.priority for signal in state.alerts.values() if signal.event.state is not AlertState.ACKNOWLEDGED
    )
    return max(heard, key=URGENCY.__getitem__, default=None)


def _begins(rules: Signals, state: SignalState, change: AlertEvent, now: float) -> Step:
    if change.priority is Priority.NONE:
        return state, []
    event, begun = change, change.at
    signal = state.alerts.get(change.rule)
    if signal is None and (seen := _beyond(rules, state, change)) is not None:
        event = change._replace(state=AlertState.ACKNOWLEDGED, actor=seen.actor)
        return state._replace(alerts={**state.alerts, change.rule: Signal(event, True, begun, now)}), [event]
    if signal is not None:
        # What is told of a rule is told in order: a reading may be older than the last reminder.
        change = change._replace(at=max(change.at, signal.event.at))
        event = change
        if URGENCY[change.priority] <= URGENCY[signal.event.priority]:
            if signal.present:
                return state, []
            # Nobody has answered what it was raised to: it does not become less urgent by coming again.
            event = change._replace(priority=signal.event.priority)
        begun = signal.begun
    state = state._replace(alerts={**state.alerts, change.rule: Signal(event, True, begun, now)})
    told = [event]
    if _calls(event):
        for what, activation in _activations(state):
            if activation.state is AlertState.PAUSED:
                # The reading may have been taken before the pause that it ends.
                at = max(event.at, activation.begun)
                text = f"{_NAMES[what]} on again: {event.text}"
                told.append(_activated(event.bed, what, AlertState.ON, at, text, event.why))
                state = _with_activation(state, what, Activation(told=now))
    return state, told


def _beyond(rules: Signals, state: SignalState, change: AlertEvent) -> AlertEvent | None:
    """An acknowledged alert, at least as urgent, of a limit that is passed only after that of `change`."""
    side = rules.sides.get(change.rule)
    for signal in state.alerts.values():
        event = signal.event
        if (
            signal.present
            and event.state is AlertState.ACKNOWLEDGED
            and side is not None
            and rules.sides.get(event.rule) == side
            and event.vital == change.vital
            and event.limit is not None
            and change.limit is not None
            and (event.limit <= change.limit if side == "low" else event.limit >= change.limit)
            and URGENCY[event.priority] >= URGENCY[change.priority]
        ):
            return event
    return None


def _ends(rules: Signals, state: SignalState, change: AlertEvent, now: float) -> Step:
    signal = state.alerts.get(change.rule)
    if signal is None or not signal.present:
        return state, []
    was = signal.event
    event = change._replace(priority=was.priority, at=max(change.at, was.at))
    alerts = dict(state.alerts)
    if was.kind is Kind.PHYSIOLOGICAL and was.state is AlertState.ON and was.priority in rules.latching:
        event = event._replace(state=AlertState.LATCHED, text=f"{IS_OVER}{_condition(was)}")
        alerts[change.rule] = Signal(event, False, signal.begun, now)
    else:
        del alerts[change.rule]
    return state._replace(alerts=alerts), [event]


def _acknowledge(state: SignalState, action: Acknowledge, now: float, at: int) -> Step:
    by_group: dict[str, list[str]] = {}
    for rule, signal in state.alerts.items():
        by_group.setdefault(group_of(signal), []).append(rule)
    unknown = [name for name in action.rules if name not in state.alerts]
    unknown += [name for name in action.groups if name not in by_group]
    if unknown:
        raise AlertActionRefused(f"{', '.join(unknown)}: no such alert stands")
    of_groups = [rule for group in action.groups for rule in by_group[group]]
    named = dict.fromkeys([*action.rules, *of_groups] or state.alerts)
    if not named:
        raise AlertActionRefused("no alert stands: nothing to acknowledge")
    later = [rule for rule in named if _since(state.alerts[rule], action.seen)]
    if later and len(later) == len(named):
        raise AlertActionRefused(f"{state.alerts[later[0]].event.text}: that is new, look again")
    alerts, told = dict(state.alerts), []
    for rule in named:
        if rule in later:
            continue
        signal = alerts[rule]
        event = signal.event._replace(at=at, text=_condition(signal.event), why=Why.OPERATOR, actor=action.by)
        if not signal.present:
            event = event._replace(state=AlertState.OFF)
            del alerts[rule]
        elif signal.event.state is AlertState.ON:
            event = event._replace(state=AlertState.ACKNOWLEDGED)
            alerts[rule] = signal._replace(event=event, told=now)
        else:
            continue
        told.append(event)
    return state._replace(alerts=alerts), told


def _pause(rules: Signals, state: SignalState, bed: str, action: Pause, now: float, at: int) -> Step:
    seconds = min(rules.audio_pause, rules.longest_pause) if action.seconds is None else action.seconds
    if not 0 < seconds <= rules.longest_pause:
        raise AlertActionRefused(f"a pause of {seconds:g} s: more than 0 s and at most {rules.longest_pause:g} s")
    for signal in state.alerts.values():
        if _since(signal, action.seen) and signal.event.state is AlertState.ON and _calls(signal.event):
            raise AlertActionRefused(f"{signal.event.text}: that is new, look again")
    text = f"{_NAMES[action.what]} paused for {seconds:g} s by {action.by}"
    event = _activated(bed, action.what, AlertState.PAUSED, at, text, Why.OPERATOR, action.by)
    paused = Activation(AlertState.PAUSED, now + seconds, now, action.by, at)
    return _with_activation(state, action.what, paused), [event._replace(value=seconds)]


def _switch(rules: Signals, state: SignalState, bed: str, action: SwitchOff | SwitchOn, now: float, at: int) -> Step:
    wanted = AlertState.OFF if isinstance(action, SwitchOff) else AlertState.ON
    if wanted is AlertState.OFF and not rules.may_switch_off:
        raise AlertActionRefused(f"{action.what}: the profile does not let it be switched off; it can be paused")
    if dict(_activations(state))[action.what].state is wanted:
        return state, []
    text = f"{_NAMES[action.what]} switched {wanted} by {action.by}"
    event = _activated(bed, action.what, wanted, at, text, Why.OPERATOR, action.by)
    switched = Activation(told=now)
    if wanted is AlertState.OFF:
        switched = Activation(wanted, math.inf, now, action.by, at)
    return _with_activation(state, action.what, switched), [event]


def _since(signal: Signal, seen: float) -> bool:
    """Whether it came on, was raised or went into its latch after that moment, and waits for an answer."""
    return signal.told > seen and signal.event.state is not AlertState.ACKNOWLEDGED


def _calls(event: AlertEvent) -> bool:
    """Whether it ends a pause."""
    return event.kind is Kind.PHYSIOLOGICAL and URGENCY[event.priority] >= URGENCY[Priority.MEDIUM]


def _activations(state: SignalState) -> tuple[tuple[str, Activation], ...]:
    return (AUDIO, state.audio), (ALARM, state.alarm)


def _with_activation(state: SignalState, what: str, activation: Activation) -> SignalState:
    return state._replace(audio=activation) if what == AUDIO else state._replace(alarm=activation)


def _activated(bed: str, what: str, state: AlertState, at: int, text: str, why: str, actor: str = "") -> AlertEvent:
    return AlertEvent(bed, what, Kind.OTHER, Priority.NONE, state, at, text, why=why, actor=actor)


def _escalates(rules: Signals, state: SignalState, signal: Signal) -> float:
    """When it gets the next priority if nobody acknowledges it; never, while people do not get its signals."""
    event = signal.event
    seconds = rules.escalate.get(event.priority)
    if (
        seconds is None
        or event.priority not in _NEXT
        or event.kind is not Kind.PHYSIOLOGICAL
        or event.state is not AlertState.ON
        or state.audio.state is not AlertState.ON
        or state.alarm.state is not AlertState.ON
    ):
        return math.inf
    # Of what is on, `told` is the end of the last pause.
    return max(signal.told, state.audio.told, state.alarm.told) + seconds


def _escalated(rules: Signals, event: AlertEvent, at: int) -> AlertEvent:
    text = f"{_condition(event)}{_UNANSWERED}{rules.escalate[event.priority]:g} s"
    return event._replace(priority=_NEXT[event.priority], at=at, text=text, why=Why.ESCALATED)


def _reminds(rules: Signals, signal: Signal) -> float:
    if rules.reminder is None or signal.event.state is not AlertState.ACKNOWLEDGED:
        return math.inf
    return signal.told + rules.reminder


def _reminds_of(rules: Signals, activation: Activation) -> float:
    if rules.reminder is None or activation.state is not AlertState.OFF:
        return math.inf
    return activation.told + rules.reminder


def _condition(event: AlertEvent) -> str:
    """Its text without what an escalation has added."""
    return event.text.partition(_UNANSWERED)[0]


def _rank(signal: Signal) -> tuple[int, bool, int, int, str]:
    event = signal.event
    return (
        -URGENCY[event.priority],
        event.kind is not Kind.PHYSIOLOGICAL,
        _SHOWN_FIRST[event.state],
        -signal.begun,
        event.rule,
    )
