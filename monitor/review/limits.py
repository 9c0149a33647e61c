"""Which limits were in force when, computed from what the session itself says: its profile as it was at the opening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from drivers.clock import NS
from monitor.alerts.conditions import Priority
from monitor.alerts.in_force import Visit, in_force
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.rules import LimitRule, Profile
from monitor.sessions.entries import Kind
from monitor.sessions.session import Session, state_after
from monitor.sessions.steps import Phase


class Limit(NamedTuple):
    """The number that a rule compares a vital with."""

    rule: str
    vital: str
    side: str
    """`low` or `high`."""
    number: float
    """In the vital's unit."""
    priority: Priority
    set_for_session: bool
    """By somebody, for this session alone."""


class LimitSpan(NamedTuple):
    """A limit, and how long it was in force: UTC nanoseconds."""

    limit: Limit
    since: int
    until: int


def limits_in_force(session: Session, baseline: Mapping[str, float], until: int) -> list[LimitSpan]:
    """The limits that people were told of when they were passed, in the profile's order, until the closing or `until`.

    `baseline` has the median of each vital in the baseline phase. Of a session that is older than profiles nothing is
    known, nor of a profile that this version of the program cannot read.
    """
    try:
        profile = ProfileConfig.model_validate(session.rules).compiled() if session.rules else None
    except ValidationError:
        profile = None
    if profile is None:
        return []
    until = until if session.closed_at is None else session.closed_at
    standing: dict[Limit, int] = {}
    made: list[LimitSpan] = []
    for moment in _moments(session, profile, until):
        now = dict.fromkeys(_at(session, profile, baseline, moment))
        made += [LimitSpan(limit, standing.pop(limit), moment) for limit in list(standing) if limit not in now]
        for limit in now:
            standing.setdefault(limit, moment)
    made += [LimitSpan(limit, since, until) for limit, since in standing.items()]
    order = {rule.id: place for place, rule in enumerate(profile.rules)}
    return sorted(made, key=lambda span: (order[span.limit.rule], span.since))


def _phases(session: Session) -> Iterator[tuple[int, Phase]]:
    """When each phase began, and which."""
    before = None
    for shown in session.steps:
        phase = state_after(shown).phase
        if phase is not before:
            yield shown.at, phase
        before = phase


def _moments(session: Session, profile: Profile, until: int) -> list[int]:
    """When anything about limits can have changed."""
    began = [at for at, _ in _phases(session)]
    later = {round(rule.phase_since * NS) for rule in profile.rules}
    limits = [shown.at for shown in session.standing if shown.entry.kind is Kind.LIMIT]
    return sorted({at for at in (*limits, *(one + after for one in began for after in later)) if at < until})


def _at(session: Session, profile: Profile, baseline: Mapping[str, float], moment: int) -> Iterator[Limit]:
    # A clock that was set back can be before the opening.
    past = [it for it in _phases(session) if it[0] <= moment] or [next(_phases(session))]
    began, phase = max(past, key=lambda it: it[0])
    said = {
        shown.content["rule"]: shown.content["limit"]
        for shown in session.standing
        if shown.entry.kind is Kind.LIMIT and shown.at <= moment
    }
    limits = {rule: limit for rule, limit in said.items() if limit is not None}
    # The baseline is known when its phase is over.
    known = {} if phase in {Phase.CHECK_IN, Phase.BASELINE} else baseline
    # In seconds since the phase began: those of 1970 would be rounded.
    visit, now = Visit(session.id, phase.value, 0.0), (moment - began) / NS
    force = in_force(profile.with_limits(limits), visit, known, now)
    for vital, several in force.judged.items():
        for rule, number in several:
            if isinstance(rule, LimitRule) and rule.priority is not Priority.NONE:
                yield Limit(rule.id, vital, rule.side, number, rule.priority, rule.id in limits)
