"""What the nurse station shows now: the latest of everything, and how far it may still be believed.

Only the present is held, never a queue, so a slow page costs nothing. How old a value is comes from the monotonic
clock, from the moment of receipt on; a value that is too old to be shown is not given to the page at all.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drivers.clock import NS, Clock, iso
from drivers.device import LATE_AFTER
from drivers.events import Cause, DeviceAlarm, DeviceStatus, Event, LinkState, Reading, Validity, is_provisional
from drivers.vitals import VITALS, Vital
from monitor.alerts.actions import activation, line
from monitor.alerts.signals import Signal, SignalState, audible, shown
from monitor.pulse import Pulse
from monitor.sessions.session import Session
from monitor.sessions.steps import State
from monitor.trends import Trends
from monitor.waves import Waves

STALE_AFTER, OLD_AFTER = 5.0, 10.0
"""Seconds without a reading after which a continuous vital dims, and after which it is no longer shown."""
CUFF_STALE_AFTER, CUFF_OLD_AFTER = LATE_AFTER / 2, LATE_AFTER
"""The same for a cuff pressure: one and a half, and three, of the usual five-minute intervals."""
ONE_MEASUREMENT = 60.0
"""Seconds within which systolic, diastolic and mean belong to the same measurement."""

REASONS: dict[str, str] = {
    Cause.SENSOR_OFF: "sensor off",
    Cause.SEARCHING: "searching for pulse",
    Cause.ARTIFACT: "motion",
    Cause.LOW_PERFUSION: "low perfusion",
    Cause.NO_DATA: "no value",
    Cause.MEASUREMENT_FAILED: "measurement failed",
    Cause.PROVISIONAL: "provisional, still measuring",
    Cause.AGE_UNKNOWN: "age unknown",
    Cause.CHECKSUM: "unproven checksum",
    Cause.IMPLAUSIBLE: "implausible",
}
"""Causes as people say them."""

_AT_WORK = {"cuff_busy"}
"""Codes of statuses that say what a device does, and nothing that is wrong with it."""
_LINK_DOWN = {LinkState.SILENT, LinkState.UNDECODABLE, LinkState.LOST, LinkState.REFUSED, LinkState.ENDED}

Listener = Callable[[str, str, Sequence[Event]], None]
"""Called with the bed, the device and the events that it gave."""


class DeviceView(NamedTuple):
    """A device as the page needs to know it."""

    id: str
    title: str
    vitals: tuple[str, ...]
    """Keys of the vitals that it can give."""


@dataclass(frozen=True, slots=True)
class BedView:
    """A bed as the page needs to know it."""

    id: str
    label: str
    devices: tuple[DeviceView, ...]


class Newest(NamedTuple):
    """How old the newest reading of a bed is; seconds."""

    age: float
    """Since it was measured."""
    lag: float
    """From its measurement to its receipt."""


class _Held(NamedTuple):
    reading: Reading
    device: _Device
    moment: float
    """When it was measured, on the monotonic clock."""


@dataclass(slots=True)
class _Device:
    view: DeviceView
    state: LinkState
    detail: str
    since: int
    """UTC nanoseconds, for people."""
    moment: float
    """The same on the monotonic clock, for counting."""
    received: float | None = None
    """When it last gave anything, on the monotonic clock."""
    notices: dict[tuple[type, str], str] = field(default_factory=dict)
    """What the device says of itself and of its own alarms now, as text for people."""

    def tell(self, event: DeviceStatus | DeviceAlarm) -> None:
        """Take what the device says of itself: it stands until the device takes it back."""
        key = (type(event), event.code)
        if event.active:
            self.notices[key] = event.text
        else:
            self.notices.pop(key, None)

    def said(self, *, at_work: bool) -> list[str]:
        """What it says that it does, or else what it says is wrong."""
        return [text for (_, code), text in self.notices.items() if (code in _AT_WORK) is at_work]


Limits = Mapping[str, tuple[float, float]]
"""By vital: the innermost limits in force, below and above; infinite where there is none."""


@dataclass(slots=True)
class _Bed:
    view: BedView
    devices: dict[str, _Device]
    latest: dict[str, _Held] = field(default_factory=dict)
    """By vital: a bed has each vital from one device, the configuration sees to that."""
    alerts: SignalState = field(default_factory=SignalState)
    limits: Limits = field(default_factory=dict)
    session: Session | None = None
    cuff_every: float | None = None
    """Minutes, as the session's phase asks for."""


class LiveHub:
    """The present state of every bed. All methods belong to the event loop's thread."""

    def __init__(self, beds: Sequence[BedView], clock: Clock, station: str = "Infusion monitor") -> None:
        self._clock = clock
        self._station = station
        now, moment = clock.now_ns(), clock.monotonic()
        self._beds = {
            bed.id: _Bed(bed, {view.id: _Device(view, LinkState.CONNECTING, "", now, moment) for view in bed.devices})
            for bed in beds
        }
        self._of_station = SignalState()
        self._listeners: list[Listener] = []
        self._notice = ""
        self._pulse = Pulse()
        self._boot = secrets.token_hex(4)
        self.trends = Trends()
        self.waves = Waves()
        self.readings = 0
        """How many have come since the start."""

    def receive(self, bed: str, device: str, events: Sequence[Event]) -> None:
        """Take what a device of a bed gave."""
        moment = self._clock.monotonic()
        giver = self._beds[bed].devices[device]
        giver.received = moment
        latest = self._beds[bed].latest
        for event in events:
            if isinstance(event, DeviceStatus | DeviceAlarm):
                giver.tell(event)
            elif type(event) is Reading:
                self.readings += 1
                # A message that was held back on its way is as old as what it tells, not as young as its coming.
                measured = moment - event.age
                held = latest.get(event.vital)
                if held is None or measured >= held.moment:
                    latest[event.vital] = _Held(event, giver, measured)
        self.trends.receive(bed, events, self._clock.now_ns())
        self.waves.receive(bed, device, events, moment)
        for listener in self._listeners:
            listener(bed, device, events)
        self._pulse.changed()

    def recall(self, bed: str, device: str, reading: Reading, measured: float) -> None:
        """Take up what was measured before the station's start, at monotonic seconds `measured`."""
        one = self._beds[bed]
        one.latest[reading.vital] = _Held(reading, one.devices[device], measured)

    def link_changed(self, bed: str, device: str, state: LinkState, detail: str, at: int) -> None:
        """Take a new state of a device's link; `at` is UTC nanoseconds."""
        held = self._beds[bed].devices[device]
        if state is not held.state:
            held.since, held.moment = at, self._clock.monotonic()
        held.state, held.detail = state, detail
        self._pulse.changed()

    def alerts_changed(self, bed: str, state: SignalState) -> None:
        """Show what stands on a bed, or of the station itself where `bed` is empty, in place of what stood before."""
        if bed:
            self._beds[bed].alerts = state
        else:
            self._of_station = state
        self._pulse.changed()

    def limits_changed(self, bed: str, limits: Limits) -> None:
        """Show these limits of a bed."""
        self._beds[bed].limits = limits
        self._pulse.changed()

    def session_changed(self, bed: str, session: Session | None, cuff_every: float | None = None) -> None:
        """Show this session on a bed, or none; `cuff_every` is its phase's interval of cuff readings, minutes."""
        self._beds[bed].session = session
        self._beds[bed].cuff_every = cuff_every
        self._pulse.changed()

    def station_notice(self, text: str) -> None:
        """Show what is wrong with the station itself, above all beds; empty when nothing is."""
        if text != self._notice:
            self._notice = text
            self._pulse.changed()

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called, at once, after each `receive`."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Stop that; a listener that is not there is no fault."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    @property
    def beds(self) -> int:
        """How many there are."""
        return len(self._beds)

    @property
    def newest(self) -> dict[str, Newest]:
        """By bed the reading that was measured last; beds that have had none are not in it."""
        moment = self._clock.monotonic()
        last = {
            name: max(bed.latest.values(), key=lambda it: it.moment) for name, bed in self._beds.items() if bed.latest
        }
        return {name: Newest(moment - held.moment, held.reading.age) for name, held in last.items()}

    @property
    def links(self) -> Counter[LinkState]:
        """How many devices are in each state, with those states in which none is."""
        links = Counter(dict.fromkeys(LinkState, 0))
        links.update(device.state for bed in self._beds.values() for device in bed.devices.values())
        return links

    @property
    def notice(self) -> str:
        """What is wrong with the station itself; empty when nothing is."""
        return self._notice

    @property
    def boot(self) -> str:
        """A word that is another one at each start of the station."""
        return self._boot

    @property
    def viewers(self) -> int:
        """How many pages are given the present now."""
        return self._pulse.streams

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._pulse.closed

    def close(self) -> None:
        """End every stream at once, and every later one at its start."""
        self._pulse.close()

    def changes(self) -> AsyncGenerator[int, None]:
        """When to send a snapshot: now, then at changes (four a second at most), at least once a second.

        Streams that are given the same number may share one snapshot. Ends when the hub is closed.
        """
        return self._pulse.beats()

    def snapshot(self) -> dict[str, Any]:
        """Everything that the page shows, ready for JSON; times are RFC 3339 text, ages and durations seconds."""
        now, moment = self._clock.now_ns(), self._clock.monotonic()
        return {
            "station": self._station,
            "boot": self._boot,
            "notice": self._notice,
            "now": iso(now),
            "moment": moment,
            "station_alerts": [_alert(signal) for signal in shown(self._of_station)],
            "audible_station": audible(self._of_station, moment),
            "beds": [
                {
                    "id": bed.view.id,
                    "label": bed.view.label,
                    "vitals": _vitals(bed, moment),
                    "devices": [
                        {
                            "id": device.view.id,
                            "title": device.view.title,
                            "state": device.state.value,
                            "detail": device.detail,
                            "notices": device.said(at_work=False),
                            "work": device.said(at_work=True),
                            "since": iso(device.since),
                            "for_s": round(moment - device.moment, 1),
                            "quiet_s": None if device.received is None else round(moment - device.received, 1),
                        }
                        for device in bed.devices.values()
                    ],
                    "session": _session(bed.session, now),
                    "cuff": _cuff(bed, now, moment),
                    "limits": {vital: _limits(low, high) for vital, (low, high) in bed.limits.items()},
                    "alerts": [_alert(signal) for signal in shown(bed.alerts)],
                    "audio": activation(bed.alerts.audio, moment),
                    "alarm": activation(bed.alerts.alarm, moment),
                    "audible": audible(bed.alerts, moment),
                }
                for bed in self._beds.values()
            ],
        }


def _alert(signal: Signal) -> dict[str, Any]:
    return {**line(signal), "present": signal.present, "actor": signal.event.actor}


def _session(session: Session | None, now: int) -> dict[str, Any] | None:
    if session is None:
        return None
    started = session.started_at is not None
    return {
        "session": session.id,
        "reference": session.reference,
        "phase": session.phase.value,
        "state": session.state.value,
        "planned_minutes": session.planned_minutes,
        "elapsed_s": round(session.elapsed(now), 1) if started else None,
        "running": session.state is State.RUNNING,
        "overrun_s": round(session.overrun(now), 1) if started else 0.0,
        "entries": len(session.entries),
    }


def _cuff(bed: _Bed, now: int, moment: float) -> dict[str, Any] | None:
    """How long until the next cuff reading is due; from the phase's beginning, where there is none since."""
    if bed.session is None or bed.cuff_every is None:
        return None
    since, in_session = (
        (now - bed.session.by_present_clock(shown)) / NS for shown in (bed.session.phase_began, bed.session.steps[0])
    )
    cuffs = [held for held in bed.latest.values() if held.reading.episodic and held.reading.value is not None]
    ages = [age for held in cuffs if (age := moment - held.moment) <= in_session]
    since = min(ages, default=since)
    return {"every_min": bed.cuff_every, "due_s": round(bed.cuff_every * 60 - since, 1)}


def _limits(low: float, high: float) -> dict[str, float | None]:
    return {"low": low if math.isfinite(low) else None, "high": high if math.isfinite(high) else None}


def _vitals(bed: _Bed, moment: float) -> dict[str, dict[str, Any]]:
    expected = {key for device in bed.devices.values() for key in device.view.vitals} | set(bed.latest)
    return {key: _shown(vital, bed, moment) for key, vital in VITALS.items() if key in expected}


def _shown(vital: Vital, bed: _Bed, moment: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "label": vital.label,
        "unit": vital.unit_label,
        "colour": vital.colour,
        "episodic": vital.episodic,
        "decimals": vital.decimals,
        "state": "missing",
        "value": None,
        "validity": None,
        "cause": "",
        "reason": "",
        "observed_at": None,
        "age_s": None,
        "device": None,
    }
    held = bed.latest.get(vital.key)
    if held is None:
        return shown
    reading = held.reading
    state = "old" if _of_an_earlier_measurement(vital, bed, held) else _state(held, moment)
    return shown | {
        "state": state,
        "value": reading.value if state in {"fresh", "stale"} else None,
        "episodic": reading.episodic,
        "validity": reading.validity.name.lower(),
        "cause": reading.cause,
        "reason": ", ".join(REASONS.get(it, it.replace("_", " ")) for it in reading.cause.split(",") if it),
        "observed_at": iso(reading.observed_at),
        "age_s": round(moment - held.moment, 1),
        "device": held.device.view.id,
    }


def _state(held: _Held, moment: float) -> str:
    age = moment - held.moment
    stale_after, old_after = STALE_AFTER, OLD_AFTER
    if held.reading.episodic:
        stale_after, old_after = CUFF_STALE_AFTER, CUFF_OLD_AFTER
    if age >= old_after:
        return "old"
    if held.reading.validity is Validity.INVALID:
        return "invalid"
    return "stale" if age >= stale_after or held.device.state in _LINK_DOWN else "fresh"


def _of_an_earlier_measurement(vital: Vital, bed: _Bed, held: _Held) -> bool:
    """Whether a newer cuff measurement has begun to come, so that this part must not be read together with it."""
    if not vital.episodic:
        return False
    parts = [it for key, it in bed.latest.items() if VITALS[key].episodic]
    newest = max(parts, key=lambda it: it.moment)
    apart = 0.0 if is_provisional(newest.reading.cause) else ONE_MEASUREMENT
    return newest.moment - held.moment > apart
