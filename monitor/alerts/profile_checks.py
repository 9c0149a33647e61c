"""What is wrong with a profile each of whose keys is well formed: limits that cannot be meant, parts that are missing.

A fault is where (the keys and positions that lead there) and what; `profile_file` adds the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from drivers.vitals import VITALS
from monitor.alerts.conditions import ALARM, AUDIO, Priority
from monitor.alerts.profile import ProfileConfig, SignalsConfig
from monitor.alerts.profile_rules import (
    CombinationConfig,
    LimitConfig,
    ProbeOffConfig,
    RateConfig,
    RuleConfig,
    StaleConfig,
)
from monitor.alerts.profile_words import threshold
from monitor.alerts.rules import OF_DEVICES, PHASES, LimitRule, Threshold, applies
from monitor.config_faults import Fault, Path_, implausible, twice

_RESERVED = (*OF_DEVICES, "session_")
"""What the ids of conditions begin with that are no rule's."""
_WITHOUT_BASELINE = ("check_in", "baseline")
_MOST_PERCENT = 300.0


def check_profile(profile: ProfileConfig) -> Iterator[Fault]:
    """Limits that cannot be meant, rules that there are not, ids that belong to others."""
    for name, rule in profile.rules.items():
        where: Path_ = ("rules", name)
        yield from _check_id(name, profile.rules, where)
        if isinstance(rule, LimitConfig):
            yield from _check_limit(rule, rule.compiled(name), where)
        elif isinstance(rule, RateConfig):
            yield from _check_rate(rule, where)
        elif isinstance(rule, CombinationConfig):
            yield from _check_members(name, rule, profile.rules, (*where, rule.key))
    yield from _check_crossed(profile)
    yield from _check_signals(profile.signals)


def _check_id(name: str, rules: Mapping[str, RuleConfig], where: Path_) -> Iterator[Fault]:
    if name in (AUDIO, ALARM):
        yield where, f"{name!r} is the station's own word for the signals of a bed: give the rule another name"
    for beginning in _RESERVED:
        if name.startswith(beginning):
            yield where, f"what begins with {beginning} is no rule's: give the rule another name"
    for other, rule in rules.items():
        rest = name.removeprefix(f"{other}_")
        if rest == name:
            continue
        if (isinstance(rule, StaleConfig) and rest in VITALS) or isinstance(rule, ProbeOffConfig):
            yield where, f"{other} makes conditions of such names: give the rule another name"


def _check_limit(rule: LimitConfig, compiled: LimitRule, where: Path_) -> Iterator[Fault]:
    limit = rule.limit
    for here, one in (
        [((*where, rule.key, phase), one) for phase, one in limit.items()]
        if isinstance(limit, dict)
        else [((*where, rule.key), limit)]
    ):
        number = threshold(one)
        if number.relative:
            yield from _check_relative(rule, number, here)
        elif problem := implausible(rule.vital, number.value):
            yield here, problem + ("; by how much from the baseline is text: in quotes" if number.value < 0 else "")
        else:
            yield from _check_clearing(rule, compiled, number.value, where)
    yield from _check_phases(rule, where)
    if rule.clears_at is not None and not isinstance(limit, float):
        yield (*where, "clears_at"), "where the limit is not one number, give `hysteresis`: how far back inside it"
    if rule.clears_at is not None and rule.hysteresis:
        yield (*where, "hysteresis"), "give clears_at or hysteresis, one of the two"
    if rule.bounds is not None:
        yield from _check_bounds(rule, compiled, rule.bounds, where)


def _check_relative(rule: LimitConfig, number: Threshold, where: Path_) -> Iterator[Fault]:
    amount = number.percent if number.percent is not None else number.by or 0.0
    lowest, highest = VITALS[rule.vital].plausible
    if (amount > 0) != (rule.side == "high") and amount != 0:
        yield where, f"the baseline itself would be {rule.key} that: give it with a {'-' if amount > 0 else '+'}"
    elif number.percent is not None and not -100 < amount <= _MOST_PERCENT:
        yield where, f"{amount:+g} % of the baseline is outside -100 to +{_MOST_PERCENT:g}"
    elif number.by is not None and abs(amount) > highest - lowest:
        yield where, f"{amount:+g} {VITALS[rule.vital].unit_label} is more than {rule.vital} can change"


def _check_phases(rule: LimitConfig, where: Path_) -> Iterator[Fault]:
    limit = rule.limit
    if isinstance(limit, dict):
        for phase, one in limit.items():
            here = (*where, rule.key, phase)
            if rule.phases is not None and phase not in rule.phases:
                yield here, f"{phase} is not among the rule's `phases`"
            if phase in _WITHOUT_BASELINE and threshold(one).relative:
                yield here, f"there is no baseline yet in {phase}: give a number"
    elif threshold(limit).relative:
        for index, phase in enumerate(rule.phases or ()):
            if phase in _WITHOUT_BASELINE:
                yield (*where, "phases", index), f"there is no baseline yet in {phase}: the limit needs one"


def _check_clearing(rule: LimitConfig, compiled: LimitRule, limit: float, where: Path_) -> Iterator[Fault]:
    lowest, highest = VITALS[rule.vital].plausible
    clears_at = _clears_at(compiled, limit)
    key = "clears_at" if rule.clears_at is not None else "hysteresis"
    if compiled.hysteresis < 0:
        inside = "above" if rule.side == "low" else "below"
        yield (*where, key), f"{clears_at:g} is on the wrong side: {inside} {limit:g} is inside"
    elif not lowest <= clears_at <= highest:
        yield (*where, key), _only_at(rule, clears_at)


def _clears_at(rule: LimitRule, limit: float) -> float:
    return limit + rule.hysteresis if rule.side == "low" else limit - rule.hysteresis


def _only_at(rule: LimitConfig, clears_at: float) -> str:
    about = VITALS[rule.vital]
    lowest, highest = about.plausible
    return f"the alert would go off only at {clears_at:g} {about.unit_label}, outside {lowest:g} to {highest:g}"


def _check_bounds(rule: LimitConfig, compiled: LimitRule, bounds: tuple[float, float], where: Path_) -> Iterator[Fault]:
    low, high = bounds
    lowest, highest = VITALS[rule.vital].plausible
    here = (*where, "bounds")
    if low >= high:
        yield here, f"{low:g} is not below {high:g}"
        return
    numbers = [threshold(one) for one in (rule.limit.values() if isinstance(rule.limit, dict) else (rule.limit,))]
    for number in numbers:
        if not number.relative and not low <= number.value <= high:
            yield here, f"the limit itself, {number.value:g}, is not between {low:g} and {high:g}"
    for index, bound in enumerate(bounds):
        if problem := implausible(rule.vital, bound):
            yield (*here, index), problem
        elif compiled.hysteresis > 0 and not lowest <= (clears_at := _clears_at(compiled, bound)) <= highest:
            yield (*here, index), f"with that limit {_only_at(rule, clears_at)}"


def _check_rate(rule: RateConfig, where: Path_) -> Iterator[Fault]:
    about = VITALS[rule.vital]
    lowest, highest = about.plausible
    if rule.change > highest - lowest:
        yield (*where, rule.key), f"{rule.change:g} {about.unit_label} is more than {rule.vital} can change"
    if rule.hysteresis >= rule.change:
        yield (*where, "hysteresis"), f"the alert would never go off: give less than {rule.change:g}"


def _check_members(
    name: str, rule: CombinationConfig, rules: Mapping[str, RuleConfig], where: Path_
) -> Iterator[Fault]:
    yield from twice((((*where, index), member) for index, member in enumerate(rule.members)), "part")
    for index, member in enumerate(rule.members):
        found = rules.get(member)
        if member == name:
            yield (*where, index), "a combination is no part of itself"
        elif found is None:
            yield (*where, index), f"there is no rule {member!r}"
        elif isinstance(found, CombinationConfig):
            yield (*where, index), f"{member} is a combination itself: name its parts"
        elif not isinstance(found, LimitConfig | RateConfig):
            yield (*where, index), f"{member} is neither a limit nor a rate"


def _check_crossed(profile: ProfileConfig) -> Iterator[Fault]:
    """Low limits that are not below high ones of the same vital where both apply; parts of combinations may be."""
    limits = [
        rule.compiled(name)
        for name, rule in profile.rules.items()
        if isinstance(rule, LimitConfig) and rule.priority is not Priority.NONE
    ]
    for low in (rule for rule in limits if rule.side == "low"):
        for high in (rule for rule in limits if rule.side == "high" and rule.vital == low.vital):
            for phase in (None, *PHASES):
                problem = _crossed(low, high, phase)
                if problem is not None:
                    yield ("rules", low.id, "below", *((phase,) if phase in low.by_phase else ())), problem
                    break


def _crossed(low: LimitRule, high: LimitRule, phase: str | None) -> str | None:
    if not applies(low, phase, inf) or not applies(high, phase, inf):
        return None
    below, above = low.limit(phase, None), high.limit(phase, None)
    if below is None or above is None:
        return None
    where = f" in {phase}" if phase is not None else ""
    if below >= above:
        return f"low limit {below:g} is not below the high limit {above:g} of {high.id}{where}"
    if _clears_at(low, below) > above:
        return f"the alert would go off only at {_clears_at(low, below):g}, above the high limit of {high.id}{where}"
    if _clears_at(high, above) < below:
        return f"{high.id} would go off only at {_clears_at(high, above):g}, below the low limit{where}"
    return None


def _check_signals(signals: SignalsConfig) -> Iterator[Fault]:
    where: Path_ = ("signals",)
    for index, priority in enumerate(signals.latching):
        if priority is Priority.NONE:
            yield (*where, "latching", index), "what has the priority none has no signal to latch"
    for priority in signals.escalate:
        if priority is Priority.HIGH:
            yield (*where, "escalate", "high"), "there is no priority above high"
        elif priority is Priority.NONE:
            yield (*where, "escalate", "none"), "what has the priority none is told to nobody, and does not escalate"
    if signals.audio_pause > signals.longest_pause:
        yield (
            (*where, "audio_pause"),
            f"{signals.audio_pause:g} s is longer than longest_pause, {signals.longest_pause:g} s",
        )
