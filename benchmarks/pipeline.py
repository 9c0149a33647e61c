"""MQTT QoS 1 to InfluxDB: what one message costs the station, and what it costs the programs that people use today.

Every contender gets the same messages, one a bed and moment as a gateway would send them (docs/connecting.md), from a
broker of its own and writes them to a bucket of its own. It subscribes with persistent sessions and is given one
message of each bed, which has it load and connect all that it does only then. Once it idles it is stopped (SIGSTOP),
and the broker queues all messages for it. From SIGCONT until the server has all of the points, its CPU time and the
clock count: neither the publisher nor a start costs anything.

How far the server is, it tells in its metrics, which costs it no search; when it seems to be there, a query counts the
points. The sums of all fields are held against what was sent, so that nobody wins by dropping.

All get the broker's whole window: with mosquitto's usual 20 in flight, a client that acknowledges only what is written
would be measured at waiting. Of a backlog the station's alerts judge only what is younger than ten seconds; to find
that a value is older costs them as much as to find it inside every limit. Rounds go through the contenders in turn;
each figure is a median.
"""

from __future__ import annotations

import random
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.bystanders import Bystanders
from benchmarks.contenders import (
    BEDS,
    IN_FLIGHT,
    STATION,
    TELEGRAF,
    TOKEN,
    Contender,
    Place,
    paho,
    station,
    telegraf,
    telegraf_program,
)
from benchmarks.paho_writer import VITALS
from benchmarks.table import Table
from tests.broker import Broker
from tests.influxd import Influxd

AIM = 3.0
"""Times that the station is to do better than paho, Point and WriteApi together."""
_MESSAGES = 100_000
_ROUNDS = 3
_WINDOW = 10_000
"""Messages that the publisher has under way: it numbers no more than 65,535."""
_PATIENCE = 120.0
"""Seconds after which points that have not come are taken not to come."""
_PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The environment's proxies are not for a server on this machine."""


class Result(NamedTuple):
    """What one contender did in one round."""

    cpu: float
    """Seconds, user and system."""
    seconds: float
    rss: int
    points: int
    right: bool
    """Whether the sum of every field is that of the messages."""
    bystanders: float
    """The CPU of all that has no part in it, in percent of one core."""


class Messages:
    """One message of each bed to warm up with and then `count`, without their times; and what they add up to."""

    def __init__(self, count: int) -> None:
        draw = random.Random(1)
        self.values = [
            # Inside the limits, as most of a session is.
            (draw.randint(60, 100), draw.randint(94, 99), draw.randint(12, 20))
            for _ in range(BEDS + count)
        ]
        self.sums = {vital: float(sum(each[index] for each in self.values)) for index, vital in enumerate(VITALS)}

    def warm_up(self, port: int) -> None:
        """Publish the first ones to the broker on that port."""
        self._publish(port, self.values[:BEDS])

    def publish(self, port: int) -> None:
        """Publish all others."""
        self._publish(port, self.values[BEDS:])

    def _publish(self, port: int, values: list[tuple[int, int, int]]) -> None:
        """Each bed's a millisecond apart, from now on."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(_WINDOW)
        client.connect("127.0.0.1", port)
        client.loop_start()
        began = datetime.now(UTC)
        sent = None
        for number, (heart_rate, spo2, resp_rate) in enumerate(values):
            turn, bed = divmod(number, BEDS)
            at = (began + timedelta(milliseconds=turn)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            message = f'{{"time": "{at}", "heart_rate": {heart_rate}, "spo2": {spo2}, "resp_rate": {resp_rate}}}'
            if sent is not None and number % _WINDOW == 0:
                sent.wait_for_publish(_PATIENCE)
            sent = client.publish(f"vitals/chair-{bed + 1}/monitor", message, qos=1)
        assert sent is not None
        # The broker answers in order.
        sent.wait_for_publish(_PATIENCE)
        assert sent.is_published()
        client.disconnect()
        client.loop_stop()


def measure() -> Table:
    """Every contender in every round."""
    table = Table(
        f"Pipeline: {_MESSAGES:,} messages of {BEDS} beds, MQTT QoS 1 -> InfluxDB (medians of {_ROUNDS} rounds)",
        f"the station {AIM:g} times paho + Point + WriteApi in CPU and in messages/s, and no slower than Telegraf",
        (
            "contender",
            "CPU us/message",
            "messages/s",
            "RSS MB",
            "points",
            "sums",
            "an acknowledged message is",
            "bystanders %",
        ),
        notes=[
            f"A message holds {len(VITALS)} vitals and becomes one point. The station also checks it for alerts and",
            "commits it to its journal. CPU is the program's alone; broker and server share the cores, and so bound",
            "messages/s. RSS: the most, points: the fewest of any round. bystanders: all that has no part in it.",
        ],
    )
    contenders = [
        Contender(STATION, "on disk here", station, BEDS),
        Contender("paho + Point + WriteApi", "in memory", paho(0), 1),
        Contender("the same, batches of 5,000", "in memory", paho(5_000), 1),
    ]
    program = telegraf_program()
    if program is not None:
        contenders.append(Contender(TELEGRAF, "in InfluxDB", telegraf(program), 1))
    try:
        results = _rounds(contenders)
    except pytest.skip.Exception as missing:
        table.missed.append(f"not being measured: {missing}")
        results = {}
    for contender in contenders:
        if found := results.get(contender.name):
            _add(table, contender, found)
    if program is None:
        table.rows.append((f"{TELEGRAF} (cannot be built here)", *("-",) * (len(table.columns) - 1)))
    _judge(table, results)
    return table


def _rounds(contenders: list[Contender]) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {contender.name: [] for contender in contenders}
    messages = Messages(_MESSAGES)
    with tempfile.TemporaryDirectory() as folder, Influxd(Path(folder) / "influxd") as server:
        for turn in range(_ROUNDS):
            for number, contender in enumerate(contenders):
                bucket = f"bucket-{turn}-{number}"
                server.create_bucket(bucket, 0)
                results[contender.name].append(_case(contender, messages, server, bucket, Path(folder) / bucket))
    return results


def _case(contender: Contender, messages: Messages, server: Influxd, bucket: str, folder: Path) -> Result:
    lines = (f"max_inflight_messages {IN_FLIGHT}", "log_type error", "log_type subscribe")
    with Broker(folder / "broker", lines=lines) as broker:
        (folder / TOKEN).write_text(server.token, encoding="utf-8")
        with _running(contender, Place(folder, broker.port, server.url, bucket)) as process:
            _until(lambda: broker.log().count(" vitals/") >= contender.subscriptions, "subscriptions")
            messages.warm_up(broker.port)
            _until(lambda: _held(server, bucket) >= BEDS, "first points")
            _until(lambda: _idle(process), "rest")
            process.suspend()
            _until(lambda: process.status() == psutil.STATUS_STOPPED, "stop")
            messages.publish(broker.port)
            taken, count = _taken(server), len(messages.values)
            bystanders = Bystanders()
            began, before = time.monotonic(), _cpu(process)
            process.resume()
            # What does not come is for the count to tell. Of what the server takes, some is the station's alerts.
            with suppress(TimeoutError):
                _until(
                    lambda: _taken(server) - taken >= count - BEDS and _held(server, bucket) >= count,
                    "points",
                    within=_PATIENCE,
                )
            elapsed, cpu, resident = time.monotonic() - began, _cpu(process) - before, process.memory_info().rss
            busy = bystanders.percent
            points, right = _held(server, bucket) - BEDS, _sums(server, bucket) == messages.sums
    return Result(cpu, elapsed, resident, points, right, busy)


@contextmanager
def _running(contender: Contender, place: Place) -> Iterator[psutil.Process]:
    said = place.folder / "output"
    with said.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(contender.command(place), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield psutil.Process(child.pid)
    except (TimeoutError, psutil.Error) as error:
        raise RuntimeError(f"{contender.name}: {error}. It said:\n{said.read_text(encoding='utf-8')}") from error
    finally:
        child.kill()
        child.wait()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _idle(process: psutil.Process) -> bool:
    before = _cpu(process)
    time.sleep(0.5)
    return _cpu(process) - before <= 0.02


def _taken(server: Influxd) -> int:
    """How many points the server has written since its start, of whatever kind."""
    with _PLAIN.open(f"{server.url}/metrics", timeout=_PATIENCE) as answer:
        found = re.search(rb"^storage_writer_ok_points_sum\S* (\S+)$", answer.read(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def _held(server: Influxd, bucket: str) -> int:
    """How many points of vitals the bucket holds."""
    counts = server.query(f'{_vitals(bucket)} |> group(columns: ["_field"]) |> count()')
    return min((row["_value"] for row in counts), default=0)


def _sums(server: Influxd, bucket: str) -> dict[str, float]:
    """Of each field."""
    sums = server.query(f'{_vitals(bucket)} |> group(columns: ["_field"]) |> sum()')
    return {row["_field"]: row["_value"] for row in sums}


def _vitals(bucket: str) -> str:
    return f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "vitals")'


def _until(condition: Callable[[], object], what: str, *, within: float = 30.0) -> None:
    """Ask ten times a second, which is the same for all. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {within:g} s")
        time.sleep(0.1)


def _add(table: Table, contender: Contender, results: list[Result]) -> None:
    middle = _middle(results)
    points = min(result.points for result in results)
    right = all(result.right for result in results)
    table.rows.append(
        (
            contender.name,
            f"{middle.cpu:.1f}",
            f"{middle.rate:,.0f}",
            f"{max(result.rss for result in results) / 1e6:.0f}",
            f"{points:,}",
            "right" if right else "WRONG",
            contender.survives,
            f"{median(result.bystanders for result in results):.0f}",
        )
    )
    table.raw.append({"contender": contender.name, "rounds": [result._asdict() for result in results]})
    if points != _MESSAGES or not right:
        table.missed.append(
            f"{contender.name}: {points:,} points of {_MESSAGES:,}, sums {'' if right else 'not '}right"
        )


class _Middle(NamedTuple):
    cpu: float
    """Microseconds a message."""
    rate: float
    """Messages a second."""


def _middle(results: list[Result]) -> _Middle:
    return _Middle(
        1e6 * median(result.cpu for result in results) / _MESSAGES,
        _MESSAGES / median(result.seconds for result in results),
    )


def _judge(table: Table, results: dict[str, list[Result]]) -> None:
    """Hold the station against the others; of paho's two rows the better one counts, for each figure by itself."""
    middles = {name: _middle(found) for name, found in results.items() if found}
    if STATION not in middles:
        return
    ours = middles.pop(STATION)
    telegraf = middles.pop(TELEGRAF, None)
    cpu, rate = min(it.cpu for it in middles.values()) / ours.cpu, ours.rate / max(it.rate for it in middles.values())
    table.notes.append(f"The station against the better paho row: {cpu:.2f} times in CPU, {rate:.2f} in messages/s.")
    if cpu < AIM:
        table.missed.append(f"CPU, {cpu:.2f} times as good as paho")
    if rate < AIM:
        table.missed.append(f"messages/s, {rate:.2f} times paho's")
    if telegraf is not None:
        cpu, rate = telegraf.cpu / ours.cpu, ours.rate / telegraf.rate
        table.notes.append(f"Against Telegraf: {cpu:.2f} times in CPU, {rate:.2f} in messages/s.")
        if rate < 1:
            table.missed.append(f"messages/s, {rate:.2f} times Telegraf's")
