"""How long a reading takes from the write of its frame's last byte to the live hub, through the whole station.

The station runs here: device, alerts, rings, hub and a journal that commits to disk. A second process (`numbered`)
writes the frames, each with a number in its values, and stamps the moment before the write of its last part.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.bystanders import Bystanders
from benchmarks.clinic import configuration
from benchmarks.lines import Lines
from benchmarks.numbered import Numbered, running
from benchmarks.streams import USB_READ, Kind
from benchmarks.table import Table, quantile
from drivers.clock import SystemClock
from drivers.events import Event, Reading
from monitor.config import StationConfig
from monitor.station import Station

AIM_MS = 2.0
"""99 of 100 readings are on the hub within that."""
_SAMPLES = 500
_WARM_UP = 20
_BUSY_LINES = 20
_MEASURED = (Kind("nonin", {"format": "8"}), Kind("nonin", {"format": "2"}), Kind("ivy450c"))
_BUSY = Kind("nonin", {"format": "2"})
_KEYS = [(rate, saturation) for saturation in range(94, 100) for rate in range(56, 100)]
"""What tells one frame from the next; inside the limits, as most of a session is."""


def measure() -> Table:
    """Every kind alone and among busy lines."""
    table = Table(
        f"Latency: last byte written to a pseudo-terminal -> reading on the live hub, {_SAMPLES} frames each",
        f"p99 under {AIM_MS:g} ms",
        ("line", "other lines", "p50 ms", "p99 ms", "max ms", "bystanders %"),
        notes=[
            f"Other lines: Nonin format 2, 75 frames/s each. The last part of an Ivy frame is {USB_READ} bytes.",
            "bystanders: the CPU that all other programs took meanwhile, in percent of one core.",
            "Where that is much, the case says little. The maximum is mostly the machine's scheduler.",
        ],
    )
    # What the station tells of its devices belongs to a log, not between two tables.
    logging.getLogger("drivers").setLevel(logging.ERROR)
    for others in (0, _BUSY_LINES):
        for kind in _MEASURED:
            # The rubbish of an earlier measurement is not the station's to clear away.
            gc.collect()
            found, bystanders = asyncio.run(_case(kind, others))
            times = sorted(found)
            p50, p99, most = (quantile(times, share) * 1e3 for share in (0.5, 0.99, 1.0))
            table.rows.append((kind.title, str(others), f"{p50:.2f}", f"{p99:.2f}", f"{most:.2f}", f"{bystanders:.0f}"))
            table.raw.append({"line": kind.title, "others": others, "bystanders_percent": bystanders, "seconds": times})
            if p99 >= AIM_MS:
                table.missed.append(f"{kind.title} beside {others} lines ({p99:.1f} ms)")
    return table


async def _case(kind: Kind, others: int) -> tuple[list[float], float]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = stack.enter_context(Lines([_BUSY] * others))
        device = await stack.enter_async_context(Numbered(kind, _KEYS))
        addresses = [device.address, *lines.addresses]
        settings = StationConfig.model_validate_json(configuration([kind, *[_BUSY] * others], addresses))
        station = Station(settings, SystemClock(), data_dir=folder, port=0)
        came: list[tuple[float, tuple[float | None, ...]]] = []

        def heard(bed: str, _device: str, events: Sequence[Event]) -> None:
            if bed == "chair-1":
                now = time.perf_counter()
                readings = [event for event in events if type(event) is Reading]
                rates = [reading.value for reading in readings if reading.vital == "pulse_rate"]
                saturations = [reading.value for reading in readings if reading.vital == "spo2"]
                came.extend((now, key) for key in zip(rates, saturations, strict=True))

        station.hub.add_listener(heard)
        async with running(station, addresses):
            lines.go()
            bystanders = Bystanders()
            # The time to the first readings of a format that must first be proved is not the frames' own.
            sent = [*await device.write(_WARM_UP), *await device.write(_SAMPLES)]
            busy = bystanders.percent
            await asyncio.sleep(0.5)
    if [key for _, key in came] != [written.key for written in sent]:
        raise RuntimeError(f"{kind.title}: {len(came)} of {len(sent)} numbered frames came, or out of order")
    return [arrived - written.at for (arrived, _), written in zip(came, sent, strict=True)][_WARM_UP:], busy
