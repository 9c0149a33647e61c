"""Which readings need no judging: nearly all of them, and that is what makes the engine fast.

A vital is quiet while nothing of it is open: no alert, no delay, nothing missing. A valid value in its band then
changes nothing but that it was measured.
"""

from __future__ import annotations

from math import inf

from monitor.alerts.bed_state import BedState, Past
from monitor.alerts.conditions import AlertEvent
from monitor.alerts.in_force import EVERY_VALUE
from monitor.alerts.judge import looked_back_on
from monitor.alerts.passing import stale_rule
from monitor.alerts.rules import Profile

CUFF = "nibp_sys"
"""Its reading tells that a cuff is done."""


def with_quiet(profile: Profile, state: BedState, vital: str) -> BedState:
    """Whether a valid value of a vital may be passed over, and between which values."""
    seen = state.seen.get(vital)
    judged = state.force.judged.get(vital, ())
    open_ = (
        seen is None
        or not seen.armed
        or seen.cause
        or any(one.rule.id in state.on or one.rule.id in state.held for one in judged)
        or (state.visit is not None and state.visit.phase == "baseline" and vital in profile.relative)
        or missing(state, vital)
        or (vital == CUFF and state.cuff_until > -inf)
    )
    if open_ and vital not in state.quiet:
        return state
    quiet = {key: band for key, band in state.quiet.items() if key != vital}
    if not open_:
        quiet[vital] = _band(state, vital)
    return state._replace(quiet=quiet)


def _band(state: BedState, vital: str) -> tuple[float, float]:
    """Between these values a reading is outside no limit, and has neither fallen nor risen too fast.

    The highest value that is looked back on bounds what a later one can have fallen by, as long as none is higher.
    """
    lowest, highest = state.force.bands.get(vital, EVERY_VALUE)
    for rule in state.force.rates.get(vital, ()):
        values = looked_back_on(rule, state.recent[vital], state.rates_since[rule.id])
        if not values:
            return inf, -inf
        # Rounding must not decide: what is near is looked at in full.
        near = rule.change * (1 - 1e-6)
        if rule.side == "low":
            lowest, highest = max(lowest, max(values) - near), min(highest, max(values))
        else:
            lowest, highest = max(lowest, min(values)), min(highest, min(values) + near)
    return lowest, highest


def trimmed(profile: Profile, state: BedState, now: float) -> BedState:
    """Without the readings that nothing looks back on any more; the bands are then as wide as they can be."""
    longest = max(rule.within for rates in state.force.rates.values() for rule in rates)
    recent: dict[str, Past | None] = {}
    for vital, newest in state.recent.items():
        kept, past = [], newest
        while past is not None and past.at >= now - longest:
            kept.append(past)
            past = past.before
        chain = None
        for one in reversed(kept):
            chain = one._replace(before=chain)
        recent[vital] = chain
    state = state._replace(recent=recent, trim_at=now + longest)
    for vital in recent:
        state = with_quiet(profile, state, vital)
    return state


def missing(state: BedState, vital: str) -> list[AlertEvent]:
    """What stands because a vital had no value."""
    names = [stale_rule(rule, vital) for rule in state.force.stale]
    names += [rule.id for rule in state.force.overdue if rule.vital == vital]
    return [state.on[name] for name in names if name in state.on]
