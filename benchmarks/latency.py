"""How long a reading takes from the write of its frame's last byte to the live hub, through the whole station.

The station runs here: device, alerts, rings, hub and a journal that commits to disk. A second process (this module as
a program) writes the frames, each with a number in its values, and stamps the moment before the write of its last
part. Both read the same monotonic clock.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import sys
import tempfile
import time
import tty
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bystanders import Bystanders
from benchmarks.clinic import configuration
from benchmarks.lines import Lines, wait_for_ports
from benchmarks.streams import USB_READ, Kind
from benchmarks.table import Table, quantile
from drivers.clock import SystemClock
from drivers.events import Event, Reading
from monitor.config import StationConfig
from monitor.station import Station
from simulators.device_side import make_side
from simulators.patient import Patient

AIM_MS = 2.0
"""99 of 100 readings are on the hub within that."""
_SAMPLES = 500
_WARM_UP = 20
_BUSY_LINES = 20
_MEASURED = (Kind("nonin", {"format": "8"}), Kind("nonin", {"format": "2"}), Kind("ivy450c"))
_BUSY = Kind("nonin", {"format": "2"})
_RATES, _SATURATIONS = 60, 7
"""Different values that a frame's number is told in; all of them inside the limits, as most of a session is."""


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
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = stack.enter_context(Lines([_BUSY] * others))
        writer = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.latency",
            json.dumps(kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        assert writer.stdin is not None
        assert writer.stdout is not None
        addresses = [(await writer.stdout.readline()).decode().strip(), *lines.addresses]
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
        await station.open()
        stop = asyncio.Event()
        running = asyncio.create_task(station.run(stop))
        await asyncio.to_thread(wait_for_ports, os.getpid(), addresses)
        lines.go()
        writer.stdin.write(b"go\n")
        bystanders = Bystanders()
        sent = json.loads(await writer.stdout.readline())
        busy = bystanders.percent
        await asyncio.sleep(0.5)
        stop.set()
        await running
        writer.stdin.close()
        await writer.wait()
    if [key for _, key in came] != [tuple(key) for _, key in sent]:
        raise RuntimeError(f"{kind.title}: {len(came)} of {len(sent)} numbered frames came, or out of order")
    return [arrived - left for (arrived, _), (left, _) in zip(came, sent, strict=True)][_WARM_UP:], busy


class _Numbered(Patient):
    """A patient whose pulse and saturation are the number of the frame."""

    number = 0

    @property
    def key(self) -> tuple[int, int]:
        """The number, as pulse rate and saturation."""
        return 55 + self.number % _RATES, 93 + self.number // _RATES % _SATURATIONS

    def heart_rate(self, t: float) -> float:  # noqa: ARG002 - the patient's signature
        """Beats per minute."""
        return self.key[0]

    def spo2(self, t: float) -> float:  # noqa: ARG002 - the patient's signature
        """Percent."""
        return self.key[1]


def _write_numbered(kind: Kind) -> None:
    """Be the device: write the numbered frames after one line of input, then tell when each was written."""
    master, slave = os.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    sys.stdin.readline()
    patient = _Numbered(seed=1)
    side = make_side(kind.driver, patient, kind.options)
    in_packet = 25 if side.period < 1 else 1
    draw = random.Random(2)
    sent = []
    for patient.number in range(_SAMPLES + _WARM_UP):
        now = patient.number * in_packet * side.period
        parts = [side.tick(now) for _ in range(in_packet)]
        last = parts.pop()[-USB_READ:] if in_packet > 1 else parts[0][-USB_READ:]
        head = b"".join(parts) if in_packet > 1 else parts[0][: -len(last)]
        if head:
            os.write(master, head)
        # Never in step with the journal's commits or the other lines; the head is long read when the last part comes.
        time.sleep(draw.uniform(0.01, 0.03))
        sent.append((time.perf_counter(), patient.key))
        os.write(master, last)
    # The time to the first readings of a format that must first be proved is not the frames' own: `_WARM_UP`.
    print(json.dumps(sent), flush=True)
    sys.stdin.readline()
    os.close(slave)
    os.close(master)


if __name__ == "__main__":
    _write_numbered(Kind(*json.loads(sys.argv[1])))
