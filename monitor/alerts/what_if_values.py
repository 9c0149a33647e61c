"""Which readings begin a limit's or a rate's condition, and which end it: on columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.alerts.rules import LimitRule, RateRule
from monitor.alerts.what_if_columns import Floats, Mask, Places, Stretch, View

NONE: Places = np.empty(0, np.intp)
"""No reading."""
_BLOCK = 32
"""Readings that are looked at together where a fall or a rise is looked for."""


def limit_met(rule: LimitRule, view: View, stretches: Sequence[Stretch]) -> tuple[Places, Places, Floats]:
    """The readings that begin it, those that end it, and the limit at each that begins it."""
    numbers = [one.numbers[rule.id] for one in stretches]
    low = rule.side == "low"
    if (view.lowest >= max(numbers)) if low else (view.highest <= min(numbers)):
        return NONE, NONE, np.empty(0)
    first = view.begins[stretches[0].number]
    bounds = [view.begins[one.number] for one in stretches] + [view.begins[stretches[-1].number + 1]]
    if len(set(numbers)) == 1:
        bounds, numbers = [bounds[0], bounds[-1]], numbers[:1]
    parts = [(view.value[a:b], number) for a, b, number in zip(bounds[:-1], bounds[1:], numbers, strict=True)]
    outside = np.flatnonzero(_joined([value < limit if low else value > limit for value, limit in parts]))
    if rule.of > 1:
        newest = np.arange(1, len(outside) + 1)
        outside = outside[newest - np.searchsorted(outside, outside - rule.of + 1) >= rule.readings]
    if rule.delay > 0 and len(outside):
        outside = _delayed(rule, view.t[first : bounds[-1]], outside)
    if not len(outside):
        return NONE, NONE, np.empty(0)
    back = rule.hysteresis
    clear = _joined([value >= limit + back if low else value <= limit - back for value, limit in parts])
    ons, offs = _latch(outside, clear)
    limits = np.array(numbers)[np.searchsorted(bounds[1:], ons + first, "right")]
    return ons + first, offs + first, limits


def _joined(parts: list[Mask]) -> Mask:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _delayed(rule: LimitRule, t: Floats, holds: Places) -> Places:
    """Those of the readings at which it holds, at which it has held for the delay."""
    begins = _begins(holds)
    t = t[holds]
    if rule.gap is not None:
        begins[1:] |= t[1:] - t[:-1] > rule.gap
    runs = np.flatnonzero(begins)
    since = np.repeat(t[runs], np.diff(runs, append=len(holds)))
    return holds[t - since >= rule.delay]


def _begins(places: Places) -> Mask:
    """Which of these readings do not follow the one before."""
    begins = np.ones(len(places), np.bool_)
    np.greater(places[1:] - places[:-1], 1, out=begins[1:])
    return begins


def _latch(fires: Places, clear: Mask) -> tuple[Places, Places]:
    """Of the readings at which it comes on unless it is on already, those at which it does; and those that end it.

    What ends it is the first clear reading after: all that fire before the same one are one condition. A reading that
    fires is never clear, so that those which fire one after the other are one, too.
    """
    fires = fires[_begins(fires)]
    begins = np.flatnonzero(clear[1:] > clear[:-1]) + 1
    ends = np.append(begins, len(clear))[np.searchsorted(begins, fires, "right")]
    on = np.ones(len(fires), np.bool_)
    on[1:] = ends[1:] != ends[:-1]
    offs = ends[on]
    return fires[on], offs[offs < len(clear)]


def rate_met(rule: RateRule, view: View, first: int, last: int) -> tuple[Places, Places, Floats]:
    """The same of a rate, among the readings from place `first` until before `last`."""
    if view.highest - view.lowest < rule.change:
        return NONE, NONE, np.empty(0)
    t, value = view.t[first:last], view.value[first:last]
    # A rise is a fall of what lies below zero.
    fallen = value if rule.side == "low" else -value
    places = _maybe(rule, t, fallen)
    change = _highest(fallen, np.searchsorted(t, t[places] - rule.within), places) - fallen[places]
    fires = places[change >= rule.change]
    if not len(fires):
        return NONE, NONE, np.empty(0)
    clear = np.ones(len(t), np.bool_)
    clear[places] = change < rule.change - rule.hysteresis
    ons, offs = _latch(fires, clear)
    return ons + first, offs + first, np.full(len(ons), rule.change)


def _maybe(rule: RateRule, t: Floats, value: Floats) -> Places:
    """The readings at which a fall can be as large as the one that is looked for, or as its end.

    They are so far below the highest value of their block and of the blocks before it.
    """
    begins = np.arange(0, len(t), _BLOCK)
    ends = np.append(begins[1:], len(t)) - 1
    since = np.searchsorted(t[ends], t[begins] - rule.within)
    highest = _highest(np.maximum.reduceat(value, begins), since, np.arange(len(begins)))
    most = np.repeat(highest, _BLOCK)[: len(t)] - value
    return np.flatnonzero(most >= rule.change - rule.hysteresis)


def _highest(value: Floats, since: Places, until: Places) -> Floats:
    """Of the values from place `since` to place `until`, the highest.

    Every stretch of n values is covered by two of the greatest power of two that is not above n.
    """
    power = np.frexp(until - since + 1)[1] - 1
    found = np.empty(len(until))
    highest = value
    for exponent in range(int(power.max(initial=0)) + 1):
        wide = 1 << exponent
        if exponent:
            highest = np.maximum(highest[: len(highest) - wide // 2], highest[wide // 2 :])
        which = np.flatnonzero(power == exponent)
        found[which] = np.maximum(highest[since[which]], highest[until[which] - wide + 1])
    return found
