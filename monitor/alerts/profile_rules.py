"""The rules of a profile, in the words of its YAML; `compiled` makes of each what the engine takes.

A rule is a mapping, or a sentence: `SpO2 < 90 for 10 s, clears at 92, high`. What it is about is told by one key:
`below` or `above`, `falls` or `rises`, `all` or `any`, `overdue`, `stale_after`, `probe_off_after`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from monitor.alerts import rules
from monitor.alerts.conditions import Priority
from monitor.alerts.profile_words import (
    DECIDING,
    EXAMPLE,
    Part,
    deciding,
    readings_named,
    relative,
    sentence,
    threshold,
    vital_named,
    wrong,
)
from monitor.config_base import Name, Seconds


def _form_of_threshold(value: Any) -> str:
    if isinstance(value, str):
        return "<relative>"
    return "<phases>" if isinstance(value, Mapping) else "<number>"


PriorityWord = Annotated[Priority, Field(strict=False)]
"""Not strict, here and below: a stored profile is read from what JSON has."""
Phase = Literal["check_in", "baseline", "infusion", "recovery"]
VitalName = Annotated[str, AfterValidator(vital_named)]
Tolerance = Annotated[float, Field(ge=0)]
Delay = Annotated[float, Field(ge=0, le=300)]
One = Annotated[
    Annotated[float, Tag("<number>")] | Annotated[str, AfterValidator(relative), Tag("<relative>")],
    Discriminator(
        lambda value: "<relative>" if isinstance(value, str) else "<number>",
    ),
]
"""A limit: a number, or by how much from the baseline."""
ThresholdConfig = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[str, AfterValidator(relative), Tag("<relative>")]
    | Annotated[dict[Phase, One], Field(min_length=1), Tag("<phases>")],
    Discriminator(_form_of_threshold),
]
"""One limit for all phases, or one for each of those in which the rule applies."""


class RuleConfig(Part, ABC):
    """What every rule may say."""

    priority: PriorityWord = Priority.MEDIUM
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, strict=False)] | None = None
    """Where it applies; always, also without a session, where it is left out."""
    phase_since: Annotated[float, Field(ge=0, le=1440)] = 0.0
    """Minutes since the phase began, from which it applies."""

    @abstractmethod
    def compiled(self, name: str) -> rules.Rule:
        """The same, as the engine takes it."""

    def _common(self, name: str) -> dict[str, Any]:
        phases = None if self.phases is None else frozenset(self.phases)
        return {"id": name, "priority": self.priority, "phases": phases, "phase_since": self.phase_since * 60}


class LimitConfig(RuleConfig):
    """One vital below or above a limit."""

    vital: VitalName
    below: ThresholdConfig | None = None
    above: ThresholdConfig | None = None
    delay: Annotated[Delay, Field(alias="for")] = 0.0
    clears_at: float | None = None
    hysteresis: Tolerance = 0.0
    readings: Annotated[str, BeforeValidator(readings_named)] = "1 of 1"
    gap: Annotated[float, Field(gt=0, le=86_400)] | None = None
    questionable: bool = True
    bounds: Annotated[tuple[float, float], Field(strict=False)] | None = None

    @property
    def side(self) -> str:
        """`low` or `high`."""
        return "low" if self.below is not None else "high"

    @property
    def key(self) -> str:
        """The key that the limit stands at."""
        return "below" if self.below is not None else "above"

    @property
    def limit(self) -> float | str | dict[Phase, float | str]:
        """What stands there."""
        return self.below if self.below is not None else self.above if self.above is not None else {}

    def compiled(self, name: str) -> rules.LimitRule:
        """The same, as the engine takes it."""
        limit = self.limit
        common = self._common(name)
        by_phase = {}
        if isinstance(limit, dict):
            by_phase = {str(phase): threshold(one) for phase, one in limit.items()}
            if common["phases"] is None:
                # Said, so that a number that a nurse sets for the session does not apply everywhere.
                common["phases"] = frozenset(by_phase)
        hysteresis = self.hysteresis
        if self.clears_at is not None and isinstance(limit, float):
            hysteresis = self.clears_at - limit if self.side == "low" else limit - self.clears_at
        readings, of = self.readings.split(" of ")
        return rules.LimitRule(
            **common,
            vital=self.vital,
            side=self.side,
            threshold=rules.Threshold() if isinstance(limit, dict) else threshold(limit),
            by_phase=by_phase,
            delay=self.delay,
            hysteresis=hysteresis,
            readings=int(readings),
            of=int(of),
            gap=self.gap,
            questionable=self.questionable,
            bounds=self.bounds,
        )


class RateConfig(RuleConfig):
    """One vital falls or rises too fast."""

    vital: VitalName
    falls: Annotated[float, Field(gt=0)] | None = None
    rises: Annotated[float, Field(gt=0)] | None = None
    within: Seconds
    hysteresis: Tolerance = 0.0
    questionable: bool = True

    @property
    def key(self) -> str:
        """The key that the change stands at."""
        return "falls" if self.falls is not None else "rises"

    @property
    def change(self) -> float:
        """By how much, in the vital's unit."""
        return self.falls or self.rises or 0.0

    def compiled(self, name: str) -> rules.RateRule:
        """The same, as the engine takes it."""
        return rules.RateRule(
            **self._common(name),
            vital=self.vital,
            side="low" if self.falls is not None else "high",
            change=self.change,
            within=self.within,
            hysteresis=self.hysteresis,
            questionable=self.questionable,
        )


_Members = Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]


class CombinationConfig(RuleConfig):
    """Other rules that hold at the same time."""

    all_of: Annotated[_Members | None, Field(alias="all")] = None
    any_of: Annotated[_Members | None, Field(alias="any")] = None
    delay: Annotated[Delay, Field(alias="for")] = 0.0

    @property
    def key(self) -> str:
        """The key that the members stand at."""
        return "all" if self.all_of is not None else "any"

    @property
    def members(self) -> tuple[str, ...]:
        """Names of rules."""
        return self.all_of or self.any_of or ()

    def compiled(self, name: str) -> rules.CombinedRule:
        """The same, as the engine takes it."""
        every = self.all_of is not None
        return rules.CombinedRule(**self._common(name), members=self.members, every=every, delay=self.delay)


class OverdueConfig(RuleConfig):
    """No reading of a vital for the phase's interval of cuff readings and a grace."""

    overdue: VitalName
    grace: Annotated[float, Field(ge=0, le=3600)] = 120.0

    def compiled(self, name: str) -> rules.OverdueRule:
        """The same, as the engine takes it."""
        return rules.OverdueRule(**self._common(name), vital=self.overdue, grace=self.grace)


class StaleConfig(RuleConfig):
    """A continuous vital without a value."""

    stale_after: Seconds

    def compiled(self, name: str) -> rules.StaleRule:
        """The same, as the engine takes it."""
        return rules.StaleRule(**self._common(name), after=self.stale_after)


class ProbeOffConfig(RuleConfig):
    """A sensor that is off the patient."""

    probe_off_after: Annotated[float, Field(ge=0, le=3600)]

    def compiled(self, name: str) -> rules.ProbeOffRule:
        """The same, as the engine takes it."""
        return rules.ProbeOffRule(**self._common(name), after=self.probe_off_after)


_KINDS: Mapping[type, str] = {
    LimitConfig: "<limit>",
    RateConfig: "<rate>",
    CombinationConfig: "<combination>",
    OverdueConfig: "<overdue>",
    StaleConfig: "<stale>",
    ProbeOffConfig: "<probe_off>",
}


def _rule(value: Any) -> Any:
    """The keys of a rule, one of which tells what it is about."""
    if isinstance(value, RuleConfig):
        return value
    if isinstance(value, str):
        return sentence(value)
    if not isinstance(value, Mapping):
        raise wrong(f"expected a sentence like `{EXAMPLE}`, or the keys of a rule")
    found = deciding(value)
    if not found:
        raise wrong(f"does not say what it is about: give one of {', '.join(DECIDING)}")
    if len(found) > 1:
        raise wrong(f"has {' and '.join(found)}: a rule has one of them")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return DECIDING[deciding(value)[0]]
    return _KINDS[type(value)]


AnyRule = Annotated[
    Annotated[LimitConfig, Tag("<limit>")]
    | Annotated[RateConfig, Tag("<rate>")]
    | Annotated[CombinationConfig, Tag("<combination>")]
    | Annotated[OverdueConfig, Tag("<overdue>")]
    | Annotated[StaleConfig, Tag("<stale>")]
    | Annotated[ProbeOffConfig, Tag("<probe_off>")],
    Discriminator(_kind),
    BeforeValidator(_rule),
]
