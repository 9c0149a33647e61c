"""What the whole station takes of a machine: `python -m monitor run` as a process of its own, with serial devices.

The devices are served by another process and not counted. At the end the journal is held against what they sent.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil

from benchmarks.bystanders import Bystanders
from benchmarks.clinic import configuration
from benchmarks.lines import Lines, Sent, wait_for_ports
from benchmarks.streams import Kind
from benchmarks.table import Table
from monitor.buffer import FOUR_HOURS
from monitor.storage.connection import JOURNAL_FILE

AIM = 25.0
"""Percent of one core, with 100 devices."""
_SECONDS = 10.0
_SETTLE = 3.0
_OXIMETER = Kind("nonin", {"format": "2"})
_MIX = (Kind("nonin", {"format": "8"}), Kind("ivy450c"), Kind("dinamap"))
_RING_BYTES = FOUR_HOURS * 17
"""A time, a value and a validity for each reading."""


def measure() -> Table:
    """Every clinic in turn."""
    table = Table(
        f"Station: the process under load, over {_SECONDS:g} s (CPU in percent of one core)",
        f"100 devices under {AIM:g} % of a core, and every reading sent is in the journal",
        (
            "devices",
            "CPU %",
            "of it system",
            "RSS MB",
            "frames/s",
            "spo2 sent",
            "in the journal",
            "off by",
            "bystanders %",
        ),
        notes=[
            "off by: the most that any one device's count differs from what it sent. bystanders: as above.",
            f"RSS is of a station just started; full rings hold {_RING_BYTES / 1e6:.2f} MB for each vital of a bed.",
        ],
    )
    for title, devices in (
        ("none (a port that is not there)", []),
        ("1 Nonin format 2", [_OXIMETER]),
        ("20 Nonin format 2", [_OXIMETER] * 20),
        ("100 Nonin format 2", [_OXIMETER] * 100),
        ("100: Nonin format 8, Ivy, Dinamap", [_MIX[number % 3] for number in range(100)]),
    ):
        _clinic(title, devices, table)
    return table


def _clinic(title: str, devices: Sequence[Kind], table: Table) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = stack.enter_context(Lines(devices))
        file = folder / "clinic.yaml"
        if devices:
            file.write_text(configuration(devices, lines.addresses), encoding="utf-8")
        else:
            file.write_text(configuration([_OXIMETER], [str(folder / "no-port")]), encoding="utf-8")
        with _running(file, folder) as station:
            wait_for_ports(station.pid, lines.addresses)
            lines.go()
            time.sleep(_SETTLE)
            bystanders = Bystanders()
            began, before = time.monotonic(), station.cpu_times()
            time.sleep(_SECONDS)
            elapsed, after = time.monotonic() - began, station.cpu_times()
            busy = bystanders.percent
            resident = station.memory_info().rss
            total = time.monotonic() - began + _SETTLE
            sent = lines.stop()
            # The last bytes are on their way to the station, which commits what it has when it is told to end.
            time.sleep(0.5)
        held = _held(folder, len(devices))
    system = 100 * (after.system - before.system) / elapsed
    cpu = 100 * (after.user - before.user) / elapsed + system
    _add(table, title, cpu, system, resident, total, sent, held, busy)


def _add(
    table: Table,
    title: str,
    cpu: float,
    system: float,
    resident: int,
    seconds: float,
    sent: Sequence[Sent],
    held: Sequence[int],
    busy: float,
) -> None:
    expected = sum(one.spo2 for one in sent)
    off = max((abs(one.spo2 - there) for one, there in zip(sent, held, strict=True)), default=0)
    table.rows.append(
        (
            title,
            f"{cpu:.1f}",
            f"{system:.1f}",
            f"{resident / 1e6:.0f}",
            f"{sum(one.frames for one in sent) / seconds:,.0f}",
            f"{expected:,}",
            f"{sum(held):,}",
            str(off),
            f"{busy:.0f}",
        )
    )
    table.raw.append(
        {
            "devices": title,
            "cpu_percent": cpu,
            "system_percent": system,
            "bystanders_percent": busy,
            "rss": resident,
            "sent": [one._asdict() for one in sent],
            "spo2_held": list(held),
        }
    )
    if len(sent) == 100 and cpu >= AIM:
        table.missed.append(f"{title} ({cpu:.0f} %)")
    if off > 1:
        table.missed.append(f"{title}: a device's readings are {off} off")


@contextmanager
def _running(file: Path, folder: Path) -> Iterator[psutil.Process]:
    """The station, from its first line on the screen until it has closed its journal."""
    with (folder / "log").open("w+", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "--config", file, "--data-dir", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert child.stdout is not None
            if not child.stdout.readline():
                log.seek(0)
                raise RuntimeError(f"the station did not start:\n{log.read()}")
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            child.communicate(timeout=30)


def _held(folder: Path, devices: int) -> list[int]:
    """How many SpO2 readings of each device the journal has."""
    with closing(sqlite3.connect(f"file:{folder / JOURNAL_FILE}?mode=ro", uri=True)) as journal:
        found = dict(
            journal.execute(
                "SELECT bed, count(*) FROM readings JOIN series ON series.id = readings.series "
                "WHERE vital = 'spo2' GROUP BY bed"
            ).fetchall()
        )
    return [found.get(f"chair-{number}", 0) for number in range(1, devices + 1)]
