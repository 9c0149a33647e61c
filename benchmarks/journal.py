"""Readings that the journal commits in a second while its queue is never empty, and what one takes on disk."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.table import Table
from drivers.events import Reading, measured
from monitor.storage.journal import Journal

NEED = 600
"""Readings a second that 100 oximeters of format 2 give."""
AIM = 100
_BEDS = 100
_READINGS = 300_000
_PATIENCE = 60.0
"""Seconds after which a journal that does not commit is given up."""
_START = 1_767_225_600_000_000_000
_PACKET = 333_333_333
"""Nanoseconds between two packets of an oximeter."""


def measure() -> Table:
    """Record a day's rush at once, and wait until all of it is committed."""
    with tempfile.TemporaryDirectory() as folder:
        elapsed, size = asyncio.run(_fill(Path(folder)))
    rate, each = _READINGS / elapsed, size / _READINGS
    table = Table(
        f"Journal: {_READINGS:,} readings of {_BEDS} beds recorded two at a time, until the last is committed",
        f"{AIM} times the {NEED} readings a second of 100 oximeters",
        ("committed readings/s", "times the need", "bytes/reading", "MB a bed and day"),
        [(f"{rate:,.0f}", f"{rate / NEED:,.0f}", f"{each:.0f}", f"{each * 6 * 86_400 / 1e6:,.1f}")],
        notes=[
            "synchronous=FULL, group commits; bytes of the closed file, its index by commit included.",
            "The recording side runs on the same interpreter, as in the station. A bed is one format 2 oximeter.",
        ],
        raw=[{"readings": _READINGS, "seconds": elapsed, "bytes": size}],
    )
    if rate < AIM * NEED:
        table.missed.append(f"{rate / NEED:,.0f} times")
    return table


async def _fill(folder: Path) -> tuple[float, int]:
    journal = Journal(folder)
    journal.open()
    work = _work()
    started = time.perf_counter()
    for bed, readings in work:
        journal.record(bed, "oximeter", readings)
    # The journal calls back once, when the last of what was recorded is on disk.
    committed = asyncio.Event()
    journal.record("chair-0", "oximeter", [], committed.set)
    with suppress(TimeoutError):
        await asyncio.wait_for(committed.wait(), _PATIENCE)
    elapsed = time.perf_counter() - started
    health = journal.health
    await journal.close()
    if health.committed_rows != _READINGS:
        raise RuntimeError(f"{health.committed_rows} of {_READINGS} readings were committed: {health.error}")
    return elapsed, journal.path.stat().st_size


def _work() -> list[tuple[str, list[Reading]]]:
    found = []
    for number in range(_READINGS // 2):
        packet, bed = divmod(number, _BEDS)
        at = _START + packet * _PACKET + bed * 1_000_003
        pair = [measured("pulse_rate", 60.0 + packet % 40, at, at), measured("spo2", 94.0 + packet % 6, at, at)]
        found.append((f"chair-{bed}", pair))
    return found
