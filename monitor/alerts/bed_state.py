"""What the engine remembers of one bed: replaced, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from monitor.alerts.conditions import AlertEvent
from monitor.alerts.in_force import Force, Visit


class Seen(NamedTuple):
    """A vital that has had a value."""

    device: str
    episodic: bool
    """It was measured once, and says nothing of when the next is due."""
    armed: bool
    """It was validly measured in this session: from then on it alerts."""
    cause: str = ""
    """Of the invalid readings that came since; empty where none came."""


class Held(NamedTuple):
    """How far a limit's condition has held."""

    window: tuple[bool, ...] = ()
    """Of the last readings that counted, whether they were outside; empty where one reading is enough."""
    since: float | None = None
    """Monotonic seconds since when it holds without a break, while its delay runs."""
    last: float = -inf
    """When the last reading that counted came."""


class Past(NamedTuple):
    """A reading of which the rate is watched, and those before it: a chain, since adding to it costs nothing."""

    at: float
    value: float
    valid: bool
    before: Past | None


class BedState(NamedTuple):
    """All moments are monotonic seconds."""

    at: Mapping[str, float] = {}
    """Vital -> when it last had a value. This and the next stand first for the sake of `with_moments`."""
    recent: Mapping[str, Past | None] = {}
    """Vital whose rate is watched -> the readings that are looked back on."""
    visit: Visit | None = None
    force: Force = Force()
    seen: Mapping[str, Seen] = {}
    held: Mapping[str, Held] = {}
    """Limit rule -> how far it has held, where there is anything to remember."""
    rates_since: Mapping[str, float] = {}
    """Rate rule -> since when it applies: it looks no further back."""
    trim_at: float = inf
    """When the oldest of `recent` are let go."""
    collected: Mapping[str, tuple[float, ...]] = {}
    """Vital -> the valid readings of the session's baseline."""
    baseline: Mapping[str, float] = {}
    """Vital -> their median, once the baseline is over."""
    on: Mapping[str, AlertEvent] = {}
    """Rule -> the event that turned it on."""
    true_since: Mapping[str, float] = {}
    """Combined rule -> since when it is true."""
    sensor_off: Mapping[str, float] = {}
    """Device -> since when it says that its sensor is off."""
    cuff_until: float = -inf
    """Until when the cuff's inflation explains a missing pulse on the same arm."""
    unproven: Mapping[str, float] = {}
    """Rule of a device's own status or alarm that stood before a restart -> when it is over unless told again."""
    quiet: Mapping[str, tuple[float, float]] = {}
    """Vital -> a valid value in this band changes nothing but that it was measured."""
    due: float = -inf
    """Before that moment a tick changes nothing."""


Step = tuple[BedState, list[AlertEvent]]


def with_moments(state: BedState, at: Mapping[str, float], recent: Mapping[str, Past | None]) -> BedState:
    """The state with other moments and other readings to look back on.

    It is what `_replace` gives, in a third of the time, after nearly every reading.
    """
    return tuple.__new__(BedState, (at, recent, *state[2:]))
