"""Lines that the sink brings into a real InfluxDB in a second, and rows that come back from it by Flux."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import day
from benchmarks.table import Table
from monitor.config import InfluxdbConfig
from monitor.sinks.influxdb import InfluxdbSink
from monitor.sinks.influxdb_history import InfluxdbHistory
from monitor.storage.backlog import Backlog
from tests.influxd import Influxd

AIM = 100_000
"""Lines a second."""
_HOURS = 1
_SITE = "bench"
_ROUNDS = 5
_ROWS = 100_000
"""Rows that are read back in a round."""


def measure(hours: int = _HOURS) -> Table:
    """Send the portions of a journal round by round, each into an empty bucket, and read the last one."""
    table = Table(
        f"InfluxDB: {day.count(hours):,} readings of a journal, {len(day.VITALS)} a line, through the sink and back",
        f"{AIM:,} lines/s into a real server",
        ("way", "lines or rows", "a second", "least", "most", "CPU s a million", "is"),
        notes=[
            "The server shares the cores. In: from portions in memory to the server's answers, one post at a time;",
            "a line is a point of all vitals of one moment. Out: rows as the station's reading side gives them.",
        ],
    )
    folder = day.journal(hours)
    try:
        with tempfile.TemporaryDirectory() as place, Influxd(Path(place) / "influxd") as server:
            token = Path(place) / "token"
            token.write_text(server.token, encoding="utf-8")
            bucket = _write(table, server, token, folder, hours)
            _read(table, _config(server, bucket, token))
    except pytest.skip.Exception as missing:
        table.missed.append(f"not being measured: {missing}")
    return table


def _config(server: Influxd, bucket: str, token: Path) -> InfluxdbConfig:
    return InfluxdbConfig(url=server.url, org=server.org, bucket=bucket, token_file=str(token))


def _write(table: Table, server: Influxd, token: Path, folder: Path, hours: int) -> str:
    lines = day.count(hours) // len(day.VITALS)
    rates, cpu = [], []
    bucket = ""
    for number in range(_ROUNDS):
        bucket = f"round-{number}"
        server.create_bucket(bucket, 0)
        seconds, processor = asyncio.run(_send(folder, _config(server, bucket, token)))
        rates.append(lines / seconds)
        cpu.append(processor / lines * 1e6)
    found = _lines_there(server, bucket)
    right = "all there" if found == lines else f"{found:,} there"
    _add(table, "lines in", lines, rates, cpu, right)
    if found != lines:
        table.missed.append(f"{found:,} of {lines:,} lines are there")
    if (rate := statistics.median(rates)) < AIM:
        table.missed.append(f"{rate:,.0f} lines/s")
    return bucket


async def _send(folder: Path, config: InfluxdbConfig) -> tuple[float, float]:
    """Seconds and CPU seconds of this process in the sink alone: the journal is read between two sends."""
    sink, backlog = InfluxdbSink(config, _SITE), Backlog(folder)
    seconds = cpu = 0.0
    through = 0
    try:
        while not (portion := backlog.next(through)).empty:
            started, before = time.perf_counter(), time.process_time()
            sent = await sink.send(portion)
            seconds += time.perf_counter() - started
            cpu += time.process_time() - before
            if sent.refused or sent.too_old:
                raise RuntimeError(f"the server refuses lines: {sent.refused[:1]}, {sent.too_old} too old")
            through = portion.through
    finally:
        backlog.close()
        await sink.close()
    return seconds, cpu


def _lines_there(server: Influxd, bucket: str) -> int:
    """How many points have a temperature, which the day's readings never lack."""
    found = server.query(
        f'from(bucket: "{bucket}") |> range(start: 0) '
        '|> filter(fn: (r) => r._measurement == "vitals" and r._field == "temp") |> group() |> count()'
    )
    return sum(row["_value"] for row in found)


def _read(table: Table, config: InfluxdbConfig) -> None:
    history = InfluxdbHistory(config)
    rates, cpu = [], []
    rows = 0
    for _ in range(_ROUNDS):
        started, before = time.perf_counter(), time.process_time()
        rows = sum(1 for _ in islice(history.readings(since=day.START), _ROWS))
        rates.append(rows / (time.perf_counter() - started))
        cpu.append((time.process_time() - before) / rows * 1e6)
    _add(table, "rows out, by Flux", rows, rates, cpu, "readings")


def _add(table: Table, way: str, count: int, rates: list[float], cpu: list[float], what: str) -> None:
    table.rows.append(
        (
            way,
            f"{count:,}",
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{statistics.median(cpu):.1f}",
            what,
        )
    )
    table.raw.append({"way": way, "count": count, "rates": rates, "cpu_seconds_per_million": cpu})
