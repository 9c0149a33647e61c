"""kill -9 of the station and of InfluxDB at any moment: what was published is in the journal and in InfluxDB, once.

`CRASHES=100` in the environment is the whole show: the station dies a hundred times, InfluxDB twenty. Without it, it is
a tenth of that. With `--log-cli-level=INFO` it tells at the end what there was to lose.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import Broker, until
from tests.influxd import Influxd
from tests.monitor.program import COMMAND, ROOT, RunningStation, call

CRASHES = int(os.environ.get("CRASHES", "10"))
STATION_CRASHES_FOR_ONE_OF_INFLUXDB = 5
BEDS = 20
PAUSE = 0.004
"""Seconds between two messages of two readings."""
ALERTS = "alerts: {profile: show, profiles: [show.yaml]}\n"
PROFILE = "profile: show\nrules: {spo2_low: 'SpO2 < 95, high'}\n"

_log = logging.getLogger(__name__)

Row = tuple[str, str, int, float]
"""bed, vital, observed_at in nanoseconds, value."""


class Clinic:
    """A station that is fed by MQTT and feeds an InfluxDB, and the gateway that publishes what it shall hold."""

    def __init__(self, folder: Path, broker: Broker, server: Influxd) -> None:
        self.data = folder / "data"
        self._broker = broker
        self._server = server
        token = folder / "token"
        token.write_text(server.token)
        beds: list[dict[str, Any]] = [
            {
                "id": f"chair-{number}",
                "devices": [
                    {
                        "id": "gateway",
                        "driver": "mqtt_json",
                        "url": f"mqtt://127.0.0.1:{broker.port}/vitals/{{bed}}/{{device}}",
                    }
                ],
            }
            for number in range(1, BEDS + 1)
        ]
        influxdb = {"url": server.url, "org": server.org, "bucket": server.bucket, "token_file": str(token)}
        self._configuration = folder / "clinic.yaml"
        (folder / "show.yaml").write_text(PROFILE)
        self._configuration.write_text(ALERTS + f"influxdb: {json.dumps(influxdb)}\nbeds: {json.dumps(beds)}\n")
        self._arguments: list[str | Path] = ["--config", self._configuration, "--data-dir", self.data]
        self.expected: set[Row] = set()
        self.killed_at_start = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A station that nobody kills."""
        station = await asyncio.to_thread(RunningStation, self.data, "--config", self._configuration)
        try:
            yield
        finally:
            await asyncio.to_thread(station.stop)

    async def subscribed(self) -> None:
        """Wait until each bed's subscription stands: what is published before goes nowhere."""
        async with self._broker.client() as client:
            for bed in range(1, BEDS + 1):
                # The same message again and again is one reading.
                message = json.dumps({"time": time.time_ns(), "resp_rate": 12})
                while f"chair-{bed}" not in self._beds():
                    await client.publish(f"vitals/chair-{bed}/gateway", message, qos=1)
                    await asyncio.sleep(0.05)
        self.expected = set(self.stored())

    def _beds(self) -> set[str]:
        return {bed for bed, *_ in self.stored()}

    async def publish(self, done: asyncio.Event) -> None:
        """Publish two readings at a time, from one bed after the other."""
        number = 0
        async with self._broker.client() as client:
            while not done.is_set():
                bed, at = f"chair-{number % BEDS + 1}", time.time_ns()
                values = {"spo2": 90.0 + number % 10, "temp": 35 + number % 4000 / 1000}
                await client.publish(f"vitals/{bed}/gateway", json.dumps({"time": at, **values}), qos=1)
                self.expected |= {(bed, vital, at, value) for vital, value in values.items()}
                number += 1
                await asyncio.sleep(PAUSE)

    async def kill_stations(self, chance: random.Random) -> None:
        """Each dies at some moment: half of them while they start."""
        for crash in range(CRASHES):
            station = await asyncio.create_subprocess_exec(
                *(*COMMAND, "run", "--port", "0", *map(str, self._arguments)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            )
            assert station.stdout is not None
            said = b""
            try:
                if crash % 2:
                    await asyncio.sleep(chance.uniform(0, 0.7))
                else:
                    # How long it starts is the machine's affair; it then records for a while.
                    said = await station.stdout.readline()
                    await asyncio.sleep(chance.uniform(0, 2))
                assert station.returncode is None, "the station ended by itself"
            finally:
                # Whatever ends the test, this must not outlive it.
                if station.returncode is None:
                    station.kill()
            more, _ = await station.communicate()
            self.killed_at_start += not said + more

    async def kill_servers(self, chance: random.Random) -> None:
        """It dies at some moment too, and is away for some time."""
        for _ in range(CRASHES // STATION_CRASHES_FOR_ONE_OF_INFLUXDB):
            await asyncio.sleep(chance.uniform(0, 1.5 * STATION_CRASHES_FOR_ONE_OF_INFLUXDB))
            self._server.kill()
            await asyncio.sleep(chance.uniform(0, 2))
            await asyncio.to_thread(self._server.start)

    def stored(self) -> list[Row]:
        """What SQLite itself finds in the journal."""
        if not (self.data / "journal.db").exists():
            return []
        return self._ask("SELECT bed, vital, observed_at, value FROM readings JOIN series ON series.id = series")

    def whole(self) -> bool:
        """Whether SQLite finds every page of the journal and every index as it must be."""
        return self._ask("PRAGMA integrity_check") == [("ok",)]

    def _ask(self, question: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'journal.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchall()

    def forwarded(self) -> list[Row]:
        """What a foreign client finds in InfluxDB."""
        rows = self._server.query(
            f'from(bucket: "{self._server.bucket}") |> range(start: 0) '
            '|> filter(fn: (r) => r._measurement == "vitals") '
            "|> map(fn: (r) => ({bed: r.bed, vital: r._field, at: int(v: r._time), value: r._value})) |> group()"
        )
        return [(row["bed"], row["vital"], row["at"], row["value"]) for row in rows]

    def forwarded_readings(self) -> int:
        [row] = self._server.query(
            f'from(bucket: "{self._server.bucket}") |> range(start: 0) '
            '|> filter(fn: (r) => r._measurement == "vitals") |> group() |> count()'
        ) or [{"_value": 0}]
        return int(row["_value"])

    def alerts(self, *more: str) -> list[str]:
        """What the command prints, without what InfluxDB does not hold."""
        done = call("alerts", "--json", *self._arguments[: 2 if more else 4], *more)
        assert done.returncode == 0, done.stderr
        return [json.dumps({**json.loads(line), "site": None}, sort_keys=True) for line in done.stdout.splitlines()]


@pytest.mark.timeout(300 + 10 * CRASHES)
async def test_nothing_is_lost_or_doubled_when_station_and_influxdb_are_killed(tmp_path: Path) -> None:
    chance = random.Random(5)
    with Broker(tmp_path / "broker") as broker, Influxd(tmp_path / "influxd") as server:
        clinic = Clinic(tmp_path, broker, server)
        async with clinic.running():
            await clinic.subscribed()

        done = asyncio.Event()
        publishing = asyncio.create_task(clinic.publish(done))
        began = time.monotonic()
        async with asyncio.TaskGroup() as killers:
            killers.create_task(clinic.kill_stations(chance))
            killers.create_task(clinic.kill_servers(random.Random(6)))
        elapsed = time.monotonic() - began
        survived, raised = len(clinic.stored()), clinic.alerts()
        done.set()
        await publishing

        async with clinic.running():
            await until(lambda: len(clinic.stored()) >= len(clinic.expected), "for the journal")
            await until(lambda: clinic.forwarded_readings() >= len(clinic.expected), "for InfluxDB")
        journal, forwarded = clinic.stored(), clinic.forwarded()
        assert len(journal) == len(forwarded) == len(clinic.expected)
        assert set(journal) == set(forwarded) == clinic.expected

        alerts, there = clinic.alerts(), clinic.alerts("--from", "influxdb")
        assert raised
        assert len(there) == len(set(there))
        # The last station's last alerts may have come when nobody forwarded any more.
        assert set(raised) <= set(there) <= set(alerts)
        assert clinic.whole()
        held = call("verify", "--data-dir", clinic.data)
        assert held.returncode == 0, held.stdout
        _log.info(
            "%d kills of the station in %.0f s, %d of them before it said that it runs, %d of InfluxDB: of %d readings "
            "published %d were in the journal after the last kill, all of them in both in the end, and %d alerts",
            *(CRASHES, elapsed, clinic.killed_at_start, CRASHES // STATION_CRASHES_FOR_ONE_OF_INFLUXDB),
            *(len(clinic.expected), survived, len(there)),
        )
