"""A whole station on a real broker: whatever befalls it, every message published is in the journal once."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import NS, iso
from monitor.storage.history import History
from tests.broker import PATIENCE, Broker, until
from tests.monitor.program import RunningStation

KILLS = 6
MESSAGES = 2000
TOPIC = "vitals/chair-1/gateway"
CONFIGURATION = """
site: test
beds:
  - id: chair-1
    devices:
      - id: gateway
        driver: mqtt_json
        url: "mqtt://127.0.0.1:{port}/vitals/{{bed}}/{{device}}"
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


class Site:
    """A station's configuration and journal, and a gateway that numbers its messages from 0."""

    def __init__(self, folder: Path, broker: Broker, *, ago: float = 3 * 3600) -> None:
        """The first message is of `ago` seconds before now."""
        self.data = folder / "data"
        self._configuration = folder / "config.yaml"
        self._configuration.write_text(CONFIGURATION.format(port=broker.port))
        self._broker = broker
        self._start = time.time_ns() - int(ago * NS)
        self.published = 0

    async def start(self) -> RunningStation:
        return await asyncio.to_thread(RunningStation, self.data, "--config", self._configuration)

    def message(self, number: int) -> str:
        """Each has its own second of the past and its own temperature."""
        return json.dumps({"time": self.moment(number), "temp": self.temperature(number)})

    def moment(self, number: int) -> int:
        return self._start + number * NS

    @staticmethod
    def temperature(number: int) -> float:
        return 30 + number / 1000

    async def subscribed(self) -> None:
        """Wait until the station's first subscription stands: what is published before it goes nowhere."""
        # The same message again and again is one reading.
        while not self.stored():
            await self._broker.publish(TOPIC, self.message(0))
            await asyncio.sleep(0.05)
        self.published = 1

    async def publish(self, count: int, pause: float = 0) -> None:
        async with self._broker.client() as client:
            for _ in range(count):
                await client.publish(TOPIC, self.message(self.published), qos=1)
                self.published += 1
                await asyncio.sleep(pause)

    def stored(self) -> list[int]:
        """The numbers of the messages that are in the journal; fails for any that is not as it was sent."""
        if not (self.data / "journal.db").exists():
            return []
        rows = list(History(self.data).readings())
        numbers = [(row.observed_at - self._start) // NS for row in rows]
        for row, number in zip(rows, numbers, strict=True):
            assert (row.bed, row.device, row.vital) == ("chair-1", "gateway", "temp")
            assert (row.observed_at, row.value) == (self.moment(number), self.temperature(number))
        return numbers

    async def complete(self) -> None:
        """Wait until as many are stored as were published; then each must be there once, and the file whole."""
        await until(lambda: len(self.stored()) >= self.published, f"for {self.published} messages")
        assert self.stored() == list(range(self.published))
        self.whole()

    def whole(self) -> None:
        connection = sqlite3.connect(f"file:{self.data / 'journal.db'}?mode=ro", uri=True)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


async def test_no_message_is_lost_or_stored_twice_however_often_the_station_is_killed(
    tmp_path: Path, broker: Broker
) -> None:
    site, chance = Site(tmp_path, broker), random.Random(4)
    station = await site.start()
    try:
        await site.subscribed()
        publishing = asyncio.create_task(site.publish(MESSAGES, pause=0.003))
        for _ in range(KILLS):
            # In the middle of the stream: this station has stored some, and more are coming.
            enough = len(site.stored()) + chance.randrange(1, 150)
            await until(lambda enough=enough: len(site.stored()) >= enough, "for some messages")  # type: ignore[misc]
            code, said = await asyncio.to_thread(station.stop, signal.SIGKILL)
            assert code == -signal.SIGKILL, said
            station = await site.start()
        await publishing
        await site.complete()
    finally:
        code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said
    assert site.stored() == list(range(MESSAGES + 1))


async def test_a_station_that_is_told_to_stop_has_committed_all_that_it_took(tmp_path: Path, broker: Broker) -> None:
    site = Site(tmp_path, broker)
    station = await site.start()
    await site.subscribed()
    publishing = asyncio.create_task(site.publish(300, pause=0.002))
    await until(lambda: len(site.stored()) > 100)
    code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said
    assert "Traceback" not in said
    # Nothing is left in a write-ahead log (looked for first: reading makes one), and there is no gap.
    assert not list(site.data.glob("journal.db-*"))
    stored = site.stored()
    assert stored == list(range(len(stored)))
    await publishing
    station = await site.start()
    await site.complete()
    code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said


async def test_what_is_published_while_the_station_is_down_arrives_after_its_start(
    tmp_path: Path, broker: Broker
) -> None:
    site = Site(tmp_path, broker)
    station = await site.start()
    await site.subscribed()
    assert (await asyncio.to_thread(station.stop))[0] == 0
    await site.publish(3000)
    assert site.stored() == [0]
    # The broker too is started again before the station comes back.
    broker.stop()
    broker.start()
    station = await site.start()
    await site.complete()
    assert (await asyncio.to_thread(station.stop))[0] == 0


async def test_a_broker_that_is_started_again_under_a_running_station_is_found_again(
    tmp_path: Path, broker: Broker
) -> None:
    site = Site(tmp_path, broker)
    station = await site.start()
    await site.subscribed()
    for _ in range(3):
        await site.publish(50)
        broker.stop()
        broker.start()
        await site.publish(50)
        await site.complete()
    code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said
    assert "Traceback" not in said


@pytest.mark.parametrize("how", ["gone", "frozen", "frozen from the start"])
async def test_a_station_stops_in_order_though_its_broker_does_not_answer(
    tmp_path: Path, broker: Broker, how: str
) -> None:
    site = Site(tmp_path, broker)
    station = await site.start()
    await site.subscribed()
    if how == "gone":
        broker.kill()
    else:
        broker.freeze()
    if how == "frozen from the start":
        # Its connection is taken by the operating system and waits for a word.
        assert (await asyncio.to_thread(station.stop))[0] == 0
        station = await site.start()
    code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said
    assert "Traceback" not in said
    site.whole()


async def test_while_the_disk_takes_nothing_every_message_reaches_the_page_and_later_the_journal(
    tmp_path: Path, broker: Broker
) -> None:
    site = Site(tmp_path, broker, ago=100)
    station = await site.start()

    async def page() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.to_thread(station.get, "/api/snapshot"))
        return found

    async def shown(what: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not what(await page()):
                await asyncio.sleep(0.05)

    try:
        await site.subscribed()
        await site.publish(10)
        await site.complete()
        # From here on the kernel refuses every write that makes a file longer than it is.
        length = (site.data / "journal.db-wal").stat().st_size
        endless = resource.RLIM_INFINITY
        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (length, endless))
        # Three times as many as mosquitto sends by itself without an acknowledgement.
        await site.publish(60)
        await shown(lambda page: str(page["notice"]).startswith("NOT RECORDING"))
        # Too old for its value to be shown.
        await shown(lambda page: page["beds"][0]["vitals"]["temp"]["observed_at"] == iso(site.moment(70)))
        assert site.stored() == list(range(11))

        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (endless, endless))
        await site.complete()
        await shown(lambda page: page["notice"] == "")
    finally:
        code, said = await asyncio.to_thread(station.stop)
    assert code == 0, said
    assert site.stored() == list(range(71))
