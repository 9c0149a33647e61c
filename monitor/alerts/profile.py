"""What a profile may say: its rules, the priorities of what devices say, and how alerts are told.

`profile_rules` has the rules, `profile_file` reads files. What is well formed and yet makes no sense, `profile_checks`
finds. A dump (`model_dump(mode="json", exclude_defaults=True)`) has the keys of the YAML, and is validated to the same
again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monitor.alerts.conditions import Priority
from monitor.alerts.profile_rules import AnyRule, PriorityWord
from monitor.alerts.profile_words import Part
from monitor.alerts.rules import Devices, LimitRule, Profile, Signals
from monitor.config_base import Name, Seconds


class DevicesConfig(Part):
    """The priorities of what devices say of themselves."""

    lost: PriorityWord = Priority.MEDIUM
    low_battery: PriorityWord = Priority.LOW
    status: PriorityWord = Priority.NONE
    alarm: PriorityWord = Priority.MEDIUM


class SignalsConfig(Part):
    """How alerts are told; times are seconds."""

    latching: Annotated[tuple[PriorityWord, ...], Field(strict=False)] = (Priority.HIGH,)
    audio_pause: Seconds = 120.0
    longest_pause: Seconds = 300.0
    may_switch_off: bool = False
    reminder: Seconds | None = 180.0
    escalate: dict[PriorityWord, Seconds] = Field(default_factory=dict)


class ProfileConfig(Part):
    """A profile, whole: what it extends is in it."""

    profile: Name
    title: Annotated[str, Field(max_length=120)] = ""
    notice: Annotated[str, Field(max_length=120)] = ""
    """What people are told of it wherever it is named."""
    rules: dict[Name, AnyRule] = Field(default_factory=dict)
    devices: DevicesConfig = DevicesConfig()
    signals: SignalsConfig = SignalsConfig()

    def compiled(self) -> Profile:
        """The same, as the engine takes it."""
        signals = self.signals
        rules = tuple(rule.compiled(name) for name, rule in self.rules.items())
        return Profile(
            name=self.profile,
            rules=rules,
            devices=Devices(self.devices.lost, self.devices.low_battery, self.devices.status, self.devices.alarm),
            signals=Signals(
                latching=frozenset(signals.latching),
                audio_pause=signals.audio_pause,
                longest_pause=signals.longest_pause,
                may_switch_off=signals.may_switch_off,
                reminder=signals.reminder,
                escalate=dict(signals.escalate),
                sides={rule.id: rule.side for rule in rules if isinstance(rule, LimitRule)},
            ),
        )
