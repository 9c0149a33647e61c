"""What a profile would have said to a recording: the engine's conditions, all readings of a vital at once.

`judge` gives exactly the changes that `engine` gives when it is fed the same readings, visits and a tick a second
(`replay` does that, and tests compare the two). No loop here is over readings: what is outside a limit is found by one
comparison of a column, and the rest is done with those few.

Not judged: devices that are lost, sensors that are off the patient, what devices say of themselves, and a pulse that
is missing because of the cuff on the same arm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle, repeat

import numpy as np

from drivers.recordings.recording import Recording
from monitor.alerts.conditions import AlertState, Priority
from monitor.alerts.rules import CombinedRule, LimitRule, OverdueRule, ProbeOffRule, Profile, RateRule, StaleRule
from monitor.alerts.what_if_columns import (
    Key,
    Moment,
    Places,
    Stretch,
    Ticks,
    VitalColumns,
    columns_of,
    session_of,
    spans,
    stretches_of,
)
from monitor.alerts.what_if_steps import Change, Steps, Told, in_order
from monitor.alerts.what_if_values import NONE, limit_met, rate_met

_ON, _OFF = AlertState.ON, AlertState.OFF


def conditions(profile: Profile, recording: Recording) -> dict[str, Priority]:
    """Every condition that is judged, whether it comes on or not; in the profile's order."""
    found = {}
    for rule in profile.rules:
        if isinstance(rule, StaleRule):
            for vital, series in recording.series.items():
                if not series.episodic:
                    found[f"{rule.id}_{vital}"] = rule.priority
        elif not isinstance(rule, ProbeOffRule):
            found[rule.id] = rule.priority
    return found


def judge(profile: Profile, recording: Recording, visits: Sequence[Moment] = ()) -> list[Change]:
    """What begins and ends, in order of time. `visits` are in order of time too; without any there is no session."""
    return _Run(profile, recording, visits).changes()


def ticks_of(recording: Recording, visits: Sequence[Moment]) -> Ticks:
    """When the engine is told that time has passed."""
    return Ticks(
        min([recording.began, *(it.t for it in visits[:1])]), max([recording.ended, *(it.t for it in visits[-1:])])
    )


class _Run:
    def __init__(self, profile: Profile, recording: Recording, visits: Sequence[Moment]) -> None:
        self._profile, self._recording = profile, recording
        self._vitals = columns_of(recording)
        self._ticks = ticks_of(recording, visits)
        self._stretches = stretches_of(profile, self._vitals, visits, self._ticks)
        for vital in self._vitals.values():
            vital.take(self._stretches)

    def changes(self) -> list[Change]:
        steps: dict[str, list[Steps]] = {}
        for place, rule in enumerate(self._profile.rules):
            if isinstance(rule, LimitRule):
                vital = self._vitals.get(rule.vital)
                if vital is not None and not vital.within_limits:
                    steps[rule.id] = list(self._of_value(Told(rule.id, rule.priority, place), rule, vital))
            elif isinstance(rule, RateRule):
                if rule.vital in self._vitals:
                    told = Told(rule.id, rule.priority, place)
                    steps[rule.id] = list(self._of_value(told, rule, self._vitals[rule.vital]))
            elif isinstance(rule, StaleRule):
                steps |= self._stale(rule, place)
            elif isinstance(rule, OverdueRule):
                steps[rule.id] = list(self._overdue(Told(rule.id, rule.priority, place), rule))
        for place, rule in enumerate(self._profile.rules):
            if isinstance(rule, CombinedRule):
                told = Told(rule.id, rule.priority, place + len(self._profile.rules))
                steps[rule.id] = list(self._combined(told, rule, steps))
        return in_order(list(chain.from_iterable(steps.values())))

    def _of_value(self, told: Told, rule: LimitRule | RateRule, vital: VitalColumns) -> Iterator[Steps]:
        view = vital.armed if rule.questionable else vital.valid
        for begin, end in spans(self._stretches, rule.id):
            if view.begins[begin] == view.begins[end]:
                continue
            if isinstance(rule, LimitRule):
                ons, offs, limits = limit_met(rule, view, self._stretches[begin:end])
            else:
                ons, offs, limits = rate_met(rule, view, view.begins[begin], view.begins[end])
            if not len(ons):
                continue
            standing = len(ons) > len(offs)
            places = np.column_stack((ons[: len(offs)], offs)).reshape(-1)
            if standing:
                places = np.append(places, ons[-1])
            yield told.read(vital, view, places, cycle((_ON, _OFF)), np.repeat(limits, 2).tolist())
            if standing and end < len(self._stretches):
                yield self._ended(told, self._stretches[end], float(limits[-1]))

    def _ended(self, told: Told, stretch: Stretch, limit: float | None = None) -> Steps:
        """A condition ends because its rule is not in force any more."""
        return told.step(stretch.key, _OFF, self._recording.at(stretch.t), None, limit)

    def _tick(self, told: Told, t: float) -> Steps:
        """A condition begins by the passing of time."""
        return told.step((t, 2, 0, 0), _ON, self._recording.at(t))

    def _measured(self, told: Told, vital: VitalColumns, places: Places) -> Steps:
        """A condition ends because its vital was measured."""
        return told.read(vital, vital.counted, places, repeat(_OFF), repeat(None))

    def _stale(self, rule: StaleRule, place: int) -> dict[str, list[Steps]]:
        """By the condition of each vital."""
        steps: dict[str, list[Steps]] = {}
        for begin, end in spans(self._stretches, rule.id):
            for name, vital in self._vitals.items():
                if not vital.series.episodic:
                    told = Told(f"{rule.id}_{name}", rule.priority, place)
                    steps.setdefault(told.name, []).extend(self._stale_in(told, rule, vital, begin, end))
        return steps

    def _stale_in(self, told: Told, rule: StaleRule, vital: VitalColumns, begin: int, end: int) -> Iterator[Steps]:
        """The same from the stretch `begin` to the stretch `end`."""
        view = vital.counted
        first, last = vital.armed_at(session_of(self._stretches, begin)), view.begins[end]
        if first >= last:
            return
        paused = view.longest_pause > rule.after
        if not paused and self._ticks.end - view.t[last - 1] < rule.after:
            return
        places = np.array([last - 1])
        if paused:
            places = np.append(np.flatnonzero(view.pauses[first : last - 1] > rule.after) + first, places)
        # The last one may be followed by a reading, but only when the stretch is over.
        nexts = np.append(view.t[places[:-1] + 1], np.inf)
        until = self._stretches[end].t if end < len(self._stretches) else np.inf
        at = self._ticks.first(np.maximum(view.t[places] + rule.after, self._stretches[begin].t))
        begun = (at < nexts) & (at < until) & (at <= self._ticks.end)
        if not begun.any():
            return
        yield told.ticked(at[begun], map(self._recording.at, at[begun].tolist()))
        yield self._measured(told, vital, places[:-1][begun[:-1]] + 1)
        if begun[-1] and end < len(self._stretches):
            yield self._ended(told, self._stretches[end])

    def _overdue(self, told: Told, rule: OverdueRule) -> Iterator[Steps]:
        vital = self._vitals.get(rule.vital)
        for begin, end in spans(self._stretches, rule.id):
            on = False
            for stretch in self._stretches[begin:end]:
                if on and stretch.overdue_ends:
                    on = False
                    yield self._ended(told, stretch)
                for step in self._overdue_in(told, rule, vital, stretch, on=on):
                    on = step.changes[-1].state is _ON
                    yield step
            if on and end < len(self._stretches):
                yield self._ended(told, self._stretches[end])

    def _overdue_in(
        self, told: Told, rule: OverdueRule, vital: VitalColumns | None, stretch: Stretch, *, on: bool
    ) -> Iterator[Steps]:
        """The same in one stretch; `on`: it has come on before."""
        visit, after = stretch.visit, stretch.number + 1
        if not on and (visit is None or visit.cuff_every is None):
            return
        until = self._stretches[after].t if after < len(self._stretches) else np.inf
        places, last = NONE, -np.inf
        if vital is not None:
            begins = vital.counted.begins
            places = np.arange(begins[stretch.number], begins[after])
            before = begins[stretch.number] - 1
            if before >= begins[session_of(self._stretches, stretch.number)]:
                last = float(vital.counted.t[before])
        measured = np.empty(0) if vital is None else vital.counted.t[places]
        due = np.full(len(places) + 1, np.inf)
        if visit is not None and visit.cuff_every is not None:
            due = np.maximum(np.append(last, measured), visit.began) + visit.cuff_every + rule.grace
        at = self._ticks.first(np.maximum(due, stretch.t))
        begun = (at < np.append(measured, np.inf)) & (at < until) & (at <= self._ticks.end)
        begun[0] |= on
        for place in np.flatnonzero(begun).tolist():
            if place or not on:
                yield self._tick(told, float(at[place]))
            if place < len(places) and vital is not None:
                yield self._measured(told, vital, places[place : place + 1])

    def _combined(self, told: Told, rule: CombinedRule, steps: Mapping[str, Sequence[Steps]]) -> Iterator[Steps]:
        """From the steps of its members."""
        since: float | None = None
        on = False
        for key, at, true in self._together(rule, steps):
            if since is not None and not on and (tick := self._ticks.first_of(since + rule.delay)) < key[0]:
                on = True
                yield self._tick(told, tick)
            if true and since is None:
                since, on = key[0], rule.delay == 0
                if on:
                    yield told.step(key, _ON, at)
            elif not true:
                if on:
                    yield told.step(key, _OFF, at)
                since, on = None, False
        if since is not None and not on and (tick := self._ticks.first_of(since + rule.delay)) <= self._ticks.end:
            yield self._tick(told, tick)

    def _together(self, rule: CombinedRule, steps: Mapping[str, Sequence[Steps]]) -> Iterator[tuple[Key, int, bool]]:
        """The steps at which one of its members changes, or whether it is in force; and whether it is true then."""
        members: defaultdict[Key, int] = defaultdict(int)
        in_force: defaultdict[Key, int] = defaultdict(int)
        at: dict[Key, int] = {}
        found = [steps.get(member, ()) for member in rule.members]
        if rule.every and not all(found):
            return  # One of them never comes on.
        for several in chain.from_iterable(found):
            for key_and_place, change in zip(several.keys.tolist(), several.changes, strict=True):
                key = key_and_place[:-1]
                members[key] += 1 if change.state is _ON else -1
                at[key] = change.at
        if not at:
            return
        for span in spans(self._stretches, rule.id):
            for number, sign in zip(span, (1, -1), strict=True):
                if number < len(self._stretches):
                    stretch = self._stretches[number]
                    in_force[stretch.key] += sign
                    at[stretch.key] = self._recording.at(max(stretch.t, self._ticks.start))
        there, those = 0, 0
        for key in sorted(at):
            there += in_force.get(key, 0)
            those += members.get(key, 0)
            yield key, at[key], there > 0 and those >= (len(rule.members) if rule.every else 1)
