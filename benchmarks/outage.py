"""InfluxDB away for a day: how the station catches up from its journal, and what the client alone would have lost.

The day's journal stands for a station whose server was away all the time. A fresh server comes, and the forwarder sends
everything, in a process of its own as the station's would, until its cursor stands at the journal's last commit. Count
and sum of each vital in the server are then held against the journal's; a point that was written twice is one.

Beside it the client's own batching `WriteApi`, all options untouched, gets the same 120 readings a second while its
server is down. It mostly sleeps: so it may do that while the day is being made and caught up with.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS, SystemClock
from monitor.config import InfluxdbConfig
from monitor.sinks.forwarder import FORWARDING, Forwarder
from monitor.sinks.influxdb import InfluxdbSink
from monitor.storage.backlog import Backlog
from monitor.storage.connection import JOURNAL_FILE, connect
from monitor.storage.journal import Journal
from tests.influxd import Influxd

AIM = 20
"""Times real time."""
DOWN = 240
"""Seconds that the client's server is down: longer than the 180 s that it tries a batch for."""
_PATIENCE = 900.0
_SITE = "bench"

_Sums = dict[str, tuple[int, float]]
"""Of each field, the values of vitals and their validities where these are not valid: how many, and their sum."""


class Alone(NamedTuple):
    """What became of the readings that the client's batching writer was given."""

    written: int
    arrived: int
    close_seconds: float
    """How long `close` took once the server was back."""


def measure(hours: int = day.HOURS, down: int = DOWN) -> Table:
    """Catch up with `hours` of the day; meanwhile the client's server is `down` seconds down."""
    table = Table(
        f"Outage: {hours} h of InfluxDB away, 120 readings/s, and what is there afterwards",
        f"caught up {AIM} times faster than it was recorded, every reading there once",
        (
            "who",
            "outage",
            "readings",
            "arrived",
            "lost",
            "caught up in s",
            "times real time",
            "sums",
            "RSS before/peak MB",
        ),
    )
    try:
        _both(table, hours, down)
    except pytest.skip.Exception as missing:
        table.missed.append(f"not being measured: {missing}")
    return table


def _both(table: Table, hours: int, down: int) -> None:
    given_up = threading.Event()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        thread = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(given_up.set)
        alone = thread.submit(_client_alone, folder / "alone", down, given_up)
        data = day.copy(hours)
        with Influxd(folder / "influxd") as server:
            token = folder / "token"
            token.write_text(server.token, encoding="utf-8")
            caught = _in_a_process(
                data=str(data), url=server.url, org=server.org, bucket=server.bucket, token_file=str(token)
            )
            there = _in_influxdb(server)
        _add_station(table, hours, caught, there, _in_journal(data), alone_is_done=alone.done())
        _add_client(table, down, alone.result())


def _add_station(
    table: Table, hours: int, caught: dict[str, float], there: _Sums, recorded: _Sums, *, alone_is_done: bool
) -> None:
    times = hours * 3600 / caught["seconds"]
    equal = _equal(recorded, there)
    held, found = _readings(recorded), _readings(there)
    table.rows.append(
        (
            "journal and forwarder",
            f"{hours} h",
            f"{held:,}",
            f"{found:,}",
            f"{held - found:,}",
            f"{caught['seconds']:.1f}",
            f"{times:,.0f}",
            "equal" if equal else "DIFFER",
            f"{caught['before'] / 1e6:.0f}/{caught['peak'] / 1e6:.0f}",
        )
    )
    table.raw.append({"hours": hours, **caught, "journal": recorded, "influxdb": there})
    table.notes += [
        "Equal: for each vital the count and the sum of its values, and of the validities that are not valid. The same",
        f"point twice is one point there. The catching up took {caught['cpu']:.1f} s of its process's CPU"
        + ("." if alone_is_done else "; the client waited for its server beside it."),
    ]
    if not equal:
        table.missed.append("the server does not hold what the journal holds")
    if times < AIM:
        table.missed.append(f"{times:.0f} times real time")


def _add_client(table: Table, down: int, alone: Alone) -> None:
    lost = alone.written - alone.arrived
    table.rows.append(
        (
            "client's WriteApi, defaults",
            f"{down} s",
            f"{alone.written:,}",
            f"{alone.arrived:,}",
            f"{lost:,}",
            f"{alone.close_seconds:.1f}",
            "-",
            "-",
            "-",
        )
    )
    table.raw.append({"down": down, **alone._asdict()})
    patience = WriteOptions().max_retry_time / 1e3
    cost, rest = lost / down * 86_400, 86_400 * 120
    table.notes += [
        f"The client tries a batch for {patience:g} s, drops it and takes up the next; all others wait in memory.",
        f"A conclusion, not a measurement: at this rate 24 h cost it {cost:,.0f} readings, and the rest of {rest:,} is",
        "in memory alone: a process that ends before its server is back has lost all of them.",
    ]


def _readings(sums: _Sums) -> int:
    """How many readings that is: those with a value, and those that say that they are invalid, which have none."""
    doubts = sum(round(total) - count for field, (count, total) in sums.items() if field.endswith("_validity"))
    return doubts + sum(count for field, (count, _) in sums.items() if not field.endswith("_validity"))


def _equal(one: _Sums, other: _Sums) -> bool:
    """Whether counts are equal, and sums but for the order of adding: a float more or less shows in the count."""
    return one.keys() == other.keys() and all(
        one[key][0] == other[key][0] and abs(one[key][1] - other[key][1]) <= 1e-9 * max(1.0, abs(one[key][1]))
        for key in one
    )


def _in_journal(data: Path) -> _Sums:
    connection = connect(data / JOURNAL_FILE)
    try:
        rows = connection.execute(
            "SELECT vital, count(value), total(value), sum(validity <> 0), sum(validity) "
            "FROM readings JOIN series ON series.id = readings.series GROUP BY vital"
        ).fetchall()
    finally:
        connection.close()
    sums: _Sums = {vital: (count, total) for vital, count, total, _, _ in rows}
    return sums | {f"{vital}_validity": (doubts, float(of_them)) for vital, _, _, doubts, of_them in rows if doubts}


def _in_influxdb(server: Influxd) -> _Sums:
    where = (
        f'from(bucket: "{server.bucket}") |> range(start: 0) '
        '|> filter(fn: (r) => r._measurement == "vitals" and r._field !~ /_cause$/)'
    )
    # Text is not summed, and one answer per function keeps both within the storage engine.
    counted = server.query(f'{where} |> count() |> group(columns: ["_field"]) |> sum()')
    summed = server.query(f'{where} |> sum() |> toFloat() |> group(columns: ["_field"]) |> sum()')
    totals = {row["_field"]: row["_value"] for row in summed}
    return {row["_field"]: (row["_value"], totals[row["_field"]]) for row in counted}


def _client_alone(folder: Path, down: int, given_up: threading.Event) -> Alone:
    """Write to a server that is down with the client's own means, let the server come, and count what it has."""
    with Influxd(folder) as server:
        server.stop()
        client = InfluxDBClient(url=server.url, token=server.token, org=server.org)
        # It would tell of every attempt; a new client sets these levels itself.
        for of in ("write.retry", "write_api"):
            logging.getLogger(f"influxdb_client.client.{of}").setLevel(logging.CRITICAL)
        writer = client.write_api(write_options=WriteOptions())
        began, written = time.monotonic(), 0
        for second in range(down):
            if given_up.wait(max(0.0, began + second - time.monotonic())):
                break
            for bed in day.BEDS:
                point = Point("vitals").tag("bed", bed).tag("device", "monitor")  # type: ignore[no-untyped-call]  # the library has no types here
                for vital in day.VITALS:
                    point.field(vital, 60.0 + second % 40)
                point.time(day.START + second * NS)
                writer.write(bucket=server.bucket, record=point)
                written += len(day.VITALS)
        server.start()
        closing = time.monotonic()
        # It sends what it still has, and gives up after five minutes.
        writer.close()  # type: ignore[no-untyped-call]  # nor here
        seconds = time.monotonic() - closing
        client.close()  # type: ignore[no-untyped-call]  # nor here
        found = server.query(f'from(bucket: "{server.bucket}") |> range(start: 0) |> group() |> count()')
        return Alone(written, sum(row["_value"] for row in found), seconds)


def _in_a_process(**where: str) -> dict[str, float]:
    """`_catch_up` in a process of its own, whose memory and CPU time are not those of the bench."""
    command = [sys.executable, "-m", "benchmarks.outage", json.dumps(where)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def _catch_up(data: Path, config: InfluxdbConfig) -> dict[str, float]:
    """Seconds, CPU seconds and memory until the cursor is at the journal's end and nothing waits."""
    journal = Journal(data)
    journal.open()
    connection = connect(journal.path)
    [(end,)] = connection.execute("SELECT max(commit_no) FROM readings").fetchall()
    connection.close()
    forwarder = Forwarder(InfluxdbSink(config, _SITE), lambda: Backlog(data), journal, SystemClock())
    before = psutil.Process().memory_info().rss
    cpu, started = time.process_time(), time.perf_counter()
    task = asyncio.create_task(forwarder.run())
    while forwarder.status.through < end:
        await asyncio.sleep(0.05)
        if task.done() or time.perf_counter() - started > _PATIENCE or forwarder.status.state != FORWARDING:
            raise RuntimeError(f"the forwarder does not get there: {forwarder.status}")
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await journal.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "cpu": cpu, "before": before, "peak": peak}


def _main(where: dict[str, Any]) -> None:
    data = Path(where.pop("data"))
    print(json.dumps(asyncio.run(_catch_up(data, InfluxdbConfig(**where)))))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
