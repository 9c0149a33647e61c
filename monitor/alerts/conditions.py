"""The words of alerts: priorities, states and what is told when an alert changes.

Terms as in IEC 60601-1-8 and ISO/IEEE 11073-10207: physiological conditions are of the patient, technical ones of
the equipment. What detects a condition (`engine`, the desk of the sessions, the station's watch of itself) tells when
it begins and ends, ON and OFF; `signals` makes of that what people are told.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Priority(StrEnum):
    """How urgent an alert is."""

    NONE = "none"
    """Nobody is told: a part of a combination, or something that is only recorded."""
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


URGENCY = {Priority.NONE: -1, Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2}
"""For sorting: the most urgent has the greatest number."""


class Kind(StrEnum):
    """Of the patient, of the equipment, or something that is no condition: what people did to the signals."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"
    OTHER = "other"


class AlertState(StrEnum):
    """What became of a condition, and of its signals (AlertSignalPresence On, Latch, Ack, Off; activation Psd)."""

    ON = "on"
    LATCHED = "latched"
    """The condition has ended, its signal has not: somebody has to see that it was."""
    ACKNOWLEDGED = "acknowledged"
    """The condition is present, and somebody has seen it: it is silent until it ends."""
    OFF = "off"
    PAUSED = "paused"
    """Of the signals of a bed (`AUDIO`, `ALARM`): for a time."""


class Why(StrEnum):
    """What made an alert change."""

    READING = "reading"
    TIME = "time"
    DEVICE = "device"
    """Its link, its status or its own alarm."""
    SESSION = "session"
    """It was opened, moved or closed, another phase began, or its limits were changed."""
    STATION = "station"
    """Something about the station itself."""
    OPERATOR = "operator"
    """`actor` did it."""
    ESCALATED = "escalated"
    """Nobody had acknowledged it in time."""
    REMINDER = "reminder"
    """Nothing changed: it is told again that it is so."""
    RESTART = "restart"
    """The station had ended, and the condition is none any more."""


AUDIO, ALARM = "audio", "alarm"
"""In place of a rule: whether the signals of a bed sound, and whether they are given at all; `on`, `paused`, `off`."""


class AlertEvent(NamedTuple):
    """One change of one alert."""

    bed: str
    """Empty for the station itself."""
    rule: str
    """Which condition, unique on the bed: `spo2_low`, `stale_spo2`, `device_lost_oximeter`; or AUDIO or ALARM."""
    kind: Kind
    priority: Priority
    state: AlertState
    at: int
    """UTC nanoseconds of the reading or the tick that caused the change."""
    text: str
    """For people: `SpO₂ 86 < 90`."""
    vital: str = ""
    device: str = ""
    value: float | None = None
    """What was measured; of a pause its seconds."""
    limit: float | None = None
    """The limit in force."""
    group: str = ""
    """Alerts of one group are one line for people, the most urgent of them; the rule alone where it is empty."""
    why: str = ""
    """A word of `Why`; empty in journals that were written before it was known."""
    actor: str = ""
    """Who did it, where a person did."""
    session: str = ""
    """The session on the bed; empty where there is none."""
