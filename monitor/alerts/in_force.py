"""Which rules are in force on a bed now, with their limits as numbers.

Computed anew when a phase begins or a limit is set, so that judging a reading looks nothing up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from statistics import median
from typing import NamedTuple

from monitor.alerts.conditions import Priority
from monitor.alerts.rules import (
    CombinedRule,
    LimitRule,
    OverdueRule,
    ProbeOffRule,
    Profile,
    RateRule,
    StaleRule,
    applies,
)


class Visit(NamedTuple):
    """The session on a bed, as far as conditions depend on it."""

    session: str
    phase: str
    """One of `rules.PHASES`."""
    began: float
    """When the phase began, monotonic seconds."""
    cuff_every: float | None = None
    """The phase's interval of cuff readings, seconds; None where none are asked for."""
    baseline: Mapping[str, tuple[float, ...]] = {}
    """By vital: valid readings of the session's baseline that were taken before the bed saw it: after a restart or a
    move."""
    measured: Mapping[str, float] = {}
    """By episodic vital: when it was last measured in the session before the bed saw it, monotonic seconds."""


def other_session(before: Visit | None, after: Visit | None) -> str:
    """For people, why what concerned the patient is over; empty where it is the same session, or none as before."""
    if (before and before.session) == (after and after.session):
        return ""
    if after is None:
        return "the session is over, or elsewhere"
    return "a session begins here" if before is None else "another session"


def medians(collected: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The baseline of a session: by vital the median of its valid readings."""
    return {vital: float(median(values)) for vital, values in collected.items() if values}


class InForce(NamedTuple):
    """A rule about a vital's value, and its number in force: the limit, or the change."""

    rule: LimitRule | RateRule
    number: float


class Force(NamedTuple):
    """Everything that is in force."""

    judged: Mapping[str, tuple[InForce, ...]] = {}
    """By vital, in the profile's order."""
    bands: Mapping[str, tuple[float, float]] = {}
    """By vital: from the one to the other value nothing is outside a limit."""
    rates: Mapping[str, tuple[RateRule, ...]] = {}
    """By vital: those of `judged` that look back."""
    combined: tuple[CombinedRule, ...] = ()
    overdue: tuple[OverdueRule, ...] = ()
    stale: tuple[StaleRule, ...] = ()
    probe_off: tuple[ProbeOffRule, ...] = ()
    ids: frozenset[str] = frozenset()
    """Of all of these."""
    until: float = inf
    """Monotonic seconds at which a rule begins to apply by the phase's length alone."""


EVERY_VALUE = (-inf, inf)


def in_force(profile: Profile, visit: Visit | None, baseline: Mapping[str, float], now: float) -> Force:
    """What is in force in that session's phase."""
    phase = None if visit is None else visit.phase
    in_phase_for = 0.0 if visit is None else now - visit.began
    here = [rule for rule in profile.rules if applies(rule, phase, in_phase_for)]
    later = [
        visit.began + rule.phase_since
        for rule in profile.rules
        if visit is not None and rule.phase_since > in_phase_for and applies(rule, phase, rule.phase_since)
    ]
    judged: dict[str, tuple[InForce, ...]] = {}
    for rule in here:
        if isinstance(rule, LimitRule):
            number = rule.limit(phase, baseline.get(rule.vital))
            if number is not None:
                judged[rule.vital] = (*judged.get(rule.vital, ()), InForce(rule, number))
        elif isinstance(rule, RateRule):
            judged[rule.vital] = (*judged.get(rule.vital, ()), InForce(rule, rule.change))
    of_limits = {one.rule.id for several in judged.values() for one in several}
    others = [rule for rule in here if not isinstance(rule, LimitRule | RateRule)]
    return Force(
        judged,
        {vital: _band(several) for vital, several in judged.items()},
        {vital: rates for vital, several in judged.items() if (rates := _rates(several))},
        tuple(rule for rule in others if isinstance(rule, CombinedRule)),
        tuple(rule for rule in others if isinstance(rule, OverdueRule)),
        tuple(rule for rule in others if isinstance(rule, StaleRule)),
        tuple(rule for rule in others if isinstance(rule, ProbeOffRule)),
        frozenset(of_limits | {rule.id for rule in others}),
        min(later, default=inf),
    )


def innermost(force: Force) -> dict[str, tuple[float, float]]:
    """By vital, the limits that are passed first of those that people are told of; infinite where there is none."""
    told = {
        vital: tuple(one for one in several if one.rule.priority is not Priority.NONE)
        for vital, several in force.judged.items()
    }
    return {vital: _band(several) for vital, several in told.items() if several}


def _band(several: tuple[InForce, ...]) -> tuple[float, float]:
    limits = [(rule.side, number) for rule, number in several if isinstance(rule, LimitRule)]
    lowest = max((number for side, number in limits if side == "low"), default=-inf)
    highest = min((number for side, number in limits if side == "high"), default=inf)
    return lowest, highest


def _rates(several: tuple[InForce, ...]) -> tuple[RateRule, ...]:
    return tuple(rule for rule, _ in several if isinstance(rule, RateRule))
