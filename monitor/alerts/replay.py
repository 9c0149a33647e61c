"""What the engine says to a recording when it is fed it as if it were happening: the reference for `what_if`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from drivers.recordings.recording import Recording
from monitor.alerts.bed_state import BedState
from monitor.alerts.conditions import AlertEvent
from monitor.alerts.engine import on_readings, on_tick, on_visit
from monitor.alerts.rules import ProbeOffRule, Profile
from monitor.alerts.what_if import ticks_of
from monitor.alerts.what_if_columns import Moment
from monitor.alerts.what_if_steps import Change

_BED, _DEVICE = "replay", "recording"


def replay(profile: Profile, recording: Recording, visits: Sequence[Moment] = ()) -> list[Change]:
    """What begins and ends, in order of time; what what-if does not judge is left out."""
    rules = tuple(rule for rule in profile.rules if not isinstance(rule, ProbeOffRule))
    profile = replace(profile, rules=rules, same_arm=False)
    return [
        Change(event.rule, event.state, event.at, event.value, event.limit, event.priority)
        for event in _events(profile, recording, visits)
    ]


def _events(profile: Profile, recording: Recording, visits: Sequence[Moment]) -> Iterator[AlertEvent]:
    ticks = ticks_of(recording, visits)
    to_come, batches = list(visits), recording.readings()
    batch = next(batches, None)
    state, changes = on_visit(profile, BedState(), _BED, None, ticks.start, recording.at(ticks.start))
    tick = ticks.start
    while to_come or batch is not None or tick <= ticks.end:
        # At one moment: visits, then readings, then the tick.
        came = batch[0] if batch is not None else float("inf")
        if to_come and to_come[0].t <= min(came, tick):
            t, visit = to_come.pop(0)
            state, changes = on_visit(profile, state, _BED, visit, t, recording.at(t))
        elif batch is not None and came <= tick:
            state, changes = on_readings(profile, state, _BED, _DEVICE, batch[1], came)
            batch = next(batches, None)
        else:
            state, changes = on_tick(profile, state, _BED, tick, recording.at(tick))
            tick += 1.0
        yield from changes
