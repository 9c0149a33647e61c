"""Where the alerts of all beds stand: what is detected becomes what people are told, and those who tell it are called.

All of it belongs to the event loop and waits for nothing: not for a disk, not for a network, not for a page.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.clock import Clock
from drivers.events import DeviceAlarm, DeviceStatus, Event, LinkState, Reading
from monitor.alerts import engine, signals
from monitor.alerts.bed_state import BedState
from monitor.alerts.conditions import ALARM, AUDIO, URGENCY, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.in_force import Force, Visit, other_session
from monitor.alerts.rules import Profile
from monitor.alerts.signals import IS_OVER, Action, SignalState

STATION = ""
"""In place of a bed: the station itself."""

_log = logging.getLogger(__name__)

Listener = Callable[[str, Sequence[AlertEvent]], None]
"""Called with a bed and what is told of it."""


@dataclass(slots=True)
class _Bed:
    profile: Profile
    state: BedState
    signals: SignalState


class Learned(NamedTuple):
    """What goes along with a session that leaves a bed."""

    baseline: Mapping[str, tuple[float, ...]] = {}
    """By vital: the valid readings of its baseline."""
    measured: Mapping[str, float] = {}
    """By episodic vital: when it was last measured, monotonic seconds."""


class AlertBoard:
    """The alerts of these beds, and of the station itself."""

    def __init__(self, beds: Mapping[str, Profile], station: Profile, clock: Clock) -> None:
        """`beds` has the profile of each bed without a session; the signals of `station` are the station's own."""
        self._clock = clock
        self._without_session = dict(beds)
        self._beds = {STATION: _Bed(station, BedState(), SignalState())}
        self._listeners: list[Listener] = []
        self._left: dict[str, Learned] = {}
        now, at = self._now()
        for bed, profile in beds.items():
            state, _ = engine.on_visit(profile, BedState(), bed, None, now, at)
            self._beds[bed] = _Bed(profile, state, SignalState())

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called, at once, with what is told from now on."""
        self._listeners.append(listener)

    def signals_of(self, bed: str) -> SignalState:
        """What stands on a bed, or with `STATION` of the station itself."""
        return self._beds[bed].signals

    def force_of(self, bed: str) -> Force:
        """What is in force on a bed."""
        return self._beds[bed].state.force

    def profile_of(self, bed: str) -> Profile:
        """The profile that is in force on a bed."""
        return self._beds[bed].profile

    def receive(self, bed: str, device: str, events: Sequence[Event]) -> None:
        """A device gave events."""
        one, now = self._beds[bed], self._clock.monotonic()
        readings = [event for event in events if type(event) is Reading]
        one.state, changes = engine.on_readings(one.profile, one.state, bed, device, readings, now)
        if len(readings) < len(events):
            for event in events:
                if isinstance(event, DeviceStatus | DeviceAlarm):
                    one.state, more = engine.on_device(
                        one.profile, one.state, bed, device, event, now, event.received_at
                    )
                    changes += more
        if changes:
            self.detected(bed, changes)

    def link_changed(self, bed: str, device: str, state: LinkState, detail: str, at: int) -> None:
        """A device's link came up or went down, at UTC nanoseconds `at`."""
        one = self._beds[bed]
        one.state, changes = engine.on_link(
            one.profile, one.state, bed, device, state, detail, self._clock.monotonic(), at
        )
        self.detected(bed, changes)

    def visit_changed(self, bed: str, visit: Visit | None, profile: Profile | None = None) -> None:
        """A session is on a bed, or none, with that profile; without one it is the bed's own."""
        one = self._beds[bed]
        before = one.state.visit
        if before is not None and (visit is None or visit.session != before.session):
            self._left[before.session] = self.learned(bed)
        if visit is not None and visit.session in self._left:
            learned = self._left[visit.session]
            visit = visit._replace(
                baseline=visit.baseline or learned.baseline, measured={**visit.measured, **learned.measured}
            )
        one.profile = profile or self._without_session[bed]
        now, at = self._now()
        one.state, changes = engine.on_visit(one.profile, one.state, bed, visit, now, at)
        # What ends with a session is told as of that one.
        self.detected(bed, changes, visit=before or visit)
        one.signals = signals.scheduled(one.profile.signals, one.signals)
        if other := other_session(before, visit):
            self._for_another_patient(bed, other, before or visit)

    def learned(self, bed: str) -> Learned:
        """What is known of the session there: for the bed that it moves to."""
        state = self._beds[bed].state
        episodic = {vital: state.at[vital] for vital, seen in state.seen.items() if seen.episodic}
        measured = {} if state.visit is None else {**state.visit.measured, **episodic}
        return Learned(state.collected, measured)

    def knows(self, session: str, learned: Learned) -> None:
        """Take up what is known of a session that is on no bed of the station now."""
        self._left[session] = learned

    def detected(self, bed: str, changes: Sequence[AlertEvent], *, visit: Visit | None = None) -> None:
        """Conditions began or ended; those of the session there, or of `visit`."""
        if not changes:
            return
        one = self._beds[bed]
        changes = _of_session(changes, visit or one.state.visit)
        one.signals, told = signals.apply(one.profile.signals, one.signals, changes, self._clock.monotonic())
        # What is only recorded has no signal.
        told += [event for event in changes if event.kind is Kind.OTHER]
        self._tell(bed, told, visit)

    @property
    def beds(self) -> tuple[str, ...]:
        """Their names; not that of the station itself."""
        return tuple(self._without_session)

    def operate(self, bed: str, action: Action) -> list[AlertEvent]:
        """A person acknowledges, pauses or switches. Raises AlertActionRefused; gives what is told of it."""
        one = self._beds[bed]
        now, at = self._now()
        one.signals, told = signals.operate(one.profile.signals, one.signals, bed, action, now, at)
        return self._tell(bed, told)

    def tick(self) -> None:
        """A second has passed."""
        now, at = self._now()
        for bed, one in self._beds.items():
            if now >= one.state.due:
                one.state, changes = engine.on_tick(one.profile, one.state, bed, now, at)
                self.detected(bed, changes)
            if now >= one.signals.due:
                one.signals, told = signals.tick(one.profile.signals, one.signals, bed, now, at)
                self._tell(bed, told)

    def unseen(self) -> bool:
        """Whether an alert of medium or high priority stands on a bed that nobody has acknowledged."""
        return any(
            URGENCY[signal.event.priority] >= URGENCY[Priority.MEDIUM]
            and signal.event.state is not AlertState.ACKNOWLEDGED
            for bed, one in self._beds.items()
            if bed != STATION
            for signal in one.signals.alerts.values()
        )

    def told_last(self) -> list[AlertEvent]:
        """What was told last of each alert that stands; from any thread."""
        # States are replaced, never changed.
        return [
            event
            for name, bed in tuple(self._beds.items())
            for event in _of_session(signals.told_last(name, bed.signals), bed.state.visit)
        ]

    def restore(self, stood: Iterable[tuple[AlertEvent, int]], by_others: frozenset[str]) -> None:
        """Take up what stood when the station ended, after the sessions: it is told only where it is over.

        `stood` has what was told of each alert last, and since when it stands (UTC nanoseconds). `by_others` are the
        rules whose conditions the engine does not detect.
        """
        now, at = self._now()
        # Also where nothing stood: what a replay has turned on there was told to nobody.
        by_bed: dict[str, list[tuple[AlertEvent, int]]] = {name: [] for name in self._beds}
        for one in stood:
            by_bed.setdefault(one[0].bed, []).append(one)
        for name, several in by_bed.items():
            bed = self._beds.get(name)
            if bed is None:
                # Nobody could end it any more.
                self.over([event for event, _ in several], Why.RESTART, "the bed is not there any more")
                continue
            session = "" if bed.state.visit is None else bed.state.visit.session
            # The journal may have had a commit between the end of a session and what ended with it.
            left = [event for event, _ in several if event.rule not in by_others and _of_another(event, session)]
            self.over(left, Why.SESSION, "that session is over, or elsewhere")
            here = [one for one in several if one[0] not in left]
            bed.signals = signals.restored(bed.profile.signals, here, now, at)
            if name != STATION:
                present = [
                    event
                    for event, _ in here
                    if event.state in {AlertState.ON, AlertState.ACKNOWLEDGED}
                    and event.rule not in {AUDIO, ALARM}
                    and event.rule not in by_others
                ]
                bed.state, changes = engine.on_restart(bed.state, present, now, at)
                self.detected(name, changes)

    def over(self, events: Iterable[AlertEvent], why: Why, text: str) -> None:
        """Tell that these are over which no bed has taken up."""
        _, at = self._now()
        for event in events:
            self._tell(event.bed, [_over(event, at, why, text)])

    def replay(self, bed: str, device: str, readings: Sequence[Reading], now: float) -> None:
        """Take up readings of before a restart, at monotonic seconds `now`: what they say is remembered, not told."""
        one = self._beds[bed]
        # The session's baseline is known without them, and what falls or rises had done so before the restart.
        collected, rates = one.state.collected, dict.fromkeys(one.state.rates_since, -math.inf)
        state = one.state._replace(rates_since=rates)
        state, _ = engine.on_readings(one.profile, state, bed, device, readings, now)
        one.state = state._replace(collected=collected)

    def _for_another_patient(self, bed: str, text: str, visit: Visit | None) -> None:
        """A signal that waits for the patient of before, or a pause that was meant for him, is not carried on.

        `text` says why; it ends as of `visit`.
        """
        one = self._beds[bed]
        now, at = self._now()
        left = {rule: signal for rule, signal in one.signals.alerts.items() if signal.present}
        told = [
            _over(signal.event, at, Why.SESSION, text)
            for rule, signal in one.signals.alerts.items()
            if rule not in left
        ]
        one.signals = one.signals._replace(alerts=left)
        for what, activation in ((AUDIO, one.signals.audio), (ALARM, one.signals.alarm)):
            if activation.state is not AlertState.ON:
                on_again = f"{what.capitalize()} on again: {text}"
                one.signals, switched = signals.operate(
                    one.profile.signals, one.signals, bed, signals.SwitchOn("", what), now, at
                )
                told += [event._replace(text=on_again, why=Why.SESSION) for event in switched]
        one.signals = signals.scheduled(one.profile.signals, one.signals)
        self._tell(bed, told, visit)

    def _tell(self, bed: str, events: Sequence[AlertEvent], visit: Visit | None = None) -> list[AlertEvent]:
        """Gives what was told: the events, each with its session."""
        if not events:
            return []
        of = visit
        if of is None and bed in self._beds:
            of = self._beds[bed].state.visit
        told = _of_session(events, of)
        for event in told:
            _log_it(event)
        for listener in self._listeners:
            try:
                listener(bed, told)
            except Exception:  # noqa: BLE001 - whoever cannot hear of it, the others are told
                _log.exception("a listener failed with an alert of %s", bed or "the station")
        return told

    def _now(self) -> tuple[float, int]:
        return self._clock.monotonic(), self._clock.now_ns()


def _of_session(events: Sequence[AlertEvent], visit: Visit | None) -> list[AlertEvent]:
    """The events, those without a session as of that visit's."""
    session = "" if visit is None else visit.session
    return [event if event.session else event._replace(session=session) for event in events]


def _of_another(event: AlertEvent, session: str) -> bool:
    """Whether it was told of another session than that one; in old journals nothing names its session."""
    return event.session not in {"", session} and not engine.only_of_device(event)


def _over(event: AlertEvent, at: int, why: Why, text: str) -> AlertEvent:
    state = AlertState.ON if event.rule in {AUDIO, ALARM} else AlertState.OFF
    was = event.text.removeprefix(IS_OVER)
    return event._replace(state=state, at=at, text=f"over: {text}: {was}", why=why, actor="")


def _log_it(event: AlertEvent) -> None:
    where = event.bed or "station"
    if event.kind is Kind.OTHER:
        _log.info("%s: %s", where, event.text)
    elif event.state is AlertState.ON:
        _log.warning("%s: %s alert: %s", where, event.priority.value, event.text)
    else:
        _log.info("%s: %s alert %s: %s", where, event.priority.value, event.state.value, event.text)
