"""How many hours of one bed what-if judges in a second, on recordings of real patients."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.table import Table
from drivers.recordings import csv
from drivers.recordings.recording import Recording
from monitor.alerts import profile_file
from monitor.alerts.rules import Profile
from monitor.alerts.what_if import judge

AIM = 5_000
"""Bed-hours a second: a clinic's year of 20 chairs in under ten seconds."""
_ROUNDS = 15
_FOLDER = Path(__file__).parents[2] / "shared" / "recordings"
_SENTENCE = "SpO2 < 90 for 10 s, clears at 92"


def measure() -> Table:
    """Judge the recordings by the shipped profile, and by one sentence."""
    table = Table(
        "What-if: the engine for whole recordings; reading the CSV is told apart",
        f"at least {AIM:,} bed-hours a second of processor time over all recordings",
        ("recordings", "hours", "rules", "bed-hours/s", "ms", "changes", "ms to read"),
    )
    if not _FOLDER.exists():
        table.notes.append(f"Not measured: there are no recordings at {_FOLDER.name}.")
        return table
    groups = {
        "an intensive-care stay, a value a second": sorted(_FOLDER.glob("mimic4/*_full_1hz.csv.gz")),
        "the same as it came, every 1.024 s": sorted(_FOLDER.glob("mimic4/85594648n.csv.gz")),
        "cuts of two hours": sorted(_FOLDER.glob("mimic4/*_2h_1hz.csv")),
        "minutes: 8 of each of 35 patients": sorted(_FOLDER.glob("bidmc/*_Numerics.csv")),
    }
    shipped = profile_file.shipped("adult_infusion").compiled()
    every: list[Recording] = []
    to_read = 0.0
    for title, paths in groups.items():
        started = time.process_time()
        recordings = [csv.read(path) for path in paths]
        seconds = time.process_time() - started
        _add(table, title, shipped, recordings, seconds)
        every += recordings
        to_read += seconds
    _add(table, "all of these", shipped, every, to_read, aimed=True)
    _add(table, "all of these", profile_file.named_or_file(_SENTENCE).compiled(), every, to_read, aimed=True)
    table.notes.append("A short recording costs a seventh of a millisecond, however short: the hours of it are few.")
    return table


def _add(
    table: Table, title: str, profile: Profile, recordings: list[Recording], to_read: float, *, aimed: bool = False
) -> None:
    hours = sum(one.ended - one.began for one in recordings) / 3600
    times, changes = [], 0
    for _ in range(_ROUNDS):
        started = time.process_time()
        changes = sum(len(judge(profile, one)) for one in recordings)
        times.append(time.process_time() - started)
    seconds = statistics.median(times)
    rate = hours / seconds
    row = (f"{hours:.1f}", f"{len(profile.rules)}", f"{rate:,.0f}", f"{seconds * 1e3:.1f}", f"{changes:,}")
    table.rows.append((title, *row, f"{to_read * 1e3:.0f}"))
    table.raw.append({"case": title, "rules": len(profile.rules), "hours": hours, "seconds": times, "to_read": to_read})
    if aimed and rate < AIM:
        table.missed.append(f"{title}, {len(profile.rules)} rules")
