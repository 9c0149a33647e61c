"""The words of alerts: rules, priorities and what an alert says when it changes.

Terms as in IEC 60601-1-8 and ISO/IEEE 11073-10207: physiological conditions are of the patient, technical ones of
the equipment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Priority(StrEnum):
    """How urgent an alert is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


URGENCY = {Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2}
"""For sorting: the most urgent has the greatest number."""


class Kind(StrEnum):
    """Of the patient, or of the equipment."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class AlertState(StrEnum):
    """What became of a condition."""

    ON = "on"
    OFF = "off"


class AlertEvent(NamedTuple):
    """One change of one alert condition."""

    bed: str
    rule: str
    """Which condition, unique on the bed: `spo2_low`, `stale_spo2`, `device_lost_oximeter`."""
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
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of one vital's limits."""

    vital: str
    side: str
    """`low` or `high`."""
    threshold: float
    """The condition holds below it (`low`) or above it (`high`), in the vital's unit."""
    priority: Priority
    delay: float = 0.0
    """Seconds for which it must hold without a break before the alert comes on."""
    hysteresis: float = 0.0
    """The alert goes off only when the value is this far back inside the limit."""

    @property
    def rule(self) -> str:
        """The condition's name."""
        return f"{self.vital}_{self.side}"
