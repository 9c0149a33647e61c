"""The rules of a profile as the engine takes them: what is judged, against what, in which phase and how urgently.

`profile` makes them of a site's YAML. Times are seconds, values are in the vital's unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from monitor.alerts.conditions import Priority

DEVICE_LOST, LOW_BATTERY, DEVICE_STATUS, DEVICE_ALARM = (
    "device_lost_",
    "low_battery_",
    "device_status_",
    "device_alarm_",
)
"""What the names of the conditions of a device begin with: no rule of a profile is called so."""
OF_DEVICES = (DEVICE_LOST, LOW_BATTERY, DEVICE_STATUS, DEVICE_ALARM)
PHASES = ("check_in", "baseline", "infusion", "recovery")
"""The phases of a session in which conditions are judged; in `closed` there is none, as without a session."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit: a number, or so much above or below the session's own baseline."""

    value: float = 0.0
    percent: float | None = None
    """Of the baseline, to be added to it; below it where negative."""
    by: float | None = None
    """In the vital's unit, to be added to the baseline."""

    @property
    def relative(self) -> bool:
        """Whether it needs a baseline."""
        return self.percent is not None or self.by is not None

    def at(self, baseline: float | None) -> float | None:
        """The number; None where there is no baseline to add to."""
        if not self.relative:
            return self.value
        if baseline is None:
            return None
        return baseline * (1 + self.percent / 100) if self.percent is not None else baseline + (self.by or 0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """What every rule has."""

    id: str
    priority: Priority = Priority.MEDIUM
    phases: frozenset[str] | None = None
    """Where it applies; None is always, also without a session."""
    phase_since: float = 0.0
    """It applies only from so many seconds after the phase began."""


@dataclass(frozen=True, slots=True)
class LimitRule(Rule):
    """One vital below or above a limit."""

    vital: str = ""
    side: str = "low"
    """`low` holds below the limit, `high` above it; the limit itself is inside."""
    threshold: Threshold = Threshold()
    by_phase: Mapping[str, Threshold] = field(default_factory=dict)
    """In place of `threshold`: one for each phase, and the rule applies in these phases alone."""
    delay: float = 0.0
    """For so long it must hold, over every reading that counts, before it comes on."""
    hysteresis: float = 0.0
    """It goes off only when a value is this far back inside the limit."""
    readings: int = 1
    of: int = 1
    """It comes on when so many `readings` of the last `of`, the newest among them, are outside. 2 of 2: it is confirmed
    by the next reading."""
    gap: float | None = None
    """After so long without a reading that counts its delay begins anew; never where it is None."""
    questionable: bool = True
    """Whether a questionable reading counts."""
    bounds: tuple[float, float] | None = None
    """Between these a nurse may set the limit for one session; nobody may where it is None."""

    def limit(self, phase: str | None, baseline: float | None) -> float | None:
        """The number that is in force in that phase; None where the rule does not apply."""
        if self.by_phase:
            found = self.by_phase.get(phase or "")
            return None if found is None else found.at(baseline)
        return self.threshold.at(baseline)

    def outside(self, value: float, limit: float) -> bool:
        """Whether the condition holds."""
        return value < limit if self.side == "low" else value > limit

    def clears(self, value: float, limit: float) -> bool:
        """Whether an alert that is on goes off."""
        return value >= limit + self.hysteresis if self.side == "low" else value <= limit - self.hysteresis


@dataclass(frozen=True, slots=True)
class RateRule(Rule):
    """One vital falls or rises too fast: against the highest (lowest) value of the last `within` seconds."""

    vital: str = ""
    side: str = "low"
    """`low`: it falls; `high`: it rises."""
    change: float = 0.0
    """By so much or more."""
    within: float = 60.0
    hysteresis: float = 0.0
    """It goes off when the change is less than `change` minus this."""
    questionable: bool = True


@dataclass(frozen=True, slots=True)
class CombinedRule(Rule):
    """Other rules that hold at the same time: all of them, or any."""

    members: tuple[str, ...] = ()
    """Names of limit and rate rules."""
    every: bool = True
    """All of them; else any."""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class OverdueRule(Rule):
    """No reading of a vital for the phase's interval of cuff readings and `grace` seconds more."""

    vital: str = ""
    grace: float = 120.0


@dataclass(frozen=True, slots=True)
class StaleRule(Rule):
    """A continuous vital that was measured has had no value for `after` seconds. One condition a vital."""

    after: float = 10.0


@dataclass(frozen=True, slots=True)
class ProbeOffRule(Rule):
    """A device has said for `after` seconds that its sensor is off the patient. One condition a device."""

    after: float = 5.0


@dataclass(frozen=True, slots=True)
class Signals:
    """How conditions are told."""

    latching: frozenset[Priority] = frozenset({Priority.HIGH})
    """Of the physiological ones: those whose signal stays until somebody acknowledges it. Technical never latches."""
    audio_pause: float = 120.0
    """Seconds, where nobody says how long."""
    longest_pause: float = 300.0
    """The most that anybody can ask for."""
    may_switch_off: bool = False
    """Whether audio or alarm may be switched off without an end."""
    reminder: float | None = 180.0
    """Seconds between two reminders of what is acknowledged or off; none where it is None."""
    escalate: Mapping[Priority, float] = field(default_factory=dict)
    """Seconds after which a physiological alert of that priority that nobody has acknowledged gets the next one."""
    sides: Mapping[str, str] = field(default_factory=dict)
    """By limit rule, `low` or `high`: who has acknowledged a limit has acknowledged those that are passed before it."""


@dataclass(frozen=True, slots=True)
class Devices:
    """The priorities of what devices say of themselves."""

    lost: Priority = Priority.MEDIUM
    low_battery: Priority = Priority.LOW
    status: Priority = Priority.NONE
    """Anything else that a device says of itself."""
    alarm: Priority = Priority.MEDIUM
    """The device's own alarm."""


@dataclass(frozen=True)
class Profile:
    """The rules in force on a bed."""

    name: str = "none"
    rules: tuple[Rule, ...] = ()
    devices: Devices = Devices()
    signals: Signals = Signals()
    same_arm: bool = False
    """Whether the cuff and the oximeter are on one arm: its inflation then takes the oximeter's pulse away."""

    def limits(self) -> Iterator[LimitRule]:
        """Those that compare a vital with a limit."""
        return (rule for rule in self.rules if isinstance(rule, LimitRule))

    @cached_property
    def relative(self) -> frozenset[str]:
        """The vitals of which a limit is relative to the session's own baseline."""
        return frozenset(
            rule.vital
            for rule in self.limits()
            if any(limit.relative for limit in (rule.threshold, *rule.by_phase.values()))
        )

    def with_limits(self, limits: Mapping[str, float]) -> Profile:
        """The same with the limits that were set for one session, by rule."""
        return replace(
            self,
            rules=tuple(
                replace(rule, threshold=Threshold(limits[rule.id]), by_phase={})
                if isinstance(rule, LimitRule) and rule.id in limits
                else rule
                for rule in self.rules
            ),
        )


def lost_rule(device: str) -> str:
    """The condition that the link to a device is down."""
    return f"{DEVICE_LOST}{device}"


def applies(rule: Rule, phase: str | None, in_phase_for: float) -> bool:
    """Whether a rule applies in a phase (None: no session) that began `in_phase_for` seconds ago."""
    if isinstance(rule, LimitRule) and rule.by_phase and phase not in rule.by_phase:
        return False
    if rule.phases is not None and phase not in rule.phases:
        return False
    return rule.phase_since <= 0 or (phase is not None and in_phase_for >= rule.phase_since)


def group_of(rule: Rule) -> str:
    """Of limits and rates: one line for each side of a vital."""
    return f"{rule.vital}_{rule.side}" if isinstance(rule, LimitRule | RateRule) else rule.id
