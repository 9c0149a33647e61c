"""What the alert engine costs for each reading, with the limits of the shipped configuration."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from benchmarks.streams import Kind, frames
from benchmarks.table import Table
from drivers.events import Reading
from monitor import config_file
from monitor.alerts.engine import BedState, Profile, on_reading, on_tick

AIM_US = 16.0
"""Microseconds: 100 oximeters of format 2 (600 readings a second) then cost 1 % of a core."""
_ROUNDS = 7
_READINGS = 20_000


def measure() -> Table:
    """Run the engine over what simulated monitors give."""
    profile = config_file.load(config_file.default_path()).alerts.profile()
    table = Table(
        "Alerts: the engine's time for one reading, limits as in config.yaml",
        f"under {AIM_US:g} us, so that 600 readings a second take 1 % of a core",
        ("readings", "ns/reading", "fastest", "changes"),
    )
    oximeter = _readings(Kind("nonin", {"format": "2"}))
    for title, readings in (
        ("oximeter, inside the limits", oximeter),
        ("monitor with ECG and cuff, inside the limits", _readings(Kind("ivy450c"))),
        ("oximeter, SpO2 low for minutes", [_low(one) for one in oximeter]),
        ("oximeter, SpO2 about its limit", [_low(one) if n // 60 % 2 else one for n, one in enumerate(oximeter)]),
    ):
        changes, times = _timed(partial(_run, profile, readings), len(readings))
        _add(table, title, times, changes)
    _, ticks = _timed(partial(_ticks, profile, oximeter), _READINGS)
    _add(table, "one second's tick of one bed (not a reading)", ticks, 0)
    return table


def _readings(kind: Kind) -> list[Reading]:
    codec = kind.codec()
    codec.reset()
    found: list[Reading] = []
    at = 1_767_225_600_000_000_000
    for frame in frames(kind, 600):
        at += 13_333_333
        found += [event for event in codec.feed(frame, at) if type(event) is Reading]
    return (found * (_READINGS // len(found) + 1))[:_READINGS]


def _low(reading: Reading) -> Reading:
    return reading._replace(value=86.0) if reading.vital == "spo2" else reading


def _run(profile: Profile, readings: list[Reading]) -> int:
    state, now, changes = BedState(), 0.0, 0
    for reading in readings:
        now += 1 / 6
        state, changed = on_reading(profile, state, "chair-1", "oximeter", reading, now)
        changes += len(changed)
    return changes


def _ticks(profile: Profile, readings: list[Reading]) -> int:
    state = BedState()
    for reading in readings[:2]:
        state, _ = on_reading(profile, state, "chair-1", "oximeter", reading, 0.0)
    for _ in range(_READINGS):
        state, _ = on_tick(profile, state, "chair-1", 1.0, 0)
    return 0


def _timed(run: Callable[[], int], count: int) -> tuple[int, list[float]]:
    """What `run` gives, and nanoseconds for each of `count` in every round."""
    times, changes = [], 0
    for _ in range(_ROUNDS):
        started = time.process_time_ns()
        changes = run()
        times.append((time.process_time_ns() - started) / count)
    return changes, sorted(times)


def _add(table: Table, title: str, times: list[float], changes: int) -> None:
    median = statistics.median(times)
    table.rows.append((title, f"{median:,.0f}", f"{times[0]:,.0f}", f"{changes:,}"))
    table.raw.append({"case": title, "ns": times, "changes": changes})
    if median > AIM_US * 1000:
        table.missed.append(title)
