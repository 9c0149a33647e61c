"""What the alert engine costs: for each reading, and for a second's tick of a thousand beds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.streams import Kind, frames
from benchmarks.table import Table
from drivers.clock import NS
from drivers.events import Reading, measured
from monitor.alerts.bed_state import BedState
from monitor.alerts.engine import on_readings, on_tick, on_visit
from monitor.alerts.profile_file import DEFAULT, shipped
from monitor.alerts.rules import Profile

AIM_NS = 1000.0
"""Nanoseconds for a reading, in batches."""
TICK_AIM_US = 100.0
"""Microseconds for one second's tick of `_BEDS` beds."""
_BEDS = 1000
_VITALS = {"heart_rate": 72, "pulse_rate": 73, "spo2": 97, "resp_rate": 14, "perfusion_index": 2, "etco2": 36}
"""Six that are measured all the time, and their values."""
_ROUNDS = 7
_READINGS = 20_000


def measure() -> Table:
    """Run the engine over what simulated monitors give, and over a clinic in which nothing happens."""
    profile = shipped(DEFAULT).compiled()
    table = Table(
        f"Alerts: the engine's time, with the {len(profile.rules)} rules of the profile {profile.name}",
        f"under {AIM_NS:g} ns a reading in batches, under {TICK_AIM_US:g} us a tick of {_BEDS:,} beds",
        ("case", "median", "fastest", "unit", "changes"),
        notes=[
            "A batch is what one message of the device gives. Before an alert comes on, and while it stands, each of",
            "the vital's rules is looked at; a reading inside every limit is passed over.",
            "A bed that is due looks for what has gone missing: every one is, once in about ten ticks.",
        ],
    )
    oximeter = _batches(Kind("nonin", {"format": "2"}))
    monitor = _batches(Kind("ivy450c"))
    for title, batches, aimed in (
        ("oximeter, 2 a batch, inside the limits", oximeter, True),
        ("monitor with ECG and cuff, inside the limits", monitor, True),
        (f"{len(_VITALS)} vitals a batch, inside the limits", [_six(1.0)], True),
        ("oximeter, SpO2 low for minutes", [_low(one) for one in oximeter], False),
        (
            "oximeter, SpO2 about its limit",
            [_low(one) if n // 30 % 2 else one for n, one in enumerate(oximeter)],
            False,
        ),
    ):
        changes, times = _timed(partial(_run, profile, batches), _READINGS)
        _add(table, title, times, "ns/reading", changes, AIM_NS if aimed else None)
    beds = _clinic(profile)
    for title, since, aimed in (
        (f"tick of {_BEDS:,} beds of {len(_VITALS)} vitals, none due", 0.5, True),
        ("... all of them due", 9.5, False),
    ):
        _, times = _timed(partial(_ticks, profile, beds, since), 1000)
        _add(table, title, times, "us/tick", 0, TICK_AIM_US if aimed else None)
    return table


def _batches(kind: Kind) -> list[list[Reading]]:
    codec = kind.codec()
    codec.reset()
    found: list[list[Reading]] = []
    at = 1_767_225_600 * NS
    for frame in frames(kind, 600):
        at += 13_333_333
        readings = [event for event in codec.feed(frame, at) if type(event) is Reading]
        if readings:
            found.append(readings)
    return found


def _six(t: float) -> list[Reading]:
    at = int(t * NS)
    return [measured(vital, value, at, at) for vital, value in _VITALS.items()]


def _low(batch: Sequence[Reading]) -> list[Reading]:
    return [reading._replace(value=84.0) if reading.vital == "spo2" else reading for reading in batch]


def _fresh(profile: Profile) -> BedState:
    state, _ = on_visit(profile, BedState(), "chair-1", None, 0.0, 0)
    return state


def _run(profile: Profile, batches: Sequence[Sequence[Reading]]) -> int:
    state, now, changes, count, number = _fresh(profile), 0.0, 0, 0, 0
    while count < _READINGS:
        batch = batches[number % len(batches)]
        now += 1 / 3
        state, changed = on_readings(profile, state, "chair-1", "device", batch, now)
        changes += len(changed)
        count += len(batch)
        number += 1
    return changes


def _clinic(profile: Profile) -> list[BedState]:
    """Beds whose vitals have just been measured, after a tick that saw to them."""
    beds = []
    for _ in range(_BEDS):
        state, _ = on_readings(profile, _fresh(profile), "chair-1", "device", _six(1.0), 1.0)
        state, _ = on_tick(profile, state, "chair-1", 1.0, 0)
        # Nothing is missing when they are due: each was measured again.
        state, _ = on_readings(profile, state, "chair-1", "device", _six(9.0), 10.0)
        beds.append(state)
    return beds


def _ticks(profile: Profile, beds: Sequence[BedState], since: float) -> int:
    """As the board does it: only who is due is asked."""
    now, changes = 1.5 + since, 0
    for state in beds:
        if now >= state.due:
            _, changed = on_tick(profile, state, "chair-1", now, 0)
            changes += len(changed)
    return changes


def _timed(run: Callable[[], int], count: int) -> tuple[int, list[float]]:
    """What `run` gives, and nanoseconds for each of `count` in every round."""
    times, changes = [], 0
    for _ in range(_ROUNDS):
        started = time.process_time_ns()
        changes = run()
        times.append((time.process_time_ns() - started) / count)
    return changes, sorted(times)


def _add(table: Table, title: str, times: list[float], unit: str, changes: int, aim: float | None) -> None:
    median = statistics.median(times)
    table.rows.append((title, f"{median:,.0f}", f"{times[0]:,.0f}", unit, f"{changes:,}"))
    table.raw.append({"case": title, "unit": unit, "times": times, "changes": changes})
    if aim is not None and median > aim:
        table.missed.append(title)
