"""One bed under the engine, fed by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.clock import NS
from drivers.events import Cause, DeviceAlarm, DeviceStatus, LinkState, Reading, measured, missing
from monitor.alerts.bed_state import BedState
from monitor.alerts.conditions import AlertEvent, Priority
from monitor.alerts.engine import on_device, on_link, on_readings, on_tick, on_visit
from monitor.alerts.in_force import Visit
from monitor.alerts.rules import (
    LimitRule,
    Profile,
    StaleRule,
    Threshold,
)


def limit(vital: str, side: str, number: float, **more: object) -> LimitRule:
    fields = {"id": f"{vital}_{side}", "vital": vital, "side": side, "threshold": Threshold(number), **more}
    return LimitRule(**fields)  # type: ignore[arg-type]  # a test says by name what it means


STALE = StaleRule("stale", Priority.LOW, after=10)
PROFILE = Profile(
    "test",
    (
        limit("spo2", "low", 90, priority=Priority.HIGH, delay=5, hysteresis=2),
        limit("heart_rate", "low", 50),
        limit("heart_rate", "high", 120, hysteresis=3),
        limit("nibp_sys", "high", 165),
        STALE,
    ),
)


@dataclass
class Run:
    """One bed under the engine, fed by hand; times in seconds."""

    profile: Profile = PROFILE
    state: BedState = field(default_factory=BedState)
    changes: list[AlertEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.visit(0, None)

    def visit(self, t: float, visit: Visit | None) -> list[AlertEvent]:
        self.state, changes = on_visit(self.profile, self.state, "bed", visit, t, int(t * NS))
        self.changes += changes
        return changes

    def phase(self, t: float, phase: str, session: str = "s1", cuff_every: float | None = None) -> list[AlertEvent]:
        return self.visit(t, Visit(session, phase, t, cuff_every))

    def device(self, t: float, event: DeviceStatus | DeviceAlarm) -> list[AlertEvent]:
        self.state, changes = on_device(self.profile, self.state, "bed", "dev", event, t, int(t * NS))
        self.changes += changes
        return changes

    def read(self, t: float, vital: str, value: float | None, *causes: Cause, age: float = 0) -> list[AlertEvent]:
        received = int(t * NS)
        observed = int((t - age) * NS)
        if value is None:
            return self.reading(t, missing(vital, observed, received, *causes))
        return self.reading(t, measured(vital, value, observed, received, causes))

    def reading(self, t: float, reading: Reading) -> list[AlertEvent]:
        self.state, changes = on_readings(self.profile, self.state, "bed", "dev", [reading], t)
        self.changes += changes
        return changes

    def link(self, t: float, state: LinkState) -> list[AlertEvent]:
        self.state, changes = on_link(self.profile, self.state, "bed", "dev", state, "", t, int(t * NS))
        self.changes += changes
        return changes

    def tick(self, t: float) -> list[AlertEvent]:
        self.state, changes = on_tick(self.profile, self.state, "bed", t, int(t * NS))
        self.changes += changes
        return changes

    @property
    def story(self) -> list[tuple[str, str]]:
        return [(change.rule, change.state.value) for change in self.changes]
